"""Every tier beside the operation that it is made of: a dict, a file, and boto3 as it comes."""

import asyncio
import os
import secrets
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import boto3
from botocore.config import Config

from bench.table import Round
from mitmcache import settings
from mitmcache.cache import record
from mitmcache.cache.body import Body
from mitmcache.cache.likeness import Likeness
from mitmcache.cache.record import Record
from mitmcache.finder import Finder
from mitmcache.selection import About
from mitmcache.store.base import Entry
from mitmcache.stores import Stores
from mitmcache.tally import Tally
from s3.server import ACCESS_KEY, SECRET_KEY, S3Server

BODY = 10_000
"""Bytes of an answer, which do not compress."""
WRITERS = 4
DEADLINE = 120.0
ABOUT = About("openai", "api.openai.com", "m")
LIKENESS = Likeness((), Body("raw", b"", None, None), b"")


@dataclass
class Answers:
    """Encoded records, each under a key of its own."""

    count: int
    about: About = ABOUT
    keys: list[str] = field(default_factory=list)
    blobs: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for _ in range(self.count):
            key, now = secrets.token_hex(32), time.time()
            body = secrets.token_bytes(BODY)
            made = Record(
                key=key,
                provider=self.about.provider,
                dialect="openai.chat",
                model=self.about.model,
                created=now,
                expires=now + 3600,
                status=200,
                headers=(),
                body=body,
                host=self.about.host,
            )
            self.keys.append(key)
            self.blobs[key] = record.encode(made)

    def entries(self) -> list[Entry]:
        return [Entry(key, blob, about=self.about) for key, blob in self.blobs.items()]


async def tiers(folder: Path, rounds: int, count: int) -> tuple[list[Round], list[Round]]:
    """Milliseconds a hit and a put take, of `count` one after another (uploads: at once): raw, and ours."""
    raw: list[Round] = []
    ours: list[Round] = []
    with S3Server(folder / "s3") as server:
        bucket = server.create()
        for number in range(rounds):
            answers = Answers(count)
            raw.append(_raw(folder / f"raw{number}", server, bucket, answers))
            ours.append(await _ours(folder / f"ours{number}", server, f"s3://{bucket}/r{number}", answers))
    return raw, ours


def _raw(folder: Path, server: S3Server, bucket: str, answers: Answers) -> Round:
    folder.mkdir()
    config = Config(proxies={}, s3={"addressing_style": "path"})
    client: Any = boto3.session.Session(ACCESS_KEY, SECRET_KEY, region_name="us-east-1").client(
        "s3", endpoint_url=server.endpoint, config=config
    )
    held = answers.blobs

    def write(key: str) -> None:
        temporary = folder / f"{key}.new"
        temporary.write_bytes(held[key])
        temporary.replace(folder / key)

    def upload(key: str) -> None:
        client.put_object(Bucket=bucket, Key=f"raw/{key}", Body=held[key])

    def download(key: str) -> None:
        client.get_object(Bucket=bucket, Key=f"raw/{key}")["Body"].read()

    with ThreadPoolExecutor(WRITERS) as pool:
        client.head_bucket(Bucket=bucket)
        found = {
            "a put on disk, ms": _each(write, answers.keys),
            "a put in the bucket, four at a time, ms": _all(
                lambda: [*pool.map(upload, answers.keys)], answers
            ),
            "a hit from memory, ms": _each(held.__getitem__, answers.keys),
            "a hit from disk, ms": _each(lambda key: (folder / key).read_bytes(), answers.keys),
            "a hit from the bucket, ms": _each(download, answers.keys),
        }
    client.close()
    return found


async def _ours(folder: Path, server: S3Server, store: str, answers: Answers) -> Round:
    stores = _stores(folder / "one", server, store)
    assert stores.disk and stores.uploads
    started = perf_counter()
    for entry in answers.entries():
        stores.tiers.put(entry)
    await stores.disk.flush(DEADLINE)
    put = _per(started, answers)
    stores.start()
    await stores.uploads.flush(DEADLINE)  # boto3 is imported and the first connection made
    again = [Entry(entry.key, entry.blob, about=entry.about) for entry in answers.entries()]
    started = perf_counter()
    for entry in again:
        stores.tiers.put(entry)
    await stores.disk.flush(DEADLINE)
    assert await stores.uploads.flush(DEADLINE)
    uploaded = _per(started, answers)
    find = _finder(stores)
    memory = await _each_async(find, answers)
    disk = await _each_async(partial(_without_memory, stores, find), answers)
    await stores.close(5)
    other = _stores(folder / "other", server, store)
    other.start()
    bucket = await _each_async(partial(_once_ready, _finder(other)), answers)
    await other.close(5)
    return {
        "a put on disk, ms": put,
        "a put in the bucket, four at a time, ms": uploaded,
        "a hit from memory, ms": memory,
        "a hit from disk, ms": disk,
        "a hit from the bucket, ms": bucket,
    }


def _stores(folder: Path, server: S3Server, store: str) -> Stores:
    os.environ |= server.environ
    given = {option.name: option.default for option in settings.OPTIONS}
    given |= {"llm_store": store, "llm_data_dir": str(folder), "llm_lookup_timeout": "10s"}
    return Stores(settings.parse(given))


type Find = Callable[[str], Awaitable[str]]


def _finder(stores: Stores) -> Find:
    finder = Finder(stores.tiers, Tally(), stores.purger.valid)

    async def find(key: str) -> str:
        found = await finder.find(key, ABOUT, LIKENESS)
        return found.tier if found else ""

    return find


async def _without_memory(stores: Stores, find: Find, key: str) -> str:
    await stores.tiers.memory.delete(key)
    return await find(key)


async def _once_ready(find: Find, key: str) -> str:
    while not (tier := await find(key)):  # noqa: ASYNC110 - it does not tell
        await asyncio.sleep(0.01)
    return tier


async def _each_async(find: Find, answers: Answers) -> float:
    await find(answers.keys[0])
    started = perf_counter()
    for key in answers.keys[1:]:
        assert await find(key)
    return (perf_counter() - started) * 1000 / (answers.count - 1)


def _each(work: Callable[[str], object], keys: list[str]) -> float:
    work(keys[0])
    started = perf_counter()
    for key in keys[1:]:
        work(key)
    return (perf_counter() - started) * 1000 / (len(keys) - 1)


def _all(work: Callable[[], object], answers: Answers) -> float:
    started = perf_counter()
    work()
    return _per(started, answers)


def _per(started: float, answers: Answers) -> float:
    return (perf_counter() - started) * 1000 / answers.count
