"""anthropic: Messages. `argv[1]` is what it asks about; one line of JSON for each call."""

import asyncio
import json
import sys

import anthropic

MODEL = "claude-sonnet-4-6"


def say(*result: object) -> None:
    sys.stdout.write(json.dumps(result) + "\n")


def asked(text: str) -> dict[str, object]:
    return {"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": text}]}


def blocking(word: str) -> None:
    with anthropic.Anthropic() as client:
        whole = client.messages.create(**asked(f"{word} 1"))
        say("messages", [block.to_dict() for block in whole.content])
        with client.messages.stream(**asked(f"{word} 2")) as stream:
            say("messages stream", list(stream.text_stream))


async def awaiting(word: str) -> None:
    async with anthropic.AsyncAnthropic() as client:
        whole = await client.messages.create(**asked(f"{word} 3"))
        say("async messages", [block.to_dict() for block in whole.content])
        async with client.messages.stream(**asked(f"{word} 4")) as stream:
            say("async messages stream", [text async for text in stream.text_stream])
    async with anthropic.AsyncAnthropic(http_client=anthropic.DefaultAioHttpClient()) as client:
        whole = await client.messages.create(**asked(f"{word} 5"))
        say("messages by aiohttp", [block.to_dict() for block in whole.content])


blocking(sys.argv[1])
asyncio.run(awaiting(sys.argv[1]))
