"""The measurements. Each drives bare mitmdump and ours in turn, round by round, over the same traffic."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from time import perf_counter, process_time

from bench import process, table, traffic
from bench.client import Connection
from bench.client_h2 import Lane, lanes
from bench.table import Round
from bench.upstream import Upstream


class BenchError(Exception):
    """What was to be measured did not happen."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is driven; without an authority, over plain HTTP.

    `sign` is in the head of every reply that counts, in lower case. `beside` is the pid of a second
    proxy behind the port.
    """

    port: int
    authority: Path | None
    sign: bytes = b" 200 "
    proxied: bool = True
    pid: int = 0
    h2: bool = False
    beside: int = 0

    @property
    def pids(self) -> tuple[int, ...]:
        return (self.pid, self.beside) if self.beside else (self.pid,)

    @property
    def trusted(self) -> ssl.SSLContext | None:
        if self.authority is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.authority)
        context.set_alpn_protocols(["h2" if self.h2 else "http/1.1"])
        return context


@dataclass(frozen=True, slots=True)
class Rounds:
    number: int
    seconds: float


type Line = Sequence[Connection | Lane]
type MakeRequest = Callable[[], bytes]
"""The next request; a new one each time, or always the same."""

numbers = count(1)


async def requests(
    targets: Sequence[Target], rounds: Rounds, host: str, make: MakeRequest, connections: int
) -> list[list[Round]]:
    """For each target its rounds: `requests/s`, `p50`, `p99`, and the proxy's CPU where that can be told."""
    found: list[list[Round]] = [[] for _ in targets]
    async with opened(targets, host, connections) as lines:
        for line, target in zip(lines, targets, strict=True):
            # the first reply may be what a cache has yet to hear; neither is it of interest
            for each in (*line[:1], *line):
                await each.ask(make())
            _sure(line[-1].head, target)
        for turn in range(rounds.number):
            order = list(range(len(targets)))
            for place in order[:: 1 if turn % 2 else -1]:
                result = await _drive(lines[place], targets[place], make, rounds.seconds)
                found[place].append(result)
    return found


async def _drive(line: Line, target: Target, make: MakeRequest, seconds: float) -> Round:
    taken: list[float] = []
    busy, started = process.cpu(*target.pids), perf_counter()

    async def one(connection: Connection | Lane) -> None:
        while perf_counter() - started < seconds:
            request = make()
            taken.append(await connection.ask(request))
            _sure(connection.head, target)

    await asyncio.gather(*(one(connection) for connection in line))
    rate = len(taken) / (perf_counter() - started)
    spent = _cpu(target, busy, len(taken), "CPU of the proxy per request, ms")
    return {table.MORE_IS_BETTER: rate, **table.latency(taken), **spent}


async def each_once(target: Target, host: str, requests: Sequence[bytes]) -> None:
    async with opened([target], host, 1) as [[connection]]:
        for request in requests:
            await connection.ask(request)
            _sure(connection.head, target)


async def shares(
    target: Target, rounds: Rounds, host: str, request: bytes, connections: int, **others: int
) -> dict[str, float]:
    """How many cores the proxies, this load and the other processes, given by pid, keep busy: where there are
    no more cores, what one takes is another's no more."""
    async with opened([target], host, connections) as [line]:
        await _drive(line, target, lambda: request, rounds.seconds / 4)
        watched = {"the proxies": target.pids, **{name: (pid,) for name, pid in others.items()}}
        before = {name: process.cpu(*pids) or 0.0 for name, pids in watched.items()}
        own, started = process_time(), perf_counter()
        await _drive(line, target, lambda: request, rounds.seconds * 3)
        taken = perf_counter() - started
        found = {name: ((process.cpu(*pids) or 0.0) - before[name]) / taken for name, pids in watched.items()}
        return {**found, "the load": (process_time() - own) / taken}


def over(direct: list[Round], bare: list[Round], ours: list[Round]) -> list[list[Round]]:
    """Bare's and our rounds, each with how much later than a direct call its reply was."""
    return [
        [
            {**each, "p50 over a direct call, ms": each["p50, ms"] - base["p50, ms"]}
            for base, each in zip(direct, proxied, strict=True)
        ]
        for proxied in (bare, ours)
    ]


