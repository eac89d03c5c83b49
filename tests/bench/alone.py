"""In this process: the key of a request by itself, and a disk that is filled."""

import hashlib
import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from time import thread_time

import orjson

from bench import traffic
from bench.table import Round
from mitmcache.cache import body, key
from mitmcache.exchange import Call
from mitmcache.providers import catalogue
from mitmcache.store.base import Entry
from mitmcache.store.disk import DiskStore

PATH = "/v1/chat/completions"
BLOB = 800
"""Bytes of an entry: a short answer, packed."""


def keys(size: int, rounds: int) -> tuple[list[Round], list[Round]]:
    """Milliseconds for a prompt of `size` bytes: what anybody would do, and what we do."""
    prompt = json.dumps(
        {"messages": [{"role": "user", "content": traffic.prose(size)}], "model": "m"}
    ).encode()
    found = catalogue.find(traffic.CHAT_HOST, "POST", PATH, ())
    assert found
    provider, dialect = found
    headers = (("content-type", "application/json"), ("authorization", "Bearer bench"))

    def plain() -> None:
        hashlib.sha256(orjson.dumps(orjson.loads(prompt), option=orjson.OPT_SORT_KEYS)).hexdigest()

    def ours() -> None:
        read = body.read(prompt, "application/json", dialect)
        call = Call(provider, dialect, "POST", "https", traffic.CHAT_HOST, PATH, "", headers, prompt)
        key.digest(key.ingredients(call, read, "credential 0"))

    name = f"key of {_bytes(size)} of prompt, ms"
    pairs = [(_least(plain, size), _least(ours, size)) for _ in range(rounds)]
    return [{name: first} for first, _ in pairs], [{name: second} for _, second in pairs]


def _least(work: Callable[[], None], size: int) -> float:
    """Milliseconds of CPU that it takes when nothing comes between."""
    taken = []
    for _ in range(5 + 200_000 // (size + 1000)):
        started = thread_time()
        work()
        taken.append(thread_time() - started)
    return min(taken) * 1000


def _bytes(size: int) -> str:
    return f"{size // 1_000_000} MB" if size >= 1_000_000 else f"{size // 1000} kB"


async def fill(folder: Path, entries: int) -> None:
    """Puts so many answers that nobody asks for on the disk."""
    store = DiskStore(folder, 1 << 40, now=time.time)
    store.open()
    try:
        chance = random.Random(entries)
        for number in range(entries):
            while not store.put(Entry(_key(number), chance.randbytes(BLOB), group="0" * 32)):
                await store.flush(120)
        await store.flush(120)
    finally:
        await store.close(60)


def _key(number: int) -> str:
    return hashlib.sha256(number.to_bytes(8, "big")).hexdigest()
