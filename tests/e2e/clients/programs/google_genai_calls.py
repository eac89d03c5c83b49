"""google-genai: Gemini. `argv[1]` is what it asks about; one line of JSON for each call."""

import asyncio
import json
import sys

from google import genai

MODEL = "gemini-2.5-flash"


def say(*result: object) -> None:
    sys.stdout.write(json.dumps(result) + "\n")


def blocking(word: str) -> None:
    with genai.Client() as client:
        say("generate", client.models.generate_content(model=MODEL, contents=f"{word} 1").text)
        stream = client.models.generate_content_stream(model=MODEL, contents=f"{word} 2")
        say("generate stream", [piece.text for piece in stream])


async def awaiting(word: str) -> None:
    async with genai.Client().aio as client:
        whole = await client.models.generate_content(model=MODEL, contents=f"{word} 3")
        say("async generate", whole.text)
        stream = await client.models.generate_content_stream(model=MODEL, contents=f"{word} 4")
        say("async generate stream", [piece.text async for piece in stream])


blocking(sys.argv[1])
asyncio.run(awaiting(sys.argv[1]))