async def streams(
    targets: Sequence[Target], rounds: Rounds, upstream: Upstream, connections: int
) -> list[list[Round]]:
    """For each target its rounds of the time to the first event, and of each event's way."""
    found: list[list[Round]] = [[] for _ in targets]
    async with opened(targets, traffic.CHAT_HOST, connections) as lines:
        for line in lines:
            for connection in line:
                await connection.ask(traffic.chat_request(next(numbers)))
        for turn in range(rounds.number):
            order = list(range(len(targets)))
            for place in order[:: 1 if turn % 2 else -1]:
                found[place].append(
                    await _stream_round(lines[place], targets[place], upstream, rounds.seconds)
                )
    return found


async def _stream_round(line: Line, target: Target, upstream: Upstream, seconds: float) -> Round:
    upstream.events = round(seconds / upstream.pace)
    busy = process.cpu(*target.pids)
    firsts: list[float] = []
    ways: list[float] = []

    async def one(connection: Connection | Lane, delay: float) -> None:
        await asyncio.sleep(delay)
        number = next(numbers)
        started = connection.start_stream(traffic.chat_request(number, stream=True))
        await connection.stream_end()
        _sure(connection.head, target)
        written = upstream.written.pop(number)
        if len(written) != len(connection.arrived):
            raise BenchError(f"{len(written)} events were sent, and {len(connection.arrived)} arrived")
        firsts.append(connection.arrived[0] - started)
        ways.extend(b - a for a, b in zip(written, connection.arrived, strict=True))

    # spread over the pace, as unrelated streams are
    delays = [upstream.pace * place / len(line) for place in range(len(line))]
    await asyncio.gather(*map(one, line, delays))
    return {
        "first event p50, ms": table.latency(firsts)["p50, ms"],
        **table.latency(ways, "each event's way "),
        **_cpu(target, busy, len(ways), "CPU of the proxy per event, ms"),
    }


async def memory(targets: Sequence[Target], upstream: Upstream, connections: int) -> list[list[Round]]:
    """For each target how much its process grew, in kB for each of the streams that are open at once.

    They have had 100 events, and have not ended. Wants fresh processes: what was once freed is used again.
    """
    upstream.events, pace, upstream.pace = 100, upstream.pace, 0.0
    found: list[list[Round]] = []
    for target in targets:
        await _hold_streams(target, upstream, 4)
        before = process.resident(target.pid)
        grown = await _hold_streams(target, upstream, connections) - before
        found.append([{f"kB for each of {connections} open streams": grown / 1024 / connections}])
    upstream.pace = pace
    return found


async def _hold_streams(target: Target, upstream: Upstream, connections: int) -> int:
    """The process's resident bytes while so many streams are open."""
    upstream.hold.clear()
    async with opened([target], traffic.CHAT_HOST, connections) as [line]:
        for connection in line:
            connection.start_stream(traffic.chat_request(next(numbers), stream=True))
        for connection in line:
            assert isinstance(connection, Connection)
            await connection.reached(upstream.events)
        resident = process.resident(target.pid)
        upstream.hold.set()
        for connection in line:
            await connection.stream_end()
            _sure(connection.head, target)
    upstream.written.clear()
    return resident


@asynccontextmanager
async def opened(
    targets: Sequence[Target], host: str, connections: int
) -> AsyncIterator[list[list[Connection | Lane]]]:
    """So many connections to each; of HTTP/2 one each, and so many calls in it at once."""
    made: list[list[Connection | Lane]] = [[] for _ in targets]
    try:
        for line, target in zip(made, targets, strict=True):
            trusted = target.trusted
            if target.h2 and trusted:
                line.extend(await lanes(target.port, host, trusted, connections))
            while len(line) < connections:
                line.append(await Connection.open(target.port, host, trusted, proxied=target.proxied))
        yield made
    finally:
        for line in made:
            for connection in line:
                connection.close()


def _cpu(target: Target, before: float | None, number: int, name: str) -> dict[str, float]:
    now = process.cpu(*target.pids)
    return {} if now is None or before is None else {name: (now - before) * 1000 / number}


def _sure(head: bytes, target: Target) -> None:
    if target.sign not in head or b" 200 " not in head:
        raise BenchError(f"{target.sign!r} is not in the head of a reply: {head!r}")
