"""What is measured, in this order: each scene drives both in turn and adds a section to the report."""

import asyncio
import os
import secrets
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from bench import alone, lasting, measure, others, process, stores, table, traffic
from bench.lasting import Start
from bench.measure import Rounds, Target
from bench.table import Report
from bench.upstream import Upstream
from mitmcache.demo.proxy import Proxy


@dataclass(frozen=True, slots=True)
class Size:
    """How much of each is done. `hits`: the memory is looked at after so many, and after so many."""

    rounds: Rounds
    streams: int
    starts: int
    hits: tuple[int, int]
    misses: int
    entries: tuple[int, int]
    prompts: tuple[int, ...]
    stored: int


QUICK = Size(Rounds(3, 0.3), 50, 2, (1_000, 4_000), 400, (1_000, 20_000), (1_000, 1_000_000), 200)
FULL = Size(
    Rounds(9, 1.0),
    200,
    5,
    (20_000, 200_000),
    20_000,
    (1_000, 1_000_000),
    (1_000, 10_000, 100_000, 1_000_000, 10_000_000),
    400,
)


@dataclass(frozen=True, slots=True)
class Stage:
    """`answering` and `forwarding` are bare mitmdump, `direct` is the upstream; `ours` comes twice, the first
    with all that tells of calls, `blind` is the same with nothing of that. `make` makes one more, of a name
    and with options."""

    size: Size
    upstream: Upstream
    ours: Target
    second: Target
    blind: Target
    answering: Target
    forwarding: Target
    direct: Target
    starts: Sequence[Start]
    make: Callable[..., Proxy]
    folder: Path
    pem: Path

    @property
    def hit(self) -> Target:
        return replace(self.ours, sign=b"x-cache: HIT")

    @property
    def miss(self) -> Target:
        return replace(self.ours, sign=b"x-cache: MISS")


async def play(stage: Stage, report: Report, *, with_litellm: bool) -> None:
    """Memory first: it wants processes that have done nothing yet."""
    if sys.platform == "linux":
        await _memory_of_streams(stage, report)
    await _hits(stage, report)
    await _seeing(stage, report)
    await _misses(stage, report)
    await _streams(stage, report)
    if sys.platform == "linux":
        _most_memory(stage, report)
        await _memory_in_the_long_run(stage, report)
    started = await lasting.starts(stage.starts, stage.size.starts)
    report.section("a start", table.rows(*started))
    await _disks(stage, report)
    await _alone(stage, report)
    await _others(stage, report, with_litellm=with_litellm)


async def _memory_of_streams(stage: Stage, report: Report) -> None:
    grown = await measure.memory([stage.forwarding, stage.ours], stage.upstream, stage.size.streams)
    report.section("memory while streams are open, 100 events each", table.rows(*grown))


async def _hits(stage: Stage, report: Report) -> None:
    same, agent = traffic.chat_request(0), traffic.agent_request()
    for h2 in (False, True):
        pair = [replace(target, h2=h2) for target in (stage.answering, stage.hit)]
        for many in (1, 16):
            found = await measure.requests(pair, stage.size.rounds, traffic.CHAT_HOST, lambda: same, many)
            report.section(f"a hit, 1.7 kB answer, {_how(h2, many)}", table.rows(*found))
    pair = [stage.answering, stage.hit]
    found = await measure.requests(pair, stage.size.rounds, traffic.AGENT_HOST, lambda: agent, 1)
    report.section("a hit, an agent's 50 kB request, HTTP/1.1, 1 connection", table.rows(*found))


async def _seeing(stage: Stage, report: Report) -> None:
    same = traffic.chat_request(0)
    pair = [replace(stage.blind, sign=b"x-cache: HIT"), stage.hit]
    for many in (1, 16):
        found = await measure.requests(pair, stage.size.rounds, traffic.CHAT_HOST, lambda: same, many)
        name = f"a hit, told to log, history, metrics and alerts, {_how(False, many)}"
        report.section(name, table.rows(*found), "nobody is told", "all are")


async def _misses(stage: Stage, report: Report) -> None:
    targets = [stage.direct, stage.forwarding, stage.miss]
    # mitmproxy dials anew for every HTTP/2 request to an HTTP/1.1 upstream: that is not what is measured
    for many in (1, 16):
        found = await measure.requests(targets, stage.size.rounds, traffic.CHAT_HOST, _another, many)
        name = f"a miss, kept; bare forwards; 1.7 kB answer, {_how(False, many)}"
        report.section(name, table.rows(*measure.over(*found)))


def _another() -> bytes:
    return traffic.chat_request(next(measure.numbers))


async def _streams(stage: Stage, report: Report) -> None:
    pace = stage.upstream.pace * 1000
    for h2, many in ((False, 1), (False, 16), (True, 1)):
        pair = [replace(target, h2=h2) for target in (stage.forwarding, stage.miss)]
        found = await measure.streams(pair, stage.size.rounds, stage.upstream, many)
        report.section(f"a stream, an event each {pace:.0f} ms, {_how(h2, many)}", table.rows(*found))


