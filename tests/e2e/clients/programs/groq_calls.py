"""groq: chat. `argv[1]` is what it asks about; one line of JSON for each call."""

import asyncio
import json
import sys

import groq


def say(*result: object) -> None:
    sys.stdout.write(json.dumps(result) + "\n")


def asked(text: str) -> dict[str, object]:
    return {"model": "llama-3.3-70b-versatile", "messages": [{"role": "user", "content": text}]}


def blocking(word: str) -> None:
    with groq.Groq() as client:
        chat = client.chat.completions
        say("chat", chat.create(**asked(f"{word} 1")).choices[0].message.content)
        stream = chat.create(**asked(f"{word} 2"), stream=True)
        say("chat stream", [piece.choices[0].delta.content for piece in stream])


async def awaiting(word: str) -> None:
    async with groq.AsyncGroq() as client:
        chat = client.chat.completions
        say("async chat", (await chat.create(**asked(f"{word} 3"))).choices[0].message.content)
        stream = await chat.create(**asked(f"{word} 4"), stream=True)
        say("async chat stream", [piece.choices[0].delta.content async for piece in stream])


blocking(sys.argv[1])
asyncio.run(awaiting(sys.argv[1]))
