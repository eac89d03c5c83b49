import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

import pytest

import ports
from cli.console import Console
from launch.stubs import saying
from mitmcache.gateway import token
from mitmcache.gateway.security import proof


@contextmanager
def proxy(secret: str) -> Iterator[int]:
    """The port of somebody who knows the secret."""

    class Knowing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            [nonce] = parse_qs(urlsplit(self.path).query)["nonce"]
            assert secret not in self.path
            body = json.dumps({"status": "ok", "proof": proof(secret, nonce)}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with saying(200, b"") as server:
        server.RequestHandlerClass = Knowing
        yield server.server_address[1]


@pytest.fixture
def made(console: Console) -> str:
    console.data.mkdir()
    return token.ensure(console.data)


def test_it_prints_the_link_of_the_proxy_that_knows_the_token(console: Console, made: str) -> None:
    with proxy(made) as port:
        console.configure(llm_data_dir=str(console.data), llm_gateway_port=str(port))
        assert console.ok("dashboard") == f"http://127.0.0.1:{port}/#token={made}\n"


@pytest.mark.parametrize("body", [b'{"status": "ok"}', b'{"proof": "no"}', b"[]", b"<html>", b'{"proof": 1}'])
def test_the_token_is_not_shown_to_a_stranger_at_the_port(console: Console, made: str, body: bytes) -> None:
    with saying(200, body) as server:
        port = server.server_address[1]
        console.configure(llm_data_dir=str(console.data), llm_gateway_port=str(port))
        said = console.fails("dashboard")
    assert made not in said and "knows the token" in said
    assert made not in str(server.seen)


def test_another_proxys_token_does_not_do(console: Console, made: str) -> None:
    with proxy("u" * 43) as port:
        console.configure(llm_data_dir=str(console.data), llm_gateway_port=str(port))
        assert "knows the token" in console.fails("dashboard")


def test_where_no_proxy_runs_it_says_so(console: Console, made: str) -> None:
    console.configure(llm_data_dir=str(console.data), llm_gateway_port=str(ports.free()))
    assert "is the proxy running?" in console.fails("dashboard")


def test_where_a_password_is_asked_for_it_says_where_the_token_is(console: Console, made: str) -> None:
    with saying(401, b"") as server:
        port = server.server_address[1]
        console.configure(llm_data_dir=str(console.data), llm_gateway_port=str(port))
        said = console.fails("dashboard")
    assert "proxyauth" in said and str(console.data / token.NAME) in said and made not in said


def test_without_a_token_or_a_port_there_is_no_link(console: Console) -> None:
    console.configure(llm_data_dir=str(console.data))
    assert "no proxy has made a token" in console.fails("dashboard")
    console.configure(llm_data_dir=str(console.data), llm_gateway_port="0")
    assert "there is no dashboard" in console.fails("dashboard")
