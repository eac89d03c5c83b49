"""`python tests/bench [--quick]`: mitmcache beside bare mitmdump, on this machine, with no network."""

import argparse
import asyncio
import ssl
import sys
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
sys.path[0:1] = [str(ROOT / "tests"), str(ROOT / "addon")]

from bench import measure, table, traffic  # noqa: E402
from bench.measure import BenchError, Rounds, Target  # noqa: E402
from bench.upstream import Upstream  # noqa: E402
from mitmcache.demo import certificate  # noqa: E402
from mitmcache.demo.proxy import Proxy, ProxyError  # noqa: E402

BARE = Path(__file__).with_name("bare.py")
# ours pins the first; and what is logged or printed for each flow is not what is compared
ALIKE = {"connection_strategy": "lazy", "flow_detail": "0", "termlog_verbosity": "warn"}
QUICK, FULL = Rounds(3, 0.3), Rounds(5, 1.0)
LIMIT = {QUICK: 30.0, FULL: 120.0}
"""Seconds for all of it, start and end included."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less exact, in under half a minute")
    rounds = QUICK if parser.parse_args().quick else FULL
    table.title(rounds.number, rounds.seconds)
    with TemporaryDirectory(prefix="mitmcache-bench-") as folder:
        try:
            asyncio.run(asyncio.wait_for(_bench(Path(folder), rounds), LIMIT[rounds]))
        except KeyboardInterrupt:
            return 130
        except TimeoutError:
            sys.stderr.write(f"stopped: {LIMIT[rounds]:.0f} s are over, or a wait in it was too long\n")
            return 1
        except (BenchError, OSError) as error:
            sys.stderr.write(f"{error}\n")
            return 1
    return 0


async def _bench(folder: Path, rounds: Rounds) -> None:
    pem, answer = folder / "upstream.pem", folder / "answer.json"
    certificate.make(pem, traffic.CHAT_HOST, traffic.AGENT_HOST)
    answer.write_bytes(traffic.chat_answer())
    async with Upstream(pem) as upstream, AsyncExitStack() as stack:

        async def start(script: Path | None, answer: str = "", **options: str) -> Proxy:
            proxy = Proxy(
                folder / "confdir",
                upstream.port,
                pem,
                script=script,
                options={**ALIKE, **options},
                environment={"BENCH_ANSWER": answer},
            )
            try:
                return await stack.enter_async_context(proxy)
            except ProxyError as error:
                raise BenchError(
                    "\n  ".join([f"{error}; its last lines:", *list(proxy.lines)[-20:]])
                ) from None

        # the first one makes the authority that the others share
        ours = await start(None, llm_data_dir=str(folder / "data"))
        answering, forwarding = await asyncio.gather(start(BARE, str(answer)), start(BARE))
        through = _trusting(ours.ca_file)
        await _measure(
            rounds,
            upstream,
            ours=Target(ours.port, through, pid=ours.pid),
            answering=Target(answering.port, through, pid=answering.pid),
            forwarding=Target(forwarding.port, through, pid=forwarding.pid),
            direct=Target(upstream.port, _trusting(pem), proxied=False),
        )


async def _measure(
    rounds: Rounds, upstream: Upstream, *, ours: Target, answering: Target, forwarding: Target, direct: Target
) -> None:
    """Memory first: it wants processes that have done nothing yet."""
    if sys.platform == "linux":
        connections = 200 if rounds is FULL else 50
        grown = await measure.memory([forwarding, ours], upstream, connections)
        table.section("memory while streams are open, 100 events each", table.rows(*grown))
    hit, miss = replace(ours, sign=b"x-cache: HIT"), replace(ours, sign=b"x-cache: MISS")

    same, agent = traffic.chat_request(0), traffic.agent_request()
    for connections in (1, 16):
        found = await measure.requests([answering, hit], rounds, traffic.CHAT_HOST, lambda: same, connections)
        table.section(f"a hit, 1.7 kB answer, {_many(connections)}", table.rows(*found))
    found = await measure.requests([answering, hit], rounds, traffic.AGENT_HOST, lambda: agent, 1)
    table.section("a hit, an agent's 50 kB request, 1 connection", table.rows(*found))

    found = await measure.requests(
        [direct, forwarding, miss],
        rounds,
        traffic.CHAT_HOST,
        lambda: traffic.chat_request(next(measure.numbers)),
        1,
    )
    table.section(
        "a miss, kept; bare forwards; 1.7 kB answer, 1 connection", table.rows(*measure.over(*found))
    )
    for connections in (1, 16):
        streamed = await measure.streams([forwarding, miss], rounds, upstream, connections)
        pace = upstream.pace * 1000
        table.section(f"a stream, an event each {pace:.0f} ms, {_many(connections)}", table.rows(*streamed))


def _many(connections: int) -> str:
    return f"{connections} connection{'s' * (connections > 1)}"


def _trusting(authority: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authority)
    return context


if __name__ == "__main__":
    sys.exit(main())
