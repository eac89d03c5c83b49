"""The gauge of calls in flight goes back, whoever ends a call."""

import socket
import ssl
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

import exchanges
from e2e.answers import Gate
from e2e.client import answer_of, client, register, request, send, trusting
from e2e.conftest import MakeProxy
from e2e.proxy import ProxyProcess
from e2e.upstream import ScriptedUpstream
from exchanges import Exchange

DEADLINE = 60.0
STREAM = exchanges.openai.CHAT_STREAM


def in_flight(proxy: ProxyProcess) -> int:
    with client(proxy) as through:
        text = through.get("http://llm.cache/metrics").text
    [line] = [line for line in text.splitlines() if line.startswith("mitmcache_in_flight_requests ")]
    return int(float(line.split()[1]))


def comes_to(proxy: ProxyProcess, expected: int) -> None:
    end = time.monotonic() + DEADLINE
    while (found := in_flight(proxy)) != expected:
        assert time.monotonic() < end, f"{found} in flight, never {expected}\n{proxy.tail()}"
        time.sleep(0.02)


@pytest.mark.parametrize("h2", [False, True], ids=["HTTP/1.1", "HTTP/2"])
@pytest.mark.parametrize("when", ["before the head", "in the middle"])
def test_a_client_that_leaves_is_in_flight_no_more(
    proxy: ProxyProcess, upstream: ScriptedUpstream, word: str, h2: bool, when: str
) -> None:
    exchange, gate = STREAM.saying(word), Gate()
    early = when == "before the head"
    answer = answer_of(exchange)
    register(upstream, exchange, replace(answer, head_gate=gate) if early else replace(answer, gate=gate))
    if not early:
        gate.open()
    with client(proxy, h2=h2) as through:
        if early:
            with pytest.raises(httpx.ReadTimeout):
                through.send(slow(exchange), stream=True)
        else:
            reply = through.send(request(exchange), stream=True)
            comes_to(proxy, 1)
            reply.close()
    comes_to(proxy, 0)
    gate.open_for_good()


def slow(exchange: Exchange) -> httpx.Request:
    made = request(exchange)
    made.extensions["timeout"] = {"connect": DEADLINE, "read": 0.2, "write": DEADLINE, "pool": DEADLINE}
    return made


def test_calls_that_a_script_kills_are_in_flight_no_more(
    make_proxy: MakeProxy, upstream: ScriptedUpstream, tmp_path: Path, word: str
) -> None:
    proxy = make_proxy(block_list=":~m POST:444")
    register(upstream, STREAM.saying(word))
    with client(proxy) as through, pytest.raises(httpx.TransportError):
        send(through, STREAM.saying(word))
    comes_to(proxy, 0)


def test_a_client_that_leaves_in_its_request_is_in_flight_no_more(proxy: ProxyProcess) -> None:
    with closing(connected(proxy, STREAM.host)) as half:
        half.sendall(
            f"POST {STREAM.path} HTTP/1.1\r\nHost: {STREAM.host}\r\nContent-Length: 99\r\n\r\n".encode()
        )
        comes_to(proxy, 1)
    comes_to(proxy, 0)


def connected(proxy: ProxyProcess, host: str) -> ssl.SSLSocket:
    raw = socket.create_connection(("127.0.0.1", proxy.port), DEADLINE)
    raw.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode())
    assert raw.recv(4096).startswith(b"HTTP/1.1 200")
    return trusting(proxy.ca_file).wrap_socket(raw, server_hostname=host)
