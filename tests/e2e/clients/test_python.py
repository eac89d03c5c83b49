"""Clients in Python, unchanged, from an environment of their own, through the proxy that runs.

The second run of a program is all hits and says the same, and nobody warns of anything.
"""

import os
import re
import tempfile
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from e2e.clients import packages
from e2e.clients.table import CLIENTS, Client, run, teach
from e2e.programs import User, user
from e2e.proxy import ProxyProcess, Stats
from e2e.upstream import ScriptedUpstream

pytestmark = pytest.mark.timeout(3 * packages.DEADLINE)
AT_ONCE = 2


@dataclass(frozen=True)
class Run:
    """`calls` of it have reached the provider."""

    code: int
    stdout: str
    stderr: str
    calls: int


@pytest.fixture(scope="module")
def python() -> Iterator[Path]:
    """Skips where the packages are not to be had; in the gate that is a failure."""
    # with a space, as people have them: pip and uv then write the first lines of scripts in another way
    with tempfile.TemporaryDirectory(prefix="mitmcache clients ") as folder:
        try:
            made = packages.install(Path(folder))
        except packages.NotInstalled as error:
            give_up = pytest.fail if os.environ.get("CI") else pytest.skip
            give_up(f"the clients cannot be installed: {error}")
        yield made


@pytest.fixture(scope="module")
def anna(tmp_path_factory: pytest.TempPathFactory, confdir: Path, upstream_session: ScriptedUpstream) -> User:
    upstream_session.reset()
    teach(upstream_session)
    return user(tmp_path_factory.mktemp("clients") / "anna", confdir, upstream_session)


@pytest.fixture(scope="module")
def running(anna: User) -> Iterator[ProxyProcess]:
    """Where `exec` looks for one."""
    options = {"llm_data_dir": str(anna.data), "llm_hosts": "localhost:11434=ollama"}
    with ProxyProcess(anna.upstream, anna.home / "proxy", anna.confdir, options) as proxy:
        yield proxy
    assert not proxy.crashes, proxy.log


def judged(stats: Stats, count: int) -> bool:
    """So many replies have been stored, or are not to be."""
    return bool(stats["stored"] + sum(stats["dropped"].values()) >= count)


@pytest.fixture(scope="module")
def runs(python: Path, anna: User, running: ProxyProcess) -> dict[str, list[Run]]:
    """Of each client two, all of the first ones before the second ones."""
    asked = {client.name: uuid.uuid4().hex for client in CLIENTS}
    found: dict[str, list[Run]] = {client.name: [] for client in CLIENTS}
    for _ in range(2):
        before = len(anna.upstream.seen)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            ended = list(pool.map(lambda client: run(client, python, asked[client.name], anna), CLIENTS))
        seen = [call.body for call in anna.upstream.seen]
        running.wait_stats(partial(judged, count=len(seen)))
        for client, done in zip(CLIENTS, ended, strict=True):
            calls = sum(asked[client.name].encode() in body for body in seen[before:])
            found[client.name].append(Run(done.returncode, done.stdout, done.stderr, calls))
    return found


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_the_second_run_of_a_client_is_all_hits(client: Client, runs: dict[str, list[Run]]) -> None:
    first, second = runs[client.name]
    assert (first.code, second.code) == (0, 0), first.stderr + second.stderr
    assert len(first.stdout.splitlines()) == first.calls == client.calls
    assert (second.stdout, second.calls) == (first.stdout, 0)
    # counts of all that ran at the time
    for said in (first.stderr, second.stderr):
        assert re.fullmatch(r"mitmcache: \d+ hits?, \d+ miss(es)?(, [^\n]+ saved)?\n", said), said


def test_of_all_the_calls_of_the_clients_none_is_lost(
    runs: dict[str, list[Run]], running: ProxyProcess
) -> None:
    calls = sum(client.calls for client in CLIENTS)
    stats = running.stats()
    assert (stats["misses"], stats["stored"], stats["hits"]) == (calls, calls, calls)
    assert not stats["dropped"] and not stats["bypassed"]


def test_doctor_knows_what_a_client_with_a_command_runs_on(
    python: Path, anna: User, running: ProxyProcess
) -> None:
    done = anna.run("doctor", "--", str(python.with_name("llm")))
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^ok +Python [0-9.]+ reaches the proxy and trusts its CA$", done.stdout, re.MULTILINE)
    assert re.search(r"^note .*aiohttp.*\n +-> .*trust_env=True", done.stdout, re.MULTILINE)
