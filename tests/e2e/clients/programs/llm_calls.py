"""llm: its command line, and its library. `argv[1]` is what it asks about; one line of JSON for each call."""

import asyncio
import json
import sys

import llm
from llm.cli import cli

MODEL = "gpt-4o-mini"


def say(*result: object) -> None:
    sys.stdout.write(json.dumps(result) + "\n")


def blocking(word: str) -> None:
    cli(["-m", MODEL, "--no-stream", f"{word} 1"], standalone_mode=False)
    cli(["-m", MODEL, f"{word} 2"], standalone_mode=False)
    model = llm.get_model(MODEL)
    say("prompt", model.prompt(f"{word} 3", stream=False).text())
    say("prompt stream", list(model.prompt(f"{word} 4")))


async def awaiting(word: str) -> None:
    model = llm.get_async_model(MODEL)
    say("async prompt", await model.prompt(f"{word} 5", stream=False).text())
    say("async prompt stream", [text async for text in model.prompt(f"{word} 6")])


blocking(sys.argv[1])
asyncio.run(awaiting(sys.argv[1]))
