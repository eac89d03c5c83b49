"""One test after another: what the proxy is told before it, and what is told of it afterwards."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from mitmcache.pytest_plugin import environ, scrub
from mitmcache.pytest_plugin.launch import Launched, ProxyFailed
from mitmcache.pytest_plugin.marks import Mode

type Fixture = pytest.FixtureDef[Any]
RECORD = "to record it: pytest --mitmcache=record"


class TestFailed(Exception):
    """What became of the test's calls; in words for whoever runs the tests."""

    __test__ = False


@dataclass
class Running:
    """The test that is running, from when it `began` on. `told` is for its report."""

    item: pytest.Item
    mode: Mode
    path: Path
    began: bool = False
    patch: pytest.MonkeyPatch = field(default_factory=pytest.MonkeyPatch)
    told: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a fixture asked that outlives the test it was made for: every test that uses it records that, so
    that each can be replayed by itself."""

    bundle: Path
    told: Mapping[str, Any]


class Session:
    """`options` are the proxy's, which is started by the first test."""

    def __init__(self, options: Mapping[str, str]) -> None:
        self._options = options
        self._proxy: Launched | None = None
        self._broken = ""
        self._running: Running | None = None
        self._prepared: dict[Fixture, Prepared] = {}
        self._numbers = count()

    def begin(self, running: Running) -> None:
        """Raises TestFailed. From now on `end` is wanted."""
        if running.mode == "replay" and not running.path.is_file():
            raise TestFailed(f"there is no recording {running.path}; {RECORD}")
        try:
            proxy = self._started()
            replay = running.mode == "replay"
            bundles = [running.path] if replay else [one.bundle for one in self._used(running.item)]
            told = proxy.tell("begin", mode=running.mode, bundles=[str(path) for path in bundles])
        except ProxyFailed as error:
            raise TestFailed(str(error)) from None
        try:
            wanted = environ.variables(os.environ, proxy.url, proxy.ca, proxy.hosts, proxy.folder)
        except (OSError, ValueError) as error:
            raise TestFailed(f"the CA files for programs cannot be made: {error}") from None
        wanted |= environ.stand_ins(os.environ, told["variables"])
        for name, value in wanted.items():
            running.patch.setenv(name, value)
        running.began, self._running = True, running

    @contextmanager
    def preparing(self, fixture: Fixture) -> Iterator[None]:
        """While a fixture is made that other tests will have too."""
        if self._running is None or self._proxy is None:
            yield
            return
        mark, told = 0, {"calls": 0}
        # a proxy that has died is told of when the test is judged
        with suppress(ProxyFailed):
            mark = self._proxy.tell("mark")["mark"]
        yield
        bundle = self._proxy.folder / f"prepared-{next(self._numbers)}.tar"
        with suppress(ProxyFailed):
            told = self._proxy.tell("save", bundle=str(bundle), since=mark)
        if told["calls"]:
            self._prepared[fixture] = Prepared(bundle, told)
            fixture.addfinalizer(partial(self._prepared.pop, fixture, None))
        else:
            bundle.unlink(missing_ok=True)

    def judge(self, running: Running, *, passed: bool) -> None:
        """Once the test is through: writes its recording where that is due. Raises TestFailed."""
        assert self._proxy
        saved = self._proxy.folder / "recorded.tar"
        recording = running.mode == "record" and passed
        try:
            told = self._proxy.tell("save", bundle=str(saved) if recording else None)
            refused = [f"{what}: not an inference call, so refused" for what in told["refused"]]
            running.told += [*told["lost"], *refused]
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
        self._running = None
        if self._proxy:
            try:
                self._proxy.tell("rest", mode=running.mode)
            except ProxyFailed as error:
                self._broken = str(error)

    def stop(self) -> None:
        proxy, self._proxy = self._proxy, None
        if proxy:
            proxy.stop()

    def _used(self, item: pytest.Item) -> list[Prepared]:
        names = getattr(item, "fixturenames", ())
        return [one for fixture, one in self._prepared.items() if fixture.argname in names]

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

    def _keep(self, running: Running, saved: Path, told: Mapping[str, Any]) -> None:
        # here, since it takes what a session that only replays need not load
        from mitmcache.bundle.notes import Notes
        from mitmcache.pytest_plugin import recording

        hidden = scrub.secrets(os.environ, frozenset({environ.DUMMY}))
        all_told = [one.told for one in self._used(running.item)] + [told]
        secrets = {digest for one in all_told for digest in one["secrets"]}
        requests = {key: request for one in all_told for key, request in one["requests"].items()}
        notes = Notes(environ.used(os.environ, secrets), requests)
        also = partial(_by_hook, running.item)
        try:
            written = recording.write(saved, running.path, notes, hidden, also)
        except recording.Leak as error:
            raise TestFailed(
                f"nothing was recorded: {error}. Take it out with the hook pytest_mitmcache_scrub"
            ) from None
        except OSError as error:
            where = error.filename or running.path
            raise TestFailed(f"nothing was recorded: {where}: {error.strerror}") from None
        if not written.answers:
            _warn(
                running.item,
                "no LLM call was recorded; is the client made before the test? Make it in the test or in a "
                "fixture",
            )
        if written.replaced:
            names = ", ".join(written.replaced)
            _warn(running.item, f"an answer held the value of {names}: REDACTED stands for it when replayed")


def _warn(item: pytest.Item, what: str) -> None:
    try:
        item.warn(pytest.PytestWarning(f"mitmcache: {what}"))
    except pytest.PytestWarning as error:  # the project has warnings be errors
        raise TestFailed(str(error)) from None


def _by_hook(item: pytest.Item, data: bytes) -> bytes:
    kept = item.ihook.pytest_mitmcache_scrub(item=item, data=data)
    return data if kept is None else bytes(kept)


def _list(what: str, calls: list[str], end: str) -> str:
    return "\n".join([f"mitmcache: {what}:", *(f"  {call}" for call in calls), f"({end})"])
