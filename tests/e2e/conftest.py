"""One upstream for the session; a proxy for the module, or as many as a test needs."""

import uuid
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

import exchanges
from e2e import certs
from e2e.bucket import Fleet, running_fleet
from e2e.client import client
from e2e.proxy import ProxyProcess, Tool
from e2e.recorded import RecordedUpstream
from e2e.upstream import ScriptedUpstream
from s3.server import S3Server

OTHERS = ("plain.example", "*.plain.example", "llm.corp.example", "xn--bcher-kva.example")

type MakeProxy = Callable[..., ProxyProcess]


@pytest.fixture(scope="session")
def upstream_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScriptedUpstream]:
    names = {exchange.host.partition(":")[0] for exchange in exchanges.ALL} | set(OTHERS)
    made = certs.make(tmp_path_factory.mktemp("upstream"), sorted(names))
    with ScriptedUpstream(made) as upstream:
        yield upstream


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RecordedUpstream]:
    with RecordedUpstream(tmp_path_factory.mktemp("recorded")) as upstream:
        yield upstream


@pytest.fixture
def upstream(upstream_session: ScriptedUpstream) -> ScriptedUpstream:
    """The upstream, knowing and having seen nothing."""
    upstream_session.reset()
    return upstream_session


@pytest.fixture
def fleet(
    upstream: ScriptedUpstream, confdir: Path, tmp_path: Path, s3_server: S3Server, bucket: str
) -> Iterator[Fleet]:
    """Proxies that share a new bucket."""
    with running_fleet(upstream, confdir, tmp_path, s3_server, bucket) as made:
        yield made


@pytest.fixture(scope="session")
def confdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All proxies of a session share their authority: making a key is the slowest part of a start."""
    return tmp_path_factory.mktemp("confdir")


@pytest.fixture(scope="module")
def proxy(
    upstream_session: ScriptedUpstream, confdir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ProxyProcess]:
    """The module's proxy, with every option at its default. Tests keep apart by what they ask."""
    with ProxyProcess(upstream_session, tmp_path_factory.mktemp("proxy"), confdir) as running:
        yield running
    assert not running.crashes, running.log


@pytest.fixture(scope="module")
def h1(proxy: ProxyProcess) -> Iterator[httpx.Client]:
    """An HTTP/1.1 client of the module's proxy."""
    with client(proxy) as through:
        yield through


@pytest.fixture(scope="module")
def h2(proxy: ProxyProcess) -> Iterator[httpx.Client]:
    """A client of the module's proxy that is served over HTTP/2."""
    with client(proxy, h2=True) as through:
        yield through


@pytest.fixture
def make_proxy(upstream: ScriptedUpstream, confdir: Path, tmp_path: Path) -> Iterator[MakeProxy]:
    """Makes a proxy of the test's own, ended with the test. `start=False`: for one that will not come up."""
    proxies: list[ProxyProcess] = []
    with ExitStack() as stack:

        def make(*, tool: Tool = "mitmdump", start: bool = True, **options: str) -> ProxyProcess:
            made = ProxyProcess(upstream, tmp_path / "proxy", confdir, options, tool)
            stack.callback(made.stop)
            if start:
                proxies.append(made.start())
            return made

        yield make
    assert not [made.log for made in proxies if made.crashes]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure shows what the proxy said."""
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        for name, value in item.funcargs.items():
            if isinstance(value, ProxyProcess):
                report.sections.append((f"last lines of {name}", value.tail()))
    return report


@pytest.fixture
def word() -> str:
    """A word that no other test says: what this test asks is in no cache."""
    return f"w{uuid.uuid4().hex}"
