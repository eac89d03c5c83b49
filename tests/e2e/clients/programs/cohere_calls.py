"""cohere: chat of version 2. `argv[1]` is what it asks about; one line of JSON for each call."""

import asyncio
import json
import sys

import cohere


def say(*result: object) -> None:
    sys.stdout.write(json.dumps(result) + "\n")


def asked(text: str) -> dict[str, object]:
    return {"model": "command-r7b-12-2024", "messages": [{"role": "user", "content": text}]}


def blocking(word: str) -> None:
    with cohere.ClientV2() as client:
        say("chat", client.chat(**asked(f"{word} 1")).message.content[0].text)
        say("chat stream", [event.type for event in client.chat_stream(**asked(f"{word} 2"))])


async def awaiting(word: str) -> None:
    async with cohere.AsyncClientV2() as client:
        say("async chat", (await client.chat(**asked(f"{word} 3"))).message.content[0].text)
        stream = client.chat_stream(**asked(f"{word} 4"))
        say("async chat stream", [event.type async for event in stream])


blocking(sys.argv[1])
asyncio.run(awaiting(sys.argv[1]))
