import asyncio
from collections.abc import Callable

import orjson
import pytest
from mitmproxy import exceptions, http
from mitmproxy.proxy.layers.http._hooks import HttpRequestHook, HttpResponseHeadersHook, HttpResponseHook

from addons.flows import Rig, flow
from addons.test_gateway import at_gateway, ended, led
from mitmcache.addons import asking
from mitmcache.addons.gateway import Gateway
from mitmcache.relay.origin import SECRET
from mitmcache.relay.server import Loopback, RelayError


@pytest.fixture
def no_dial(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a script has put something else in the place of the dials of this process."""

    async def fail(self: Loopback) -> int:
        raise RelayError("what is dialled in this process does not reach 127.0.0.1")

    monkeypatch.setattr(Loopback, "port", fail)


async def answered(rig: Rig, asked: http.HTTPFlow) -> http.Response:
    """By the whole pipeline, of which nobody behind the gateway hears anything."""
    await led(rig, asked)
    for hook in (HttpRequestHook, HttpResponseHeadersHook, HttpResponseHook):
        with pytest.raises(exceptions.AddonHalt):
            await rig.trigger(hook(asked))
    assert asked.response
    await ended(rig.get(Gateway))
    return asked.response


@pytest.mark.usefixtures("no_dial")
@pytest.mark.parametrize(
    ("made", "host"),
    [(lambda: at_gateway("/healthz"), 8082), (lambda: flow("GET", "http://llm.cache/readyz", b""), 0)],
    ids=["at the gateway port", "through the proxy"],
)
async def test_where_the_app_cannot_be_dialled_it_answers_all_the_same(
    rig: Rig, made: Callable[[], http.HTTPFlow], host: int
) -> None:
    response = await answered(rig, made())
    assert (response.status_code, orjson.loads(response.content or b"")) == (200, {"status": "ok"})
    assert response.headers["content-length"] == str(len(response.content or b""))
    assert not response.stream and SECRET not in response.headers


@pytest.mark.usefixtures("no_dial")
async def test_who_may_not_ask_is_refused_there_too(rig: Rig) -> None:
    response = await answered(rig, at_gateway("/api/about", host="evil.example:8082"))
    assert response.status_code == 421


@pytest.mark.usefixtures("no_dial")
async def test_a_listener_gets_what_there_was_in_a_moment(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MOMENT", 1.0)
    response = await answered(rig, at_gateway("/api/live"))
    assert (response.status_code, response.content) == (200, b"retry: 2000\n\n")


@pytest.mark.usefixtures("no_dial")
async def test_an_app_that_hangs_is_an_error_and_nothing_goes_upstream(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def hang(self: object) -> str:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(asking, "ANSWERING", 0.05)
    monkeypatch.setattr(type(rig.get(Gateway).place), "ready", hang)
    response = await answered(rig, at_gateway("/readyz"))
    assert response.status_code == 503 and "too long" in caplog.text
