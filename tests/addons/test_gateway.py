import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import NoReturn

import httpx
import pytest
from mitmproxy import exceptions, http
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import Layer, NextLayer
from mitmproxy.proxy.layers import modes
from mitmproxy.proxy.layers.http import HttpLayer
from mitmproxy.proxy.layers.http._hooks import (
    HttpErrorHook,
    HttpRequestHeadersHook,
    HttpRequestHook,
    HttpResponseHeadersHook,
    HttpResponseHook,
)

import ports
from addons.flows import Rig, flow, response
from addons.listening import listening
from mitmcache.addons import gateway as module
from mitmcache.addons import listeners
from mitmcache.addons.gateway import PINNED, Gateway
from mitmcache.addons.startup import Startup
from mitmcache.addons.trail import trail_of
from mitmcache.launch.note import TETHERED

DEADLINE = 60.0
SPEC = "reverse:http://llm.cache@127.0.0.1:{}"


@pytest.fixture
def port() -> int:
    return ports.free()


@asynccontextmanager
async def opened(rig: Rig, port: int) -> AsyncIterator[Gateway]:
    """The rig's proxy has begun with that gateway port, and ends."""
    rig.options.update(llm_gateway_port=str(port))
    gateway = rig.get(Gateway)
    async with listening(rig, "127.0.0.1"):
        await asyncio.wait_for(gateway.running(), DEADLINE)
        yield gateway
        await ended(gateway)


async def ended(gateway: Gateway) -> None:
    if closing := gateway.done():
        await asyncio.wait_for(closing, DEADLINE)


def at_gateway(path: str = "/", host: str = "localhost:8082", **headers: str) -> http.HTTPFlow:
    made = flow("GET", f"http://llm.cache{path}", b"", headers.items(), named=host, mode=SPEC.format(8082))
    made.client_conn.sockname = ("127.0.0.1", 8082)
    return made


async def led(rig: Rig, asked: http.HTTPFlow) -> http.HTTPFlow:
    with pytest.raises(exceptions.AddonHalt):
        await rig.trigger(HttpRequestHeadersHook(asked))
    return asked


