from collections.abc import Mapping
from dataclasses import replace

import pytest

from mitmcache.gateway.security import Asked, proof, refusal, same

TOKEN = "t" * 43
PORT = 8082
HERE = "127.0.0.1:8082"
JSON = {"content-type": "application/json", "content-length": "2"}
SIGNED = {**JSON, "x-mitmcache-token": TOKEN}


def asked(
    said: Mapping[str, str] = {}, *, path: str = "/api/calls", port: int = PORT, host: str = HERE
) -> Asked:
    headers = [("host", host)] if host else []
    headers += [(name.replace("_", "-"), value) for name, value in said.items()]
    return Asked("GET", path, headers, port)


def status(request: Asked, token: str = TOKEN) -> int:
    """0: it may be answered."""
    found = refusal(request, token)
    return found.status if found else 0


HOSTS = [
    ("the address", "127.0.0.1:8082", PORT, 0),
    ("the name of this machine", "localhost:8082", PORT, 0),
    ("however it is written", "LocalHost:8082", PORT, 0),
    ("IPv6", "[::1]:8082", PORT, 0),
    ("another port", "127.0.0.1:8080", PORT, 421),
    ("no port", "127.0.0.1", PORT, 421),
    ("a name that somebody has made lead here", "evil.example:8082", PORT, 421),
    ("a name that ends as ours", "evil-localhost:8082", PORT, 421),
    ("a name below ours", "localhost.evil.example:8082", PORT, 421),
    ("the proxy's own name, on the port", "llm.cache", PORT, 421),
    ("none", "", PORT, 421),
    ("another address of this machine", "127.0.0.2:8082", PORT, 421),
    ("the proxy's own name, through the proxy", "llm.cache", 0, 0),
    ("with a port", "llm.cache:80", 0, 0),
    ("the port's name, through the proxy", "127.0.0.1:8082", 0, 421),
]


@pytest.mark.parametrize(
    ("host", "port", "expected"), [pytest.param(*case[1:], id=case[0]) for case in HOSTS]
)
def test_only_its_own_names_are_answered(host: str, port: int, expected: int) -> None:
    assert status(asked(host=host, port=port)) == expected


def test_two_hosts_are_none() -> None:
    twice = Asked("GET", "/", [("host", HERE), ("host", HERE)], PORT)
    assert status(twice) == 421


PAGES = [
    ("a program", {}, 0),
    (
        "the address bar",
        {"sec_fetch_site": "none", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"},
        0,
    ),
    ("the dashboard itself", {"sec_fetch_site": "same-origin", "origin": f"http://{HERE}"}, 0),
    ("a page of another site", {"sec_fetch_site": "cross-site"}, 403),
    ("a page on another port of this machine", {"sec_fetch_site": "same-site"}, 403),
    ("an old browser's page", {"origin": "http://evil.example"}, 403),
    ("a page of another port, in an old browser", {"origin": "http://127.0.0.1:8081"}, 403),
    ("a sandboxed page", {"origin": "null"}, 403),
    ("one that says https", {"origin": f"https://{HERE}"}, 403),
    ("the dashboard by its other name", {"origin": "http://localhost:8082"}, 403),
    ("a site that is new", {"sec_fetch_site": "whatever"}, 403),
]


@pytest.mark.parametrize(("said", "expected"), [pytest.param(*case[1:], id=case[0]) for case in PAGES])
def test_no_page_of_another_origin_may_ask(said: dict[str, str], expected: int) -> None:
    assert status(asked(said)) == expected


LINKS = [
    ("a link is followed", "/", {"sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}, 0),
    ("a frame", "/", {"sec_fetch_mode": "navigate", "sec_fetch_dest": "iframe"}, 403),
    ("a script", "/app.js", {"sec_fetch_mode": "no-cors", "sec_fetch_dest": "script"}, 403),
    ("a link to data", "/api/calls", {"sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}, 403),
]


@pytest.mark.parametrize(
    ("path", "said", "expected"), [pytest.param(*case[1:], id=case[0]) for case in LINKS]
)
def test_a_link_from_elsewhere_opens_the_page_and_nothing_else(
    path: str, said: dict[str, str], expected: int
) -> None:
    assert status(asked({"sec_fetch_site": "cross-site", **said}, path=path)) == expected


CHANGES = [
    ("the token", SIGNED, 0),
    ("no token", JSON, 401),
    ("another's", {**SIGNED, "x-mitmcache-token": "u" * 43}, 401),
    ("the token and more", {**SIGNED, "x-mitmcache-token": TOKEN + "t"}, 401),
    ("no ASCII", {**SIGNED, "x-mitmcache-token": "\udcff"}, 401),
    ("the token, from another origin", {**SIGNED, "origin": "http://evil.example"}, 403),
    ("the token, from a page of another site", {**SIGNED, "sec-fetch-site": "cross-site"}, 403),
    ("a form", {**SIGNED, "content-type": "application/x-www-form-urlencoded"}, 415),
    ("text, which needs no preflight", {**SIGNED, "content-type": "text/plain"}, 415),
    ("a charset", {**SIGNED, "content-type": "application/json; charset=utf-8"}, 0),
    ("without a length", {name: value for name, value in SIGNED.items() if name != "content-length"}, 411),
    ("a length that is none", {**SIGNED, "content-length": "+2"}, 411),
    ("too much", {**SIGNED, "content-length": "16385"}, 413),
]


@pytest.mark.parametrize(("said", "expected"), [pytest.param(*case[1:], id=case[0]) for case in CHANGES])
def test_changes_need_the_token(said: dict[str, str], expected: int) -> None:
    request = Asked("POST", "/api/purge", [("host", HERE), *said.items()], PORT)
    assert status(request) == expected


def test_nothing_is_changed_through_the_proxy() -> None:
    assert status(Asked("POST", "/api/purge", [("host", "llm.cache"), *SIGNED.items()], 0)) == 403


def test_without_a_token_nothing_can_be_changed_and_all_be_read() -> None:
    request = Asked("POST", "/api/purge", [("host", HERE), *JSON.items(), ("x-mitmcache-token", "")], PORT)
    assert status(request, token="") == 401
    assert status(asked(), token="") == 0


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "get"])
def test_other_methods_are_refused(method: str) -> None:
    assert status(replace(asked(), method=method)) == 405


def test_a_reason_names_what_is_wrong_and_repeats_nothing_of_it() -> None:
    found = refusal(asked(host="<script>:8082"), TOKEN)
    assert found and found.why.startswith("Host:") and "script" not in found.why


def test_a_proof_is_of_one_token_and_one_nonce() -> None:
    assert same(proof(TOKEN, "a"), proof(TOKEN, "a"))
    assert len({proof(TOKEN, "a"), proof(TOKEN, "b"), proof("u" * 43, "a")}) == 3
    assert not same("", "")
