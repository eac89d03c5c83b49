"""What is not so much for each call: how long a start takes, and what stays in memory."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter

from bench import measure, process, traffic
from bench.measure import Target
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


async def after_misses(target: Target, number: int) -> Round:
    """The memory after so many different misses, all of them kept."""
    async with measure.opened([target], traffic.CHAT_HOST, 4) as [line]:

        async def one(place: int) -> None:
            for _ in range(number // len(line)):
                await line[place].ask(traffic.chat_request(next(measure.numbers)))

        await asyncio.gather(*map(one, range(len(line))))
    return {"memory, MB": process.resident(target.pid) / 1e6}
