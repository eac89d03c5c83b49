"""Which variables a program gets."""

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitmcache.launch import environment
from mitmcache.launch.environment import BUNDLES, JAVA, Trust, bare, excepted, unproxied, without_proxy

URL = "http://127.0.0.1:18080"
TRUST = Trust(Path("/a b/ca.pem"), Path("/a b/hashed"), Path("/a b/it's.p12"), "pass", Path("/a b/wgetrc"))
FOLDER = Path("/a b")


def told(*decrypted: str, wgetrc: bool = False, **environ: str) -> dict[str, str]:
    return environment.variables(environ, URL, TRUST, FOLDER, decrypted, wgetrc=wgetrc)


def test_every_runtime_is_told_of_the_proxy_and_the_bundle() -> None:
    found = told()
    assert {name for name in found if found[name] == URL} == {
        *("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy", "MITMCACHE_PROXY"),
    }
    assert {name for name in found if found[name] == str(TRUST.bundle)} == set(BUNDLES)
    assert found["SSL_CERT_DIR"] == str(TRUST.folder)
    assert (found["NODE_USE_ENV_PROXY"], found["MITMCACHE_CONFDIR"]) == ("1", "/a b")


@pytest.mark.parametrize(
    ("environ", "name", "value"),
    [
        ({}, "ALL_PROXY", None),
        ({"all_proxy": "socks5://a"}, "ALL_PROXY", URL),
        ({"ALL_PROXY": "socks5://a"}, "all_proxy", URL),
        ({}, "NIX_SSL_CERT_FILE", None),
        ({"NIX_SSL_CERT_FILE": "/a"}, "NIX_SSL_CERT_FILE", str(TRUST.bundle)),
        ({}, "WGETRC", str(TRUST.wgetrc)),
        ({"WGETRC": "/mine"}, "WGETRC", None),
    ],
)
def test_some_are_set_only_where_the_user_has_them_or_has_them_not(
    environ: dict[str, str], name: str, value: str | None
) -> None:
    assert told(wgetrc=True, **environ).get(name) == value


def test_a_user_with_settings_for_wget_keeps_them() -> None:
    assert "WGETRC" not in told(wgetrc=False)


LOOPBACK = "localhost,127.0.0.1,::1"


@pytest.mark.parametrize(
    ("said", "decrypted", "expected"),
    [
        ("", [], LOOPBACK),
        ("a.example, .b.example", [], f"a.example,.b.example,{LOOPBACK}"),
        ("localhost,a.example", [], "localhost,a.example,127.0.0.1,::1"),
        ("", ["localhost:11434"], ""),
        ("a.example", ["[::1]:8000"], "a.example"),
        ("10.0.0.0/8,127.0.0.0/8", ["127.0.0.1:8000"], "10.0.0.0/8"),
        (".corp.example", ["llm.corp.example"], LOOPBACK),
        ("*", [], f"*,{LOOPBACK}"),
    ],
)
def test_this_machine_is_reached_directly_unless_its_models_are_cached(
    said: str, decrypted: list[str], expected: str
) -> None:
    found = told(*decrypted, NO_PROXY=said)
    assert found["NO_PROXY"] == found["no_proxy"] == expected


def test_the_lower_case_name_is_read_too() -> None:
    assert without_proxy({"no_proxy": "a.example"})[0] == "a.example"


@pytest.mark.parametrize(
    ("host", "words", "expected"),
    [
        ("api.openai.com", ["a.example"], ""),
        ("api.openai.com", ["a", "openai.com"], "openai.com"),
        ("api.openai.com", [".openai.com"], ".openai.com"),
        ("api.openai.com", ["*.openai.com"], "*.openai.com"),
        ("api.openai.com:443", ["*"], "*"),
        ("notopenai.com", ["openai.com"], ""),
        ("10.1.2.3:80", ["10.0.0.0/8"], "10.0.0.0/8"),
        ("[::1]:80", ["::1"], "::1"),
    ],
)
def test_an_exception_is_found_as_programs_do(host: str, words: list[str], expected: str) -> None:
    assert excepted(host, words) == expected


@given(st.text())
def test_no_text_is_too_odd_to_be_a_host(text: str) -> None:
    bare(text)
    excepted(text, [text])


def test_java_gets_the_proxy_and_the_truststore_after_what_the_user_has_set() -> None:
    words = shlex.split(told(NO_PROXY=".a.example,10.0.0.0/8", JAVA_TOOL_OPTIONS="-Xmx1g")[JAVA])
    assert words[0] == "-Xmx1g"
    options = dict(word.removeprefix("-D").split("=", 1) for word in words[1:])
    assert options == {
        "http.proxyHost": "127.0.0.1",
        "http.proxyPort": "18080",
        "https.proxyHost": "127.0.0.1",
        "https.proxyPort": "18080",
        "http.nonProxyHosts": "*.a.example|localhost|127.0.0.1|[::1]",
        "javax.net.ssl.trustStore": "/a b/it's.p12",
        "javax.net.ssl.trustStoreType": "PKCS12",
        "javax.net.ssl.trustStorePassword": "pass",
    }


def test_the_proxy_itself_sees_nothing_of_it() -> None:
    kept = {"HOME": "/h", "JAVA_TOOL_OPTIONS": "x", "MITMCACHE_CONFDIR": "/c", "AWS_PROFILE": "a"}
    given = {**told(ALL_PROXY="a", NIX_SSL_CERT_FILE="b", wgetrc=False), **kept, "ftp_proxy": "c"}
    assert unproxied(given) == kept
