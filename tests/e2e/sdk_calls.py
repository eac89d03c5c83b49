"""A user's program: the providers' own clients, as anybody would use them. Run as a process of its own.

It knows nothing of a proxy: that is in its environment. Prints one JSON line per call. `argv[1]` is what
it asks about.
"""

import asyncio
import json
import sys
from collections.abc import Iterator

import anthropic
import openai
from google import genai

OPENAI_MODEL, CLAUDE, GEMINI = "gpt-4o-mini-2024-07-18", "claude-sonnet-4-5", "gemini-2.5-flash"

type Result = tuple[str, object]


def openai_calls(word: str) -> Iterator[Result]:
    client = openai.OpenAI(api_key="test-key", max_retries=0, timeout=60)
    chat = client.chat.completions
    whole = chat.create(model=OPENAI_MODEL, messages=[{"role": "user", "content": word}])
    yield "openai chat", whole.choices[0].message.content
    stream = chat.create(
        model=OPENAI_MODEL,
        messages=[{"role": "user", "content": word}],
        stream=True,
        stream_options={"include_usage": True},
    )
    yield "openai chat stream", [piece.choices[0].delta.content for piece in stream if piece.choices]
    yield "openai responses", client.responses.create(model=OPENAI_MODEL, input=word).output_text
    events = client.responses.create(model=OPENAI_MODEL, input=word, stream=True)
    yield "openai responses stream", [event.type for event in events]
    yield (
        "openai embeddings",
        client.embeddings.create(model="text-embedding-3-small", input=[word], encoding_format="float")
        .data[0]
        .embedding,
    )
    heard = client.audio.transcriptions.create(model="whisper-1", prompt=word, file=("a.wav", b"RIFF"))
    yield "openai transcription", heard.text
    client.close()


def anthropic_calls(word: str) -> Iterator[Result]:
    client = anthropic.Anthropic(api_key="test-key", max_retries=0, timeout=60)
    whole = client.messages.create(model=CLAUDE, max_tokens=64, messages=[{"role": "user", "content": word}])
    yield "anthropic messages", [block.to_dict() for block in whole.content]
    with client.messages.stream(
        model=CLAUDE, max_tokens=64, messages=[{"role": "user", "content": word}]
    ) as stream:
        yield "anthropic messages stream", stream.get_final_text()
    client.close()


def google_calls(word: str) -> Iterator[Result]:
    client = genai.Client(api_key="test-key")
    yield "gemini generate", client.models.generate_content(model=GEMINI, contents=word).text
    stream = client.models.generate_content_stream(model=GEMINI, contents=word)
    yield "gemini stream", [piece.text for piece in stream]
    client.close()


async def async_calls(word: str) -> list[Result]:
    """With other words than the blocking calls, so that each must be stored by itself."""
    word = f"{word} async"
    found: list[Result] = []
    async with openai.AsyncOpenAI(api_key="test-key", max_retries=0, timeout=60) as one:
        stream = await one.chat.completions.create(
            model=OPENAI_MODEL, messages=[{"role": "user", "content": word}], stream=True
        )
        pieces = [piece.choices[0].delta.content async for piece in stream if piece.choices]
        found.append(("openai async stream", pieces))
    async with (
        anthropic.AsyncAnthropic(api_key="test-key", max_retries=0, timeout=60) as two,
        two.messages.stream(
            model=CLAUDE, max_tokens=64, messages=[{"role": "user", "content": word}]
        ) as events,
    ):
        found.append(("anthropic async stream", await events.get_final_text()))
    async with genai.Client(api_key="test-key").aio as three:
        parts = await three.models.generate_content_stream(model=GEMINI, contents=word)
        found.append(("gemini async stream", [part.text async for part in parts]))
    return found


def main(word: str) -> None:
    for calls in (openai_calls, anthropic_calls, google_calls):
        for result in calls(word):
            sys.stdout.write(json.dumps(result) + "\n")
    for result in asyncio.run(async_calls(word)):
        sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
