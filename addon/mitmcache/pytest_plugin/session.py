"""One test after another: what the proxy is told before it, and what is told of it afterwards."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from mitmcache.pytest_plugin import environ, scrub
from mitmcache.pytest_plugin.launch import Launched, ProxyFailed
from mitmcache.pytest_plugin.marks import Mode

RECORD = "to record it: pytest --mitmcache=record"


class TestFailed(Exception):
    """What became of the test's calls; in words for whoever runs the tests."""

    __test__ = False


@dataclass
class Running:
    """The test that is running. `told` is for its report."""

    item: pytest.Item
    mode: Mode
    path: Path
    patch: pytest.MonkeyPatch = field(default_factory=pytest.MonkeyPatch)
    told: list[str] = field(default_factory=list)


class Session:
    """`options` are the proxy's, which is started by the first test."""

    def __init__(self, options: Mapping[str, str]) -> None:
        self._options = options
        self._proxy: Launched | None = None
        self._broken = ""

    def begin(self, running: Running) -> None:
        """Raises TestFailed. From now on `end` is wanted."""
        if running.mode == "replay" and not running.path.is_file():
            raise TestFailed(f"there is no recording {running.path}; {RECORD}")
        try:
            proxy = self._started()
            bundle = str(running.path) if running.mode == "replay" else None
            told = proxy.tell("begin", mode=running.mode, bundle=bundle)
        except ProxyFailed as error:
            raise TestFailed(str(error)) from None
        try:
            wanted = environ.variables(os.environ, proxy.url, proxy.ca, proxy.hosts, proxy.folder)
        except (OSError, ValueError) as error:
            raise TestFailed(f"the CA files for programs cannot be made: {error}") from None
        wanted |= environ.stand_ins(os.environ, told["variables"])
        for name, value in wanted.items():
            running.patch.setenv(name, value)

    def judge(self, running: Running, *, passed: bool) -> None:
        """Once the test is through: writes its recording where that is due. Raises TestFailed."""
        assert self._proxy
        saved = self._proxy.folder / "recorded.tar"
        recording = running.mode == "record" and passed
        try:
            told = self._proxy.tell("save", bundle=str(saved) if recording else None)
            said = [*told["missed"], *told["lost"]]
            running.told += said + [f"{what}: not an inference call, so refused" for what in told["refused"]]
            if told["missed"]:
                raise TestFailed(_list("not in the recording", told["missed"], f"{running.path}; {RECORD}"))
            if recording and told["lost"]:
                raise TestFailed(_list("it cannot be replayed", told["lost"], "nothing was recorded"))
            if recording:
                self._keep(running, saved, told)
        except ProxyFailed as error:
            raise TestFailed(str(error)) from None
        finally:
            saved.unlink(missing_ok=True)

    def end(self, running: Running) -> None:
        """Until the next test, what is left of this one goes nowhere if it was replayed."""
        running.patch.undo()
        if self._proxy:
            try:
                self._proxy.tell("rest", mode=running.mode)
            except ProxyFailed as error:
                self._broken = str(error)

    def stop(self) -> None:
        proxy, self._proxy = self._proxy, None
        if proxy:
            proxy.stop()

    def _started(self) -> Launched:
        if self._broken:  # each test would wait for the same failure
            raise ProxyFailed(self._broken)
        if self._proxy is None:
            try:
                self._proxy = Launched(self._options)
            except ProxyFailed as error:
                self._broken = str(error)
                raise
        return self._proxy

    def _keep(self, running: Running, saved: Path, told: Mapping[str, list[str]]) -> None:
        # here, since it takes what a session that only replays need not load
        from mitmcache.pytest_plugin import recording

        hidden = scrub.secrets(os.environ, frozenset({environ.DUMMY}))
        notes = {"variables": environ.used(os.environ, told["secrets"]), "requests": told["requests"]}
        also = partial(_by_hook, running.item)
        try:
            count = recording.write(saved, running.path, notes, hidden, also)
        except recording.Leak as error:
            raise TestFailed(
                f"nothing was recorded: {error}. Take it out with the hook pytest_mitmcache_scrub"
            ) from None
        except OSError as error:
            where = error.filename or running.path
            raise TestFailed(f"nothing was recorded: {where}: {error.strerror}") from None
        if not count:
            running.item.warn(
                pytest.PytestWarning(
                    "mitmcache: no LLM call was recorded; is the client made before the test? "
                    "Make it in the test or in a fixture"
                )
            )


def _by_hook(item: pytest.Item, data: bytes) -> bytes:
    kept = item.ihook.pytest_mitmcache_scrub(item=item, data=data)
    return data if kept is None else bytes(kept)


def _list(what: str, calls: list[str], end: str) -> str:
    return "\n".join([f"mitmcache: {what}:", *(f"  {call}" for call in calls), f"({end})"])
