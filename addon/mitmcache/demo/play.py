"""Runs the same program three times through the proxy, and notes where its answers came from."""

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from mitmcache.demo import certificate, report
from mitmcache.demo.proxy import Proxy
from mitmcache.demo.report import Run
from mitmcache.demo.upstream import Upstream
from mitmcache.launch.environment import unproxied
from mitmcache.launch.proxy import ProxyError

HOST = "api.openai.com"
DEADLINE = 60.0
"""Seconds for one run of the program."""


class DemoError(Exception):
    """Something was not as the demo promises."""


def main() -> int:
    """The exit code: 0 only when all was as promised."""
    proxies: list[Proxy] = []
    with TemporaryDirectory(prefix="mitmcache-demo-") as folder:
        try:
            asyncio.run(_until_signalled(Path(folder), proxies))
        except KeyboardInterrupt:
            return 128 + signal.SIGINT
        except asyncio.CancelledError:
            return 128 + signal.SIGTERM
        except (DemoError, ProxyError, OSError) as error:
            report.failure(str(error), proxies[-1].lines if proxies else ())
            return 1
    return 0


async def _until_signalled(folder: Path, proxies: list[Proxy]) -> None:
    task = asyncio.current_task()
    assert task
    # asyncio.run sees to Ctrl-C alone; these too must not leave a process or a file behind
    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    await _play(folder, proxies)


async def _play(folder: Path, proxies: list[Proxy]) -> None:
    """Puts each proxy that it starts into `proxies`, for whoever wants to read its log."""
    pem = folder / "upstream.pem"
    certificate.make(pem, HOST)
    report.introduce(HOST)
    runs: list[Run] = []
    async with Upstream(pem) as upstream:

        def proxy() -> Proxy:
            options = {"llm_data_dir": str(folder / "data")}
            proxies.append(Proxy(folder / "confdir", upstream.port, pem, options=options))
            return proxies[-1]

        async def run(name: str, through: Proxy, tier: str) -> None:
            before = upstream.calls
            told = await _ask(through)
            runs.append(told)
            report.row(runs, name, "the upstream" if upstream.calls > before else f"the cache, {tier}")

        async with proxy() as running:
            await run("the first time", running, "memory")
            await run("again", running, "memory")
        async with proxy() as running:
            # a new process remembers nothing: what it answers is from the disk
            await run("after a proxy restart", running, "disk")
        check(runs, upstream.calls)
        report.conclude(runs, upstream.calls)


async def _ask(proxy: Proxy) -> Run:
    """Runs the program once, in an environment that says nothing but how to reach the proxy."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mitmcache.demo.ask"),
        env={
            **unproxied(kept),
            "HTTPS_PROXY": proxy.url,
            "SSL_CERT_FILE": str(proxy.ca_file),
            "OPENAI_API_KEY": "none-needed",
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        },
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), DEADLINE)
    except TimeoutError:
        raise DemoError(f"the program did not end within {DEADLINE:.0f} s") from None
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode:
        last = err.decode(errors="replace").strip().splitlines()[-1:]
        raise DemoError(f"the program failed: {' '.join(last) or f'exit code {process.returncode}'}")
    try:
        return Run(**json.loads(out))
    except (ValueError, TypeError):
        raise DemoError(f"the program said {out[:200]!r}") from None


def check(runs: list[Run], calls: int) -> None:
    """Raises DemoError where the runs were not what the demo is there to show."""
    words = [run.x_cache or "nothing" for run in runs]
    if words != ["MISS", "HIT", "HIT"]:
        raise DemoError(f"x-cache should have been MISS, HIT, HIT; it was {', '.join(words)}")
    if len({(run.id, run.text) for run in runs}) != 1:
        raise DemoError("the three runs did not get the same answer")
    if calls != 1:
        raise DemoError(f"the upstream should have been called once, and was called {calls} times")
