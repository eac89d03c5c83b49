"""langchain, with langchain-openai and langchain-anthropic. `argv[1]` is what it asks about; one line of JSON
for each call.
"""

import asyncio
import json
import sys

from langchain.chat_models import init_chat_model

MODELS = ("openai:gpt-4o-mini", "anthropic:claude-sonnet-4-6")


def say(*result: object) -> None:
    sys.stdout.write(json.dumps(result) + "\n")


def blocking(name: str, word: str) -> None:
    model = init_chat_model(name)
    say(name, model.invoke(f"{word} 1").text)
    say(name, "stream", [piece.text for piece in model.stream(f"{word} 2")])


async def awaiting(name: str, word: str) -> None:
    model = init_chat_model(name)
    say(name, "async", (await model.ainvoke(f"{word} 3")).text)
    say(name, "async stream", [piece.text async for piece in model.astream(f"{word} 4")])


async def all_awaiting(word: str) -> None:
    for name in MODELS:
        await awaiting(name, word)


for each in MODELS:
    blocking(each, sys.argv[1])
asyncio.run(all_awaiting(sys.argv[1]))
