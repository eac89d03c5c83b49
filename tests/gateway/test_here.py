from pathlib import Path

import orjson
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.places import PORT, TOKEN, MadeUp
from mitmcache.gateway import here
from mitmcache.gateway.app import CAME, App
from mitmcache.gateway.here import Answered, Endless, ask
from mitmcache.relay.origin import SECRET

DEADLINE = 60.0
MOMENT = 0.05


@pytest.fixture
def app(tmp_path: Path) -> App:
    return App(MadeUp(tmp_path))


def signed(app: App, **more: str) -> list[tuple[bytes, bytes]]:
    said = {SECRET: app.secret, CAME: str(PORT), "Host": f"localhost:{PORT}", **more}
    return [(name.encode(), value.encode()) for name, value in said.items()]


async def test_the_app_answers_as_over_a_connection(app: App) -> None:
    found = await ask(app, "GET", "/api/store?", signed(app), b"", DEADLINE)
    assert (found.status, orjson.loads(found.body)) == (200, {"entries": 3})
    assert (b"content-type", b"application/json") in found.headers


async def test_a_body_is_given_to_it(app: App) -> None:
    headers = signed(
        app, **{"x-mitmcache-token": TOKEN, "content-type": "application/json", "content-length": "19"}
    )
    found = await ask(app, "POST", "/api/mode", headers, b'{"mode": "offline"}', DEADLINE)
    assert (found.status, orjson.loads(found.body)) == (200, {"mode": "offline"})


async def test_path_and_query_arrive_as_they_were_meant() -> None:
    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        asked = (scope["path"], scope["raw_path"].decode(), request.query_params["a"], request.headers["x-b"])
        await Response(" ".join(asked))(scope, receive, send)

    found = await ask(echo, "GET", "/a%20b?a=1%262", [(b"X-B", b"c")], b"", DEADLINE)
    assert found.body == b"/a b /a%20b 1&2 c"


async def test_a_stream_of_events_ends_with_the_deadline(app: App) -> None:
    found = await ask(app, "GET", "/api/live", signed(app), b"", MOMENT)
    assert found.status == 200 and found.body == b"retry: 2000\n\n"


async def test_what_else_does_not_end_is_no_answer() -> None:
    async def never(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await receive()

    with pytest.raises(Endless):
        await ask(never, "GET", "/", [], b"", MOMENT)


async def test_what_is_too_large_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(here, "MOST", 10)

    for size, fits in ((10, True), (11, False)):
        response = Response(b"1" * size)
        if fits:
            assert isinstance(await ask(response, "GET", "/", [], b"", DEADLINE), Answered)
        else:
            with pytest.raises(Endless):
                await ask(response, "GET", "/", [], b"", DEADLINE)
