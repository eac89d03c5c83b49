"""The gateway port and `http://llm.cache/` as programs meet them; a browser does in test_dashboard.py."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import exchanges
import ports
from e2e.client import TIMEOUT, client, outcome, register, send, store
from e2e.conftest import MakeProxy
from e2e.proxy import ProxyProcess
from e2e.test_web import PASSWORD, flows, web
from e2e.upstream import ScriptedUpstream
from mitmcache.gateway.live import MOST_READERS


@pytest.fixture(scope="module")
def gate(
    upstream_session: ScriptedUpstream, confdir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ProxyProcess]:
    options = {"llm_gateway_port": str(ports.free()), "web_password": PASSWORD}
    folder = tmp_path_factory.mktemp("gate")
    with ProxyProcess(upstream_session, folder, confdir, options, "mitmweb") as running:
        yield running
    assert not running.crashes, running.log


@pytest.fixture
def api(gate: ProxyProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{port_of(gate)}", trust_env=False, timeout=TIMEOUT) as made:
        yield made


def port_of(proxy: ProxyProcess) -> int:
    return int(proxy.options["llm_gateway_port"])


def signed(proxy: ProxyProcess) -> dict[str, str]:
    return {"x-mitmcache-token": (proxy.data_dir / "gateway-token").read_text().strip()}


def test_what_is_asked_of_it_leaves_no_trace_among_the_traffic(gate: ProxyProcess, api: httpx.Client) -> None:
    before = gate.stats()
    for path in ("/", "/app.js", "/healthz", "/readyz", "/api/summary", "/api/store", "/metrics"):
        assert api.get(path).status_code == 200
    with httpx.Client(proxy=gate.url, trust_env=False, timeout=TIMEOUT) as through:
        assert through.get("http://llm.cache/api/about").json()["changes"] is False
        assert through.get("http://llm.cache/").headers["content-type"].startswith("text/html")
    with web(gate) as mitmweb:
        seen = {flow["request"]["path"] for flow in flows(mitmweb)}
    assert seen <= {"/stats"}
    assert gate.stats() == before
    with socket.create_connection(("127.0.0.1", port_of(gate)), TIMEOUT) as dialled:
        dialled.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % port_of(gate))
        assert dialled.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        name = ":".join(map(str, dialled.getsockname()))
    assert "client connect" in gate.log and name not in gate.log


def test_calls_are_told_as_they_end(
    gate: ProxyProcess, api: httpx.Client, upstream: ScriptedUpstream, word: str
) -> None:
    exchange = exchanges.openai.CHAT.saying(word)
    register(upstream, exchange)
    with api.stream("GET", "/api/live") as live, client(gate) as through:
        lines = live.iter_lines()
        assert next(lines) == "retry: 2000"
        assert [outcome(send(through, exchange)) for _ in range(2)] == ["MISS", "HIT"]
        told: list[str] = []
        while len(told) < 2:
            if (line := next(lines)).startswith("data: "):
                told += [call["verdict"] for call in json.loads(line.removeprefix("data: "))]
    assert told == ["MISS", "HIT"]


def test_a_reader_that_leaves_makes_room_for_another(api: httpx.Client) -> None:
    for _ in range(MOST_READERS + 1):
        with api.stream("GET", "/api/live") as live:
            assert live.status_code == 200 and next(live.iter_lines()) == "retry: 2000"


def raw(port: int, head: str) -> str:
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as dialled:
        dialled.sendall(head.replace("\n", "\r\n").encode() + b"Connection: close\r\n\r\n")
        reply = b""
        while piece := dialled.recv(1 << 16):
            reply += piece
    return reply.decode()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET / HTTP/1.1\nHost: evil.example\n", 421),
        ("GET / HTTP/1.1\nHost: llm.cache\n", 421),
        ("GET / HTTP/1.1\nHost: localhost\n", 421),
        ("GET http://localhost:{port}/healthz HTTP/1.1\nHost: evil.example:{port}\n", 421),
        ("GET http://plain.example/ HTTP/1.1\nHost: plain.example\n", 421),
        ("GET /healthz HTTP/1.1\nHost: localhost:{port}\n", 200),
        ("GET /healthz HTTP/1.1\nHost: localhost:{port}\nOrigin: http://evil.example\n", 403),
        ("GET /healthz HTTP/1.1\nHost: localhost:{port}\nSec-Fetch-Site: cross-site\n", 403),
        ("CONNECT plain.example:443 HTTP/1.1\nHost: localhost:{port}\n", 400),
    ],
)
def test_the_port_is_no_proxy_and_knows_its_names(
    gate: ProxyProcess, upstream: ScriptedUpstream, head: str, status: int
) -> None:
    reply = raw(port_of(gate), head.format(port=port_of(gate)))
    assert reply.startswith(f"HTTP/1.1 {status} "), reply
    assert upstream.seen == []


def test_a_purge_needs_the_token_and_is_obeyed_at_once(
    gate: ProxyProcess, api: httpx.Client, upstream: ScriptedUpstream, word: str
) -> None:
    exchange = exchanges.openai.CHAT.saying(word)
    register(upstream, exchange)
    with client(gate) as through:
        store(through, gate, exchange)
        assert outcome(send(through, exchange)) == "HIT"
        assert api.get("/api/purge?provider=openai").json()["entries"] >= 1
        assert api.post("/api/purge", json={"provider": "openai"}).status_code == 401
        assert outcome(send(through, exchange)) == "HIT"
        done = api.post("/api/purge", json={"provider": "openai"}, headers=signed(gate))
        assert done.json()["deleted"] >= 1
        assert outcome(send(through, exchange)) == "MISS"
    with httpx.Client(proxy=gate.url, trust_env=False, timeout=TIMEOUT) as through:
        refused = through.post("http://llm.cache/api/purge", json={"all": "true"}, headers=signed(gate))
    assert refused.status_code == 404 and "nothing can be changed" in refused.text


def test_where_the_port_is_taken_a_second_proxy_runs_all_the_same(
    gate: ProxyProcess, make_proxy: MakeProxy, upstream: ScriptedUpstream, word: str
) -> None:
    second = make_proxy(llm_gateway_port=str(port_of(gate)))
    exchange = exchanges.openai.CHAT.saying(word)
    register(upstream, exchange)
    with client(second) as through:
        assert [outcome(send(through, exchange)) for _ in range(2)] == ["MISS", "HIT"]
    second.stop()  # by then all that it has said is here
    [line] = [line for line in second.lines if "no dashboard" in line]
    assert str(port_of(gate)) in line and "dashboard http" not in second.log
