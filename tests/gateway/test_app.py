import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import Message

from gateway.places import PORT, TOKEN, MadeUp, asking
from journal.events import event
from mitmcache.gateway.app import CAME, App
from mitmcache.gateway.live import MOST_READERS
from mitmcache.gateway.security import proof
from mitmcache.relay.origin import NOBODY, SECRET

DEADLINE = 60.0


@pytest.fixture
def place(tmp_path: Path) -> MadeUp:
    return MadeUp(tmp_path)


PATHS = [
    ("/", 200, "text/html; charset=utf-8"),
    ("/app.js", 200, "text/javascript; charset=utf-8"),
    ("/vendor/uplot.css", 200, "text/css; charset=utf-8"),
    ("/healthz", 200, "application/json"),
    ("/readyz", 200, "application/json"),
    ("/metrics", 200, "text/plain; version=0.0.4"),
    ("/api/about", 200, "application/json"),
    ("/index.html", 404, "application/json"),
    ("/../app.py", 404, "application/json"),
    ("/%2e%2e/app.py", 404, "application/json"),
    ("/api/mode", 405, "application/json"),
    ("/stats", 404, "application/json"),
]


@pytest.mark.parametrize(("path", "status", "kind"), PATHS)
@pytest.mark.parametrize("came", [PORT, 0])
async def test_what_is_where(place: MadeUp, path: str, status: int, kind: str, came: int) -> None:
    async with asking(place, came=came) as client:
        reply = await client.get(httpx.URL(client.base_url, raw_path=path.encode()))
    assert (reply.status_code, reply.headers["content-type"]) == (status, kind)
    assert ("error" in reply.text) == (status != 200) or kind.startswith("text/")


@pytest.mark.parametrize("path", ["/", "/app.js", "/api/calls", "/nowhere", "/metrics", "/api/live?x=1"])
async def test_no_answer_can_be_read_framed_or_run_by_a_page_of_another_origin(
    place: MadeUp, path: str
) -> None:
    async with asking(place) as client:
        headers = (await client.get(path)).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';")
    assert "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")
    assert not [name for name in headers if name.startswith("access-control-")]


async def test_whoever_does_not_know_the_secret_gets_nothing(place: MadeUp) -> None:
    """Any program can dial the app's own port."""
    async with asking(place) as client:
        for secret in (b"", b"0" * 64, b"\xe4"):
            reply = await client.get("/", headers={SECRET.encode(): secret})
            assert reply.status_code == 403 and "mitmcache" not in reply.text
        assert (await client.get(f"/bodies/{NOBODY}", headers={SECRET: "x"})).status_code == 403


async def test_it_proves_to_the_relay_that_it_is_itself(place: MadeUp) -> None:
    app = App(place)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
        reply = await client.get(f"http://relay/bodies/{NOBODY}", headers={SECRET: app.secret})
    assert (reply.status_code, reply.headers[SECRET]) == (204, app.secret)


async def test_what_is_refused_is_never_done(place: MadeUp) -> None:
    async with asking(place, signed=False) as client:
        assert (await client.post("/api/purge", json={"all": "true"})).status_code == 401
    async with asking(place, came=0) as client:
        assert (await client.post("/api/purge", json={"all": "true"})).status_code == 403
    async with asking(place) as client:
        evil: dict[str, Any] = {"headers": {"origin": "http://evil.example"}}
        assert (await client.post("/api/purge", json={"all": "true"}, **evil)).status_code == 403
        assert (await client.get("/", headers={"host": "evil.example"})).status_code == 421
    assert place.purged == [] and place.mode == "live"


async def test_a_file_that_the_browser_has_is_not_sent_again(place: MadeUp) -> None:
    async with asking(place) as client:
        first = await client.get("/app.js")
        again = await client.get("/app.js", headers={"if-none-match": first.headers["etag"]})
        other = await client.get("/app.js", headers={"if-none-match": '"other"'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"] and "content-security-policy" in again.headers
    assert other.status_code == 200 and first.headers["cache-control"] == "no-cache"


async def test_health_proves_which_proxy_it_is(place: MadeUp) -> None:
    async with asking(place, signed=False) as client:
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        assert (await client.get("/healthz?nonce=n")).json() == {"status": "ok", "proof": proof(TOKEN, "n")}
        assert (await client.get("/healthz", params={"nonce": "n" * 129})).status_code == 400
        place.token = ""
        assert (await client.get("/healthz?nonce=n")).json() == {"status": "ok"}


async def test_it_is_ready_when_the_proxy_is(place: MadeUp) -> None:
    place.why = "not yet"
    async with asking(place) as client:
        reply = await client.get("/readyz")
    assert (reply.status_code, reply.json()) == (503, {"status": "not yet"})


async def test_metrics_come_in_the_form_that_is_asked_for(place: MadeUp) -> None:
    async with asking(place) as client:
        reply = await client.get("/metrics", headers={"accept": "application/openmetrics-text"})
    assert (reply.text, reply.headers["cache-control"]) == ("# application/openmetrics-text\n", "no-store")


async def test_what_goes_wrong_is_said_without_its_details(
    place: MadeUp, caplog: pytest.LogCaptureFixture
) -> None:
    place.fails = RuntimeError("a secret")
    async with asking(place) as client:
        reply = await client.get("/api/store")
    assert reply.status_code == 500 and "a secret" not in reply.text
    assert "/api/store" in caplog.text


class Asgi:
    """One request for the calls as they end, as a server puts it to the app."""

    def __init__(self, app: App, method: str = "GET") -> None:
        said = {"host": f"localhost:{PORT}", SECRET: app.secret, CAME: str(PORT)}
        self.scope = {
            "type": "http",
            "method": method,
            "path": "/api/live",
            "raw_path": b"/api/live",
            "query_string": b"",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "headers": [(name.encode(), value.encode()) for name, value in said.items()],
        }
        self.sent: asyncio.Queue[Message] = asyncio.Queue()
        self.gone = asyncio.Event()
        self.task = asyncio.create_task(app(self.scope, self._receive, self.sent.put))

    async def next(self) -> Message:
        return await asyncio.wait_for(self.sent.get(), DEADLINE)

    async def _receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}


async def test_calls_are_told_as_they_end_until_the_reader_leaves(place: MadeUp) -> None:
    reading = Asgi(App(place))
    start = await reading.next()
    headers = dict(start["headers"])
    assert headers[b"content-type"].startswith(b"text/event-stream") and b"content-length" not in headers
    assert b"content-security-policy" in headers and headers[b"cache-control"] == b"no-store"
    assert (await reading.next())["body"].startswith(b"retry:")
    place.live.tell([event(id="this")])
    assert b'"id":"this"' in (await reading.next())["body"]
    assert place.live.readers == 1
    reading.gone.set()
    await asyncio.wait_for(reading.task, DEADLINE)
    assert place.live.readers == 0


async def test_too_many_readers_are_told_to_come_again(place: MadeUp) -> None:
    app = App(place)
    readers = [Asgi(app) for _ in range(MOST_READERS)]
    for each in readers:
        await each.next()
    full = await Asgi(app).next()
    assert full["status"] == 503 and dict(full["headers"])[b"retry-after"] == b"30"
    for each in readers:
        each.gone.set()
        await asyncio.wait_for(each.task, DEADLINE)


async def test_to_ask_for_the_head_of_it_takes_nobodys_place(place: MadeUp) -> None:
    reading = Asgi(App(place), "HEAD")
    assert (await reading.next())["status"] == 200
    await asyncio.wait_for(reading.task, DEADLINE)
    assert place.live.readers == 0
