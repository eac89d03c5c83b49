"""pytest's hooks: a test marked `mitmcache` has its LLM calls recorded once, and replayed from then on.

What the marks mean is in marks.py, what happens to a test in session.py. Until a marked test runs, none of
that which does the work is imported.
"""

import os
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from mitmcache.pytest_plugin import marks

if TYPE_CHECKING:
    from mitmcache.pytest_plugin.session import Running, Session

MARK = (
    "mitmcache(mode, path): record the test's LLM calls once, and replay them from then on, with no key and "
    "no network. mode: record, replay or live; path: of the recording (.tar), or a folder of recordings."
)
_session: "pytest.StashKey[Session]" = pytest.StashKey()
_wanted: pytest.StashKey[marks.Wanted] = pytest.StashKey()
_running: "pytest.StashKey[Running]" = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("mitmcache", "recorded LLM calls")
    group.addoption(
        "--mitmcache",
        choices=marks.MODES,
        default="",
        help="for the tests marked mitmcache: record: always ask the provider, and rewrite the recording; "
        "replay: never ask; live: as if there were no mark. By default what is not recorded yet is recorded, "
        "and all else replayed; where CI is set, nothing is recorded.",
    )
    parser.addini(
        "mitmcache_options",
        "options of the proxy, `name=value` a line, such as llm_hosts=localhost:8000=openai",
        type="linelist",
        default=[],
    )


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    from mitmcache.pytest_plugin import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARK)
    _options(config)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    taken: dict[str, str] = {}
    for item in items:
        if item.get_closest_marker("mitmcache") is None:
            continue
        try:
            wanted = marks.read((mark.args, mark.kwargs) for mark in item.iter_markers("mitmcache"))
        except marks.BadMark as error:
            raise pytest.UsageError(f"{item.nodeid}: mitmcache {error}") from None
        item.stash[_wanted] = wanted
        path = str(marks.place(item.path, _name(item), wanted.path)).casefold()
        other = taken.setdefault(path, item.nodeid)
        if other != item.nodeid:
            raise pytest.UsageError(f"{item.nodeid} and {other} have one recording: give each its own path")


def pytest_report_collectionfinish(config: pytest.Config, items: list[pytest.Item]) -> str | list[str]:
    said = config.getoption("--mitmcache")
    if said and items and not any(_wanted in item.stash for item in items):
        return f"mitmcache: none of these tests is marked mitmcache, so --mitmcache={said} does nothing"
    return []


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before its fixtures are made: they may make clients. No wrapper, which must not fail here."""
    if _wanted in item.stash:
        _begin(item, item.stash[_wanted])


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: "pytest.FixtureDef[Any]", request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    session = request.config.stash.get(_session, None)
    if session is None or fixturedef.scope == "function":
        return (yield)
    with session.preparing(fixturedef):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    running = item.stash.get(_running, None)
    if running is None:
        return (yield)
    from mitmcache.pytest_plugin.session import TestFailed

    session = item.config.stash[_session]
    try:
        result = yield
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # those of pytest.fail and pytest.skip are no Exception
        _judge_failed(session, running)
        raise
    try:
        session.judge(running, passed=True)
    except TestFailed as error:
        running.told.clear()
        failure = str(error)
    else:
        return result
    pytest.fail(failure, pytrace=False)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    try:
        return (yield)
    finally:
        running = item.stash.get(_running, None)
        if running is not None:
            del item.stash[_running]
            item.config.stash[_session].end(running)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    running = item.stash.get(_running, None)
    if running is not None and report.failed and running.began:
        if call.when == "setup":  # of its fixtures: the test itself is not run
            _judge_failed(item.config.stash[_session], running)
        if call.when != "teardown" and running.told:
            report.sections.append(("mitmcache", "\n".join(running.told)))
    return report


def pytest_unconfigure(config: pytest.Config) -> None:
    session = config.stash.get(_session, None)
    if session is not None:
        session.stop()


def _judge_failed(session: "Session", running: "Running") -> None:
    from mitmcache.pytest_plugin.session import TestFailed

    try:
        session.judge(running, passed=False)
    except TestFailed as error:
        running.told.append(str(error))


def _begin(item: pytest.Item, wanted: marks.Wanted) -> None:
    path = marks.place(item.path, _name(item), wanted.path)
    said = item.config.getoption("--mitmcache")
    mode = marks.decide(said, wanted.mode, in_ci=marks.is_ci(os.environ), exists=path.is_file())
    if mode == "live":
        return
    from mitmcache.pytest_plugin.session import Running, Session, TestFailed

    session = item.config.stash.setdefault(_session, Session(_options(item.config)))
    item.stash[_running] = Running(item, mode, path)
    failure = ""
    try:
        session.begin(item.stash[_running])
    except TestFailed as error:
        failure = f"mitmcache: {error}"
    if failure:
        pytest.fail(failure, pytrace=False)


def _name(item: pytest.Item) -> str:
    """With its class and its parameters, without its file."""
    return item.nodeid.partition("::")[2] or item.name


def _options(config: pytest.Config) -> dict[str, str]:
    return dict(_pairs(config.getini("mitmcache_options")))


def _pairs(lines: list[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        name, equals, value = line.partition("=")
        if not equals or not name.strip():
            raise pytest.UsageError(f"mitmcache_options: {line!r} is not name=value")
        yield name.strip(), value.strip()
