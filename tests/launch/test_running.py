import base64
import socket
import threading
from pathlib import Path

import pytest

import ports
from e2e import certs
from launch.stubs import saying
from mitmcache.launch import running
from mitmcache.launch.proxy import Proxy
from mitmcache.launch.running import Health


def test_a_proxy_that_runs_is_well_counts_and_shows_its_ca(launched: Proxy, tmp_path: Path) -> None:
    assert running.health(launched.url) is Health.UP
    found = running.stats(launched.url)
    assert found and (found["hits"], found["misses"]) == (0, 0)
    assert running.trusted(launched.url, launched.ca_file)
    assert not running.trusted(launched.url, certs.make(tmp_path, ["a.example"]).ca)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, b'{"status": "ok"}', Health.UP),
        (200, b'{"status": "bad"}', Health.OTHER),
        (200, b"[]", Health.OTHER),
        (200, b"hello", Health.OTHER),
        (502, b'{"status": "ok"}', Health.OTHER),
        (407, b"", Health.AUTH),
    ],
)
def test_what_listens_is_told_apart(status: int, body: bytes, expected: Health) -> None:
    with saying(status, body) as server:
        assert running.health(server.url) is expected


def test_nobody_there_is_down() -> None:
    url = f"http://127.0.0.1:{ports.free()}"
    assert (running.health(url), running.stats(url)) == (Health.DOWN, None)
    assert running.health("nonsense") is Health.DOWN


def test_one_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        assert running.health(url, 0.2) is Health.OTHER


def test_one_that_speaks_no_http_is_another() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def speak() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(b"SSH-2.0-x\r\n")

        thread = threading.Thread(target=speak)
        thread.start()
        assert running.health(f"http://127.0.0.1:{server.getsockname()[1]}") is Health.OTHER
        thread.join()


def test_a_name_and_a_password_are_sent_to_the_proxy() -> None:
    with saying(200, b'{"status": "ok", "hits": 3}') as server:
        url = server.url.replace("http://", "http://me:a%20b@")
        assert running.health(url) is Health.UP
        assert running.stats(url) == {"status": "ok", "hits": 3}
        expected = f"Basic {base64.b64encode(b'me:a b').decode()}"
        assert [seen["Proxy-Authorization"] for seen in server.seen] == [expected] * 2
        assert server.seen[0]["path"] == "http://llm.cache/healthz"


def test_a_proxy_that_refuses_cannot_be_tried(launched: Proxy) -> None:
    with saying(407, b"") as server, pytest.raises(OSError, match="refused"):
        running.trusted(server.url, launched.ca_file)


@pytest.mark.parametrize("url", ["", "a", "https://a:1", "http://a", "socks5://a:1", "http://a:1/path"])
def test_an_address_is_a_host_and_a_port(url: str) -> None:
    with pytest.raises(ValueError, match=r"HOST:PORT|[Pp]ort"):
        running.parse(url)
