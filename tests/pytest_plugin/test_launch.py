"""The proxy of a session: told things, refusing others, and gone with all that it had."""

from http.client import HTTPConnection
from pathlib import Path

import pytest

from mitmcache.pytest_plugin.launch import Launched, ProxyFailed


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    return tmp_path


def status(url: str, method: str, path: str, headers: dict[str, str]) -> int:
    connection = HTTPConnection(url.removeprefix("http://"), timeout=60)
    connection.request(method, f"http://llm.cache{path}", b"{}", headers)
    answer = connection.getresponse().status
    connection.close()
    return answer


def test_it_lives_from_its_making_to_stop(temporary: Path) -> None:
    proxy = Launched({})
    try:
        assert proxy.tell("begin", mode="record", bundles=[]) == {"variables": []}
        assert proxy.tell("save", bundle=None)["calls"] == 0
        assert "BEGIN CERTIFICATE" in proxy.ca.read_text()
        assert proxy.folder.stat().st_mode & 0o077 == 0
        missing = str(temporary / "missing.tar")
        with pytest.raises(ProxyFailed, match=r"missing\.tar: No such file"):
            proxy.tell("begin", mode="replay", bundles=[missing])
        # a web page in the tests' browser must not tell it anything
        assert status(proxy.url, "POST", "/tape/rest", {}) == 404
        assert status(proxy.url, "POST", "/tape/rest", {"mitmcache-tape-token": "guessed"}) == 404
        assert status(proxy.url, "GET", "/healthz", {}) == 200
    finally:
        proxy.stop()
        proxy.stop()
    assert list(temporary.iterdir()) == []
    with pytest.raises(ProxyFailed, match="the proxy has ended"):
        proxy.tell("rest", mode=None)


def test_one_that_does_not_start_says_why_and_leaves_nothing(temporary: Path) -> None:
    with pytest.raises(ProxyFailed, match="llm_mode: 'never' is none of"):
        Launched({"llm_mode": "never"})
    assert list(temporary.iterdir()) == []
