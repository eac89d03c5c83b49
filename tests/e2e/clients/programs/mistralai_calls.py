"""mistralai: chat. `argv[1]` is what it asks about; one line of JSON for each call."""

import asyncio
import json
import os
import sys

from mistralai.client import Mistral


def say(*result: object) -> None:
    sys.stdout.write(json.dumps(result) + "\n")


def asked(text: str) -> dict[str, object]:
    return {"model": "mistral-small-latest", "messages": [{"role": "user", "content": text}]}


def blocking(word: str) -> None:
    with Mistral(api_key=os.environ["MISTRAL_API_KEY"]) as client:
        say("chat", client.chat.complete(**asked(f"{word} 1")).choices[0].message.content)
        with client.chat.stream(**asked(f"{word} 2")) as stream:
            say("chat stream", [event.data.choices[0].delta.content for event in stream])


async def awaiting(word: str) -> None:
    async with Mistral(api_key=os.environ["MISTRAL_API_KEY"]) as client:
        whole = await client.chat.complete_async(**asked(f"{word} 3"))
        say("async chat", whole.choices[0].message.content)
        async with await client.chat.stream_async(**asked(f"{word} 4")) as stream:
            say("async chat stream", [event.data.choices[0].delta.content async for event in stream])


blocking(sys.argv[1])
asyncio.run(awaiting(sys.argv[1]))
