"""Head and body of a message are joined where both are there, and nothing else about them changes."""

from collections.abc import Iterator
from typing import Any

import pytest
from mitmproxy import http, options
from mitmproxy.connection import ConnectionState
from mitmproxy.proxy import commands
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http import _events as happening
from mitmproxy.proxy.layers.http._http1 import Http1Client, Http1Connection, Http1Server
from mitmproxy.test import tflow

from mitmcache import pieces, shortcuts


@pytest.fixture(autouse=True)
def not_installed() -> Iterator[None]:
    shortcuts.uninstall()
    yield
    shortcuts.uninstall()


def server() -> Http1Server:
    context = Context(tflow.tclient_conn(), options.Options())
    context.client.state = ConnectionState.OPEN
    made = Http1Server(context)
    made.request = request(b"")
    return made


def client() -> Http1Client:
    return Http1Client(Context(tflow.tclient_conn(), options.Options()))


def request(body: bytes) -> http.Request:
    return http.Request.make("POST", "http://h.example/", body)


def reply(body: bytes, **headers: str) -> http.Response:
    return http.Response.make(200, body, headers)


def written(connection: Http1Connection, *events: Any) -> list[Any]:
    """What is sent, and the names of all other commands."""
    orders = [order for event in events for order in connection.send(event)]
    return [order.data if isinstance(order, commands.SendData) else type(order).__name__ for order in orders]


def replied(response: http.Response, body: bytes) -> tuple[Any, ...]:
    return (
        happening.ResponseHeaders(1, response, not body),
        *([happening.ResponseData(1, body)] if body else []),
        happening.ResponseEndOfMessage(1),
    )


STREAMED = reply(b"x" * 9)
STREAMED.stream = True
NOT_THERE = reply(b"")
NOT_THERE.raw_content = None
REPLIES = {
    "a whole reply is one piece": (reply(b"hello"), b"hello", 1),
    "an empty one is its head": (reply(b""), b"", 1),
    "a stream's head goes at once": (STREAMED, b"x" * 9, 2),
    "so does that of a body which is not there yet": (NOT_THERE, b"later", 2),
    "a large body is not copied": (reply(b"x" * (pieces.MOST + 1)), b"x" * (pieces.MOST + 1), 2),
    "the first chunk joins the head": (
        reply(b"hello", **{"transfer-encoding": "chunked"}),
        b"hello",
        2,
    ),
}


@pytest.mark.parametrize("case", REPLIES)
def test_a_reply_has_the_same_bytes_in_fewer_pieces(case: str) -> None:
    response, body, count = REPLIES[case]
    expected = written(server(), *replied(response, body))
    shortcuts.install()
    found = written(server(), *replied(response, body))
    assert b"".join(found) == b"".join(expected)
    assert len(found) == count


@pytest.mark.parametrize(
    ("body", "streamed", "count"), [(b"ask", False, 1), (b"", False, 1), (b"ask", True, 2)]
)
def test_a_request_is_one_piece_unless_it_is_streamed(body: bytes, streamed: bool, count: int) -> None:
    asked = request(body)
    asked.stream = streamed
    events = (
        happening.RequestHeaders(1, asked, not body),
        *([happening.RequestData(1, body)] if body else []),
    )
    expected = written(client(), *events)
    shortcuts.install()
    found = written(client(), *events)
    assert b"".join(found) == b"".join(expected)
    assert len(found) == count


def test_two_replies_of_one_connection_do_not_mix() -> None:
    shortcuts.install()
    connection = server()
    for body in (b"one", b"two"):
        connection.request, connection.request_done = request(b""), True
        stream = connection.stream_id
        [found] = written(
            connection,
            happening.ResponseHeaders(stream, reply(body), end_stream=False),
            happening.ResponseData(stream, body),
            happening.ResponseEndOfMessage(stream),
        )
        assert found.startswith(b"HTTP/1.1 200 OK\r\n") and found.endswith(b"\r\n\r\n" + body)


def test_a_head_is_sent_even_if_no_body_comes() -> None:
    events = (
        happening.ResponseHeaders(1, reply(b"hello"), end_stream=False),
        happening.ResponseProtocolError(1, "cut", happening.ErrorCode.GENERIC_SERVER_ERROR),
    )
    expected = written(server(), *events)
    shortcuts.install()
    assert written(server(), *events) == expected
    assert len(expected) == 2


def test_a_head_is_sent_even_if_the_body_comes_to_nothing() -> None:
    shortcuts.install()
    [head] = written(
        server(),
        happening.ResponseHeaders(1, reply(b"hello"), end_stream=False),
        happening.ResponseData(1, b""),
    )
    assert head.endswith(b"\r\n\r\n")
