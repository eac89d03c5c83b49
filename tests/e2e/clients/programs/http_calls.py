"""HTTP libraries without an SDK. `argv[1]` is what they ask about; one line of JSON for each call."""

import asyncio
import json
import os
import sys
import urllib.request

import aiohttp
import httpx
import httpx2
import requests

URL = "https://api.openai.com/v1/chat/completions"
HEADERS = {"authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"}


def say(*result: object) -> None:
    sys.stdout.write(json.dumps(result) + "\n")


def asked(text: str) -> dict[str, object]:
    return {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}]}


def blocking(word: str) -> None:
    body = json.dumps(asked(f"{word} 1")).encode()
    headers = {**HEADERS, "content-type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(URL, body, headers)) as reply:
        say("urllib", json.load(reply))
    say("requests", requests.post(URL, headers=HEADERS, json=asked(f"{word} 2")).json())
    say("httpx", httpx.post(URL, headers=HEADERS, json=asked(f"{word} 3")).json())
    say("httpx2", httpx2.post(URL, headers=HEADERS, json=asked(f"{word} 4")).json())


async def awaiting(word: str) -> None:
    async with (
        aiohttp.ClientSession(trust_env=True) as session,
        session.post(URL, headers=HEADERS, json=asked(f"{word} 5")) as reply,
    ):
        say("aiohttp", await reply.json())


blocking(sys.argv[1])
asyncio.run(awaiting(sys.argv[1]))
