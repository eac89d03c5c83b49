"""litellm: OpenAI and Anthropic. `argv[1]` is what it asks about; one line of JSON for each call."""

import asyncio
import json
import sys

import litellm

MODELS = ("openai/gpt-4o-mini", "anthropic/claude-sonnet-4-6")


def say(*result: object) -> None:
    sys.stdout.write(json.dumps(result) + "\n")


def asked(model: str, text: str) -> dict[str, object]:
    return {"model": model, "messages": [{"role": "user", "content": text}]}


def blocking(model: str, word: str) -> None:
    whole = litellm.completion(**asked(model, f"{word} 1"))
    say(model, whole.choices[0].message.content)
    stream = litellm.completion(**asked(model, f"{word} 2"), stream=True)
    say(model, "stream", [piece.choices[0].delta.content for piece in stream])


async def awaiting(model: str, word: str) -> None:
    whole = await litellm.acompletion(**asked(model, f"{word} 3"))
    say(model, "async", whole.choices[0].message.content)
    stream = await litellm.acompletion(**asked(model, f"{word} 4"), stream=True)
    say(model, "async stream", [piece.choices[0].delta.content async for piece in stream])


async def all_awaiting(word: str) -> None:
    for model in MODELS:
        await awaiting(model, word)
    await litellm.close_litellm_async_clients()


for name in MODELS:
    blocking(name, sys.argv[1])
asyncio.run(all_awaiting(sys.argv[1]))