async def test_it_listens_beside_what_the_user_has(
    rig: Rig, port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    users = ["regular", f"socks5@127.0.0.1:{ports.free()}"]
    rig.options.update(mode=users)
    async with opened(rig, port):
        assert rig.options.mode == [*users, SPEC.format(port)]
        assert listeners.gateway() == port
        assert len(listeners.addresses()) == 2 and ("127.0.0.1", port) not in listeners.addresses()
        rig.get(Startup).running()
    assert capsys.readouterr().err.endswith(f", dashboard http://127.0.0.1:{port}\n")


async def test_where_the_port_is_taken_the_proxy_runs_without(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        async with opened(rig, port):
            assert rig.options.mode == ["regular"] and listeners.gateway() == 0
    [line] = [each for each in caplog.records if each.name.startswith("mitmcache")]
    assert line.levelname == "WARNING" and f"127.0.0.1:{port}" in line.getMessage()
    assert "llm_gateway_port" in line.getMessage()


async def test_a_reload_finds_its_listener_again(
    rig: Rig, port: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(rig, port) as gateway:
        await asyncio.wait_for(gateway.running(), DEADLINE)
        assert rig.options.mode == ["regular", SPEC.format(port)] and listeners.gateway() == port
    assert "no dashboard" not in caplog.text


async def test_with_port_0_there_is_none(rig: Rig) -> None:
    async with opened(rig, 0):
        assert rig.options.mode == ["regular"]


async def test_a_proxy_that_ends_with_its_starter_has_none(
    rig: Rig, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, TETHERED, "1")
    async with opened(rig, port):
        assert rig.options.mode == ["regular"]


async def test_the_port_is_read_at_the_start_alone(rig: Rig, port: int) -> None:
    async with opened(rig, port):
        with pytest.raises(exceptions.OptionsError, match="llm_gateway_port: is read at the start"):
            rig.options.update(llm_gateway_port="1")
        rig.options.update(llm_gateway_port=str(port), llm_mode="off")


class _Any(Layer):
    def _handle_event(self, event: object) -> Iterator[object]:  # type: ignore[override]
        yield from ()


@pytest.mark.parametrize(
    ("mode", "under", "ours"),
    [
        (SPEC.format(8082), modes.ReverseProxy, True),
        (SPEC.format(8082), _Any, False),
        ("reverse:http://127.0.0.1:11434@8082", modes.ReverseProxy, False),
        ("reverse:http://llm.cache.example@8082", modes.ReverseProxy, False),
        ("regular", modes.HttpProxy, False),
    ],
)
async def test_the_host_that_a_client_names_is_kept_for_the_gateway_alone(
    rig: Rig, mode: str, under: type[Layer], ours: bool
) -> None:
    context = Context(flow(mode=mode).client_conn, rig.options)
    under(context)
    asked = NextLayer(context)
    rig.get(Gateway).next_layer(asked)
    assert isinstance(asked.layer, HttpLayer) == ours
    assert context.options.keep_host_header == ours
    assert context.options.connection_strategy == "lazy"
    assert rig.options.keep_host_header is False and set(PINNED) <= set(rig.options.keys())


@pytest.mark.parametrize(
    ("made", "host"),
    [
        (partial(at_gateway, "/api/about?x"), "localhost:8082"),
        (partial(at_gateway, "/healthz"), "localhost:8082"),
        (partial(at_gateway, "/", host="evil.example"), "evil.example"),
        (partial(flow, "GET", "http://llm.cache/api/about?x", b""), "llm.cache"),
        (partial(flow, "GET", "https://llm.cache/", b"", version="HTTP/2.0"), "llm.cache"),
    ],
    ids=["at the port", "health at the port", "another name", "through the proxy", "HTTP/2"],
)
async def test_what_is_asked_of_us_is_led_to_the_app_and_no_other_addon_hears_of_it(
    rig: Rig, made: Callable[[], http.HTTPFlow], host: str
) -> None:
    asked = made()
    path = asked.request.path
    await led(rig, asked)
    request = asked.request
    assert (request.scheme, request.host, request.path) == ("http", "127.0.0.1", path)
    assert (request.headers["host"], request.authority) == (host, "")
    assert asked.response is None and asked.server_conn.address == ("127.0.0.1", request.port)
    for hook in (HttpRequestHook(asked), HttpResponseHeadersHook(asked), HttpResponseHook(asked)):
        if isinstance(hook, HttpResponseHeadersHook):
            asked.response = response(b"x")
        with pytest.raises(exceptions.AddonHalt):
            await rig.trigger(hook)
    assert asked.response and asked.response.stream is True
    assert trail_of(asked).call is None and trail_of(asked).route is None
    await ended(rig.get(Gateway))


async def test_the_app_answers_who_comes_by_us_and_nobody_else(rig: Rig) -> None:
    asked = await led(rig, at_gateway("/healthz"))
    url = f"http://127.0.0.1:{asked.request.port}/healthz"
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        told = list(asked.request.headers.items())
        assert (await client.get(url, headers=told)).json() == {"status": "ok"}
        assert (await client.get(url, headers={"host": "localhost:8082"})).status_code == 403
    await ended(rig.get(Gateway))


async def test_nobody_can_say_that_he_came_another_way(rig: Rig) -> None:
    lied = await led(rig, at_gateway("/healthz", **{"x-mitmcache-came": "0", "x-mitmcache-relay": "0"}))
    assert lied.request.headers.get_all("x-mitmcache-came") == ["8082"]
    assert len(lied.request.headers.get_all("x-mitmcache-relay")) == 1
    await ended(rig.get(Gateway))


async def test_whatever_fails_it_does_not_go_upstream(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(place: object) -> NoReturn:
        raise OSError("no such file")

    monkeypatch.setattr(module, "_make", fail)
    asked = await led(rig, at_gateway("/"))
    assert asked.response and asked.response.status_code == 503


async def test_what_somebody_has_answered_stays_so(rig: Rig) -> None:
    """proxyauth has."""
    asked = at_gateway("/")
    asked.response = refused = response(b"no", status=401)
    await led(rig, asked)
    assert asked.response is refused and asked.request.host == "llm.cache"
    through = flow("GET", "http://llm.cache/", b"")
    through.response = refused = response(b"no", status=407)
    await rig.trigger(HttpRequestHeadersHook(through))
    assert through.response is refused


async def test_where_a_client_leaves_what_it_was_being_sent_ends(rig: Rig) -> None:
    asked = await led(rig, at_gateway("/api/live"))
    url = f"http://127.0.0.1:{asked.request.port}/api/live"
    headers = list(asked.request.headers.items())
    async with (
        httpx.AsyncClient(trust_env=False, timeout=DEADLINE) as client,
        client.stream("GET", url, headers=headers) as live,
    ):
        pieces = live.aiter_raw()
        assert await anext(pieces) == b"retry: 2000\n\n"
        with pytest.raises(exceptions.AddonHalt):
            await rig.trigger(HttpErrorHook(asked))
        with pytest.raises(httpx.HTTPError):
            await asyncio.wait_for(anext(pieces), DEADLINE)
    await ended(rig.get(Gateway))


async def test_traffic_of_others_is_theirs(rig: Rig) -> None:
    for method, url in (
        ("GET", "https://api.openai.com/v1/models"),
        ("GET", "http://llm.cache/healthz"),
        ("GET", "http://llm.cache.example/"),
        ("POST", "http://llm.cache/api/purge"),
    ):
        asked = flow(method, url, b"")
        await rig.trigger(HttpRequestHeadersHook(asked))
        assert asked.request.host != "127.0.0.1"