def _most_memory(stage: Stage, report: Report) -> None:
    most = [
        [{"memory at its most, MB": process.most_resident(target.pid) / 1e6}]
        for target in (stage.forwarding, stage.ours)
    ]
    report.section("memory until here", table.rows(*most))


async def _memory_in_the_long_run(stage: Stage, report: Report) -> None:
    few, many = stage.size.hits
    before, after = await lasting.after_hits(replace(stage.second, sign=b"x-cache: HIT"), few, many)
    report.section("memory after hits", table.rows([before], [after]), f"{few}", f"{many}")
    missed = await lasting.after_misses(stage.second, stage.size.misses)
    report.section(
        "memory then", table.rows([after], [missed]), "before", f"after {stage.size.misses} misses"
    )


async def _disks(stage: Stage, report: Report) -> None:
    folders = [stage.folder / f"disk{number}" for number in stage.size.entries]
    makers = [partial(stage.make, folder.name, llm_memory="1") for folder in folders]
    found = await lasting.from_disk(makers, folders, stage.size.entries, stage.size.rounds)
    few, many = (f"{number} entries" for number in stage.size.entries)
    report.section("a hit from disk, HTTP/1.1, 1 connection", table.rows(*found), few, many)


async def _alone(stage: Stage, report: Report) -> None:
    rows = []
    for prompt in stage.size.prompts:
        rows += table.rows(*alone.keys(prompt, stage.size.rounds.number))
    report.section("a key", rows, "orjson.loads, dumps, sha256", "mitmcache")
    raw, ours = await stores.tiers(stage.folder, stage.size.rounds.number, stage.size.stored)
    report.section("the tiers, 10 kB", table.rows(raw, ours), "dict, file, bare boto3", "mitmcache")


async def _others(stage: Stage, report: Report, *, with_litellm: bool) -> None:
    same, rounds, host = traffic.chat_request(0), stage.size.rounds, traffic.CHAT_HOST
    hit = stage.hit
    if others.installed("haproxy"):
        async with others.haproxy(stage.folder, [stage.ours.port, stage.second.port]) as (port, pid):
            pair = [hit, replace(hit, port=port, beside=stage.second.pid)]
            await _warm(pair[1], same)
            found = await measure.requests(pair, rounds, host, lambda: same, 16)
            report.section("hits, 16 connections", _comparable(found), "one process", "two behind HAProxy")
            shares = [await measure.shares(each, rounds, host, same, 16, HAProxy=pid) for each in pair]
            for who, share in zip(("one process", "two behind HAProxy"), shares, strict=True):
                said = ", ".join(f"{name} {cores:.2f}" for name, cores in share.items())
                report.note(f"Cores that are busy, of {_cores()}, with {who}: {said}")
    else:
        report.note("HAProxy is not installed: two processes are not measured")
    if others.installed("nginx"):
        async with others.nginx(stage.folder, stage.pem, traffic.chat_answer()) as (port, pid):
            pair = [replace(stage.direct, port=port, pid=pid), hit]
            found = await measure.requests(pair, rounds, host, lambda: same, 16)
            report.section("the same bytes, 16 connections", _comparable(found), "nginx", "mitmcache")
    else:
        report.note("nginx is not installed: what a server in C does is not measured")
    if with_litellm:
        report.note("installing LiteLLM, which takes minutes")
        secret = f"sk-{secrets.token_hex(32)}"
        keyed = same.replace(b"Bearer bench", f"Bearer {secret}".encode())
        async with others.litellm(stage.folder, traffic.prose(1400), secret) as (port, pid):
            peer = Target(port, None, sign=b"x-litellm-cache-key", proxied=False, pid=pid)
            pair = [peer, hit]
            await _warm(peer, keyed)
            for many in (1, 16):
                found = await measure.requests(pair, rounds, host, lambda: keyed, many)
                report.section(
                    f"a hit, {many} connections", _comparable(found), "LiteLLM, in memory", "mitmcache"
                )


def _cores() -> int | None:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()


async def _warm(target: Target, request: bytes) -> None:
    """What is behind it, one process or two, has the answer then."""
    async with measure.opened([target], traffic.CHAT_HOST, 4) as [line]:
        for connection in line:
            await connection.ask(request)
    await asyncio.sleep(0.2)


def _comparable(found: Sequence[Sequence[table.Round]]) -> list[table.Row]:
    """Without what only one of the two has: the CPU of a process that is not told."""
    names = set(found[0][0]) & set(found[1][0])
    first, second = ([{k: v for k, v in each.items() if k in names} for each in half] for half in found)
    return table.rows(first, second)


def _how(h2: bool, many: int) -> str:
    if h2:
        return f"HTTP/2, {many} at once"
    return f"HTTP/1.1, {many} connection{'s' * (many > 1)}"
