"""What comes with time: how long a start takes, what stays in memory, and hits from a disk that is full."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from time import perf_counter

from bench import alone, measure, process, traffic
from bench.measure import Rounds, Target
from bench.table import Round
from mitmcache.demo.proxy import Proxy

type Start = Callable[[int], Awaitable[Proxy]]
"""Starts the proxy with a number of its own; whoever calls it does not end it."""


async def starts(kinds: Sequence[Start], rounds: int) -> list[list[Round]]:
    """For each kind of proxy the seconds from its start until it listens, and what it then has in memory."""
    found: list[list[Round]] = [[] for _ in kinds]
    for turn in range(rounds):
        order = list(range(len(kinds)))
        for place in order[:: 1 if turn % 2 else -1]:
            started = perf_counter()
            proxy = await kinds[place](turn)
            took = perf_counter() - started
            found[place].append(
                {"from start to ready, s": took, "memory, MB": process.resident(proxy.pid) / 1e6}
            )
            await proxy.__aexit__(None, None, None)
    return found


async def after_hits(target: Target, few: int, many: int) -> tuple[Round, Round]:
    """The memory after so few and after so many hits, over 16 connections."""
    request = traffic.chat_request(0)
    name = "memory, MB"
    left = few
    results: list[Round] = []
    async with measure.opened([target], traffic.CHAT_HOST, 16) as [line]:
        await line[0].ask(request)
        for number in (few, many - few):
            left = number

            async def one(place: int) -> None:
                nonlocal left
                while left > 0:
                    left -= 1
                    await line[place].ask(request)

            await asyncio.gather(*map(one, range(len(line))))
            results.append({name: process.resident(target.pid) / 1e6})
    return results[0], results[1]


async def from_disk(
    makers: Sequence[Callable[[], Proxy]], folders: Sequence[Path], entries: Sequence[int], rounds: Rounds
) -> list[list[Round]]:
    """For each proxy its rounds of hits from a disk of so many answers. Its memory must have room for none.

    Those that are asked for are the same in all: as many as the smallest disk has.
    """
    asked = min(entries)
    questions = [traffic.chat_request(next(measure.numbers)) for _ in range(asked)]
    async with AsyncExitStack() as stack:
        targets = []
        for make, folder, number in zip(makers, folders, entries, strict=True):
            await alone.fill(folder, number - asked)
            proxy = await stack.enter_async_context(make())
            target = Target(proxy.port, proxy.ca_file, b"x-cache: MISS", pid=proxy.pid)
            await measure.each_once(target, traffic.CHAT_HOST, questions)
            targets.append(replace(target, sign=b"x-cache: HIT"))
        await asyncio.sleep(1)  # the last of them are on the disk
        return await measure.requests(targets, rounds, traffic.CHAT_HOST, lambda: random.choice(questions), 1)


async def after_misses(target: Target, number: int) -> Round:
    """The memory after so many different misses, all of them kept."""
    async with measure.opened([target], traffic.CHAT_HOST, 4) as [line]:

        async def one(place: int) -> None:
            for _ in range(number // len(line)):
                await line[place].ask(traffic.chat_request(next(measure.numbers)))

        await asyncio.gather(*map(one, range(len(line))))
    return {"memory, MB": process.resident(target.pid) / 1e6}
