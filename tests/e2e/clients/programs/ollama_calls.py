"""ollama: chat, on this machine. `argv[1]` is what it asks about; one line of JSON for each call."""

import asyncio
import json
import sys

import ollama


def say(*result: object) -> None:
    sys.stdout.write(json.dumps(result) + "\n")


def asked(text: str) -> dict[str, object]:
    return {"model": "llama3.2", "messages": [{"role": "user", "content": text}]}


def blocking(word: str) -> None:
    with ollama.Client() as client:
        say("chat", client.chat(**asked(f"{word} 1")).message.content)
        stream = client.chat(**asked(f"{word} 2"), stream=True)
        say("chat stream", [piece.message.content for piece in stream])


async def awaiting(word: str) -> None:
    async with ollama.AsyncClient() as client:
        say("async chat", (await client.chat(**asked(f"{word} 3"))).message.content)
        stream = await client.chat(**asked(f"{word} 4"), stream=True)
        say("async chat stream", [piece.message.content async for piece in stream])


blocking(sys.argv[1])
asyncio.run(awaiting(sys.argv[1]))
