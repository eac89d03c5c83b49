"""openai: Chat Completions and Responses. `argv[1]` is what it asks about; one line of JSON for each call."""

import asyncio
import json
import sys

import openai

MODEL = "gpt-4o-mini"


def say(*result: object) -> None:
    sys.stdout.write(json.dumps(result) + "\n")


def blocking(word: str) -> None:
    with openai.OpenAI() as client:
        chat, responses = client.chat.completions, client.responses
        whole = chat.create(model=MODEL, messages=[{"role": "user", "content": f"{word} 1"}])
        say("chat", whole.choices[0].message.content)
        stream = chat.create(model=MODEL, messages=[{"role": "user", "content": f"{word} 2"}], stream=True)
        say("chat stream", [piece.choices[0].delta.content for piece in stream if piece.choices])
        say("responses", responses.create(model=MODEL, input=f"{word} 3").output_text)
        events = responses.create(model=MODEL, input=f"{word} 4", stream=True)
        say("responses stream", [event.type for event in events])


async def awaiting(word: str) -> None:
    async with openai.AsyncOpenAI() as client:
        chat, responses = client.chat.completions, client.responses
        whole = await chat.create(model=MODEL, messages=[{"role": "user", "content": f"{word} 5"}])
        say("async chat", whole.choices[0].message.content)
        stream = await chat.create(
            model=MODEL, messages=[{"role": "user", "content": f"{word} 6"}], stream=True
        )
        say("async chat stream", [piece.choices[0].delta.content async for piece in stream if piece.choices])
        say("async responses", (await responses.create(model=MODEL, input=f"{word} 7")).output_text)
        events = await responses.create(model=MODEL, input=f"{word} 8", stream=True)
        say("async responses stream", [event.type async for event in events])


blocking(sys.argv[1])
asyncio.run(awaiting(sys.argv[1]))
