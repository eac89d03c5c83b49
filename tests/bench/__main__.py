"""`python tests/bench [--quick]`: mitmcache beside bare mitmdump, on this machine, with no network."""

import argparse
import asyncio
import json
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
sys.path[0:1] = [str(ROOT / "tests"), str(ROOT / "addon")]

from bench import plot, scenes, traffic  # noqa: E402
from bench.measure import BenchError, Target  # noqa: E402
from bench.scenes import FULL, QUICK, Size, Stage  # noqa: E402
from bench.table import Report  # noqa: E402
from bench.upstream import Upstream  # noqa: E402
from mitmcache.demo import certificate  # noqa: E402
from mitmcache.demo.proxy import Proxy  # noqa: E402
from mitmcache.launch.proxy import ProxyError  # noqa: E402

BARE = Path(__file__).with_name("bare.py")
BLIND = Path(__file__).with_name("blind.py")
# ours pins the first; and what is logged or printed for each flow is not what is compared
ALIKE = {"connection_strategy": "lazy", "flow_detail": "0", "termlog_verbosity": "warn"}
# as what is installed is, mitmproxy among it: else a start would be compared that compiles all of ours anew
COMPILED = {"PYTHONDONTWRITEBYTECODE": ""}
LIMIT = {QUICK: 120.0, FULL: 1800.0}
"""Seconds for all of it, start and end included."""
LITELLM = 900.0
"""Seconds more for what --with-litellm installs."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="less exact, in under two minutes; else about twelve"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw the ratios")
    parser.add_argument(
        "--with-litellm", action="store_true", help="measure LiteLLM too, installed for it and thrown away"
    )
    asked = parser.parse_args()
    size = QUICK if asked.quick else FULL
    limit = LIMIT[size] + LITELLM * asked.with_litellm
    report = Report(size.rounds.number, size.rounds.seconds)
    status = 0
    with TemporaryDirectory(prefix="mitmcache-bench-") as folder:
        try:
            asyncio.run(asyncio.wait_for(_bench(Path(folder), size, report, asked.with_litellm), limit))
        except KeyboardInterrupt:
            return 130
        except TimeoutError:
            sys.stderr.write(f"stopped: {limit:.0f} s are over, or a wait in it was too long\n")
            status = 1
        except (BenchError, OSError) as error:
            sys.stderr.write(f"{error}\n")
            status = 1
    if asked.json:
        asked.json.write_text(json.dumps(report.as_json(), indent=2) + "\n", encoding="utf-8")
    if asked.svg:
        caption = f"mitmcache {report.about['mitmcache']} beside bare mitmdump {report.about['mitmproxy']}"
        asked.svg.write_text(plot.svg(report.sections, caption), encoding="utf-8")
    return status


async def _bench(folder: Path, size: Size, report: Report, with_litellm: bool) -> None:
    pem, answer = folder / "upstream.pem", folder / "answer.json"
    certificate.make(pem, traffic.CHAT_HOST, traffic.AGENT_HOST)
    answer.write_bytes(traffic.chat_answer())
    async with Upstream(pem) as upstream, AsyncExitStack() as stack:

        def proxy(script: Path | None, answer: str = "", **options: str) -> Proxy:
            return Proxy(
                folder / "confdir",
                upstream.port,
                pem,
                script=script,
                options={**ALIKE, **options},
                environment={"BENCH_ANSWER": answer, "PYTHONPATH": str(ROOT / "addon"), **COMPILED},
            )

        def ours(name: str, script: Path | None = None, **options: str) -> Proxy:
            return proxy(script, llm_data_dir=str(folder / name), **options)

        async def start(made: Proxy) -> Target:
            await stack.enter_async_context(made)
            return Target(made.port, made.ca_file, pid=made.pid)

        try:
            # the first one makes the authority that the others share
            first = await start(ours("data", llm_log_file=str(folder / "calls.jsonl")))
            second, blind, answering, forwarding = await asyncio.gather(
                start(ours("second")),
                start(ours("blind", BLIND, llm_history="off")),
                start(proxy(BARE, str(answer))),
                start(proxy(BARE)),
            )
            direct = Target(upstream.port, pem, proxied=False)
            starts = (lambda turn: _started(proxy(BARE)), lambda turn: _started(ours(f"start{turn}")))
            targets = (first, second, blind, answering, forwarding, direct)
            stage = Stage(size, upstream, *targets, starts, ours, folder, pem)
            await scenes.play(stage, report, with_litellm=with_litellm)
        except ProxyError as error:
            raise BenchError(str(error)) from None


async def _started(made: Proxy) -> Proxy:
    """Whoever gets it ends it."""
    try:
        return await made.__aenter__()
    except ProxyError as error:
        raise BenchError("\n  ".join([f"{error}; its last lines:", *list(made.lines)[-20:]])) from None


if __name__ == "__main__":
    sys.exit(main())
