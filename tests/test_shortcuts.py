"""mitmproxy's functions and what takes their place must not be told apart but by the clock."""

from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import hooks, http, optmanager
from mitmproxy.addons import onboarding
from mitmproxy.connection import Connection
from mitmproxy.net.http import url
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http._hooks import HttpRequestHook
from mitmproxy.proxy.layers.http._http1 import Http1Client, Http1Server
from mitmproxy.proxy.mode_servers import ProxyConnectionHandler
from mitmproxy.proxy.server import ConnectionHandler
from mitmproxy.test import tflow
from mitmproxy.utils import asyncio_utils, typecheck

from managing import HelloHook, PairHook
from mitmcache import shortcuts
from mitmcache.internals import Unfamiliar

ORIGINALS = [(each, getattr(each.owner, each.name)) for each in shortcuts.SHORTCUTS]


def present() -> list[Any]:
    return [getattr(each.owner, each.name) for each in shortcuts.SHORTCUTS]


@pytest.fixture(autouse=True)
def none_installed() -> Iterator[None]:
    shortcuts.uninstall()
    yield
    shortcuts.uninstall()


def test_they_come_once_and_go_without_a_trace() -> None:
    before = present()
    shortcuts.install()
    installed = present()
    shortcuts.install()
    assert present() == installed and not set(installed) & set(before)
    shortcuts.uninstall()
    assert present() == before
    shortcuts.uninstall()
    assert present() == before


def test_what_somebody_has_put_over_one_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    shortcuts.install()

    def theirs(self: hooks.Hook) -> list[Any]:
        return []

    monkeypatch.setattr(hooks.Hook, "args", theirs)
    shortcuts.uninstall()
    assert hooks.Hook.args is theirs
    hooks.Hook.args = next(original for each, original in ORIGINALS if each.name == "args")  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (http.MessageData, "__post_init__"),
        (hooks.Hook, "args"),
        (http.Headers, "get_all"),
        (http.Headers, "get"),
        (http.Headers, "__contains__"),
        (optmanager._Option, "current"),
        (onboarding.Onboarding, "request"),
        (url, "parse_authority"),
        (Context, "fork"),
        (Connection, "__eq__"),
        (ConnectionHandler, "server_event"),
        (ConnectionHandler, "hook_task"),
        (ProxyConnectionHandler, "handle_hook"),
        (asyncio_utils, "create_task"),
        (Http1Server, "send"),
        (Http1Client, "send"),
    ],
)
def test_all_stand_aside_where_one_is_another(
    monkeypatch: pytest.MonkeyPatch, owner: object, name: str
) -> None:
    monkeypatch.setattr(owner, name, lambda *_: None)
    before = present()
    with pytest.raises(Unfamiliar, match="is another"):
        shortcuts.install()
    assert present() == before


def test_without_a_check_there_is_nothing_to_make_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -O`."""
    monkeypatch.delattr(http.MessageData, "__post_init__")
    shortcuts.install()
    assert not hasattr(http.MessageData, "__post_init__")


def outcome(function: Callable[..., Any], *args: Any) -> Any:
    try:
        return function(*args)
    except Exception as error:
        return type(error), str(error)


VALUES = st.sampled_from(
    [
        b"x",
        "x",
        None,
        1,
        1.5,
        True,
        http.Headers(),
        {},
        bytearray(b"x"),
        type("Bytes", (bytes,), {})(b"x"),
        [b"x"],
    ]
)
GOOD: dict[type, dict[str, Any]] = {
    http.RequestData: tflow.tflow().request.data.__dict__,
    http.ResponseData: tflow.tflow(resp=True).response.data.__dict__,  # type: ignore[union-attr]
}


@given(st.data(), st.sampled_from(list(GOOD)))
def test_a_message_is_refused_for_the_same_fields(data: st.DataObject, kind: type[http.MessageData]) -> None:
    names = [field.name for field in fields(kind)]
    changed = data.draw(st.dictionaries(st.sampled_from(names), VALUES, max_size=3))
    message = {**GOOD[kind], **changed}
    expected = outcome(lambda: kind(**message).__dict__)
    shortcuts.install()
    try:
        # the second time it is what is remembered that decides
        assert [outcome(lambda: kind(**message).__dict__) for _ in range(2)] == [expected] * 2
    finally:
        shortcuts.uninstall()


def test_a_kind_of_message_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    original = typecheck.check_option_type

    def check(name: str, value: object, kind: Any) -> None:
        looked.append(name)
        original(name, value, kind)

    shortcuts.install()
    monkeypatch.setattr(typecheck, "check_option_type", check)
    http.Response.make(200, b"x")
    first = list(looked)
    http.Response.make(404, b"y")
    assert set(looked) == {field.name for field in fields(http.ResponseData)} and looked == first


@pytest.mark.parametrize(
    "event", [HelloHook("a"), PairHook(1, 2), hooks.RunningHook(), HttpRequestHook(tflow.tflow())]
)
def test_an_event_has_the_same_arguments(event: hooks.Hook) -> None:
    expected = event.args()
    shortcuts.install()
    first, second = event.args(), event.args()
    assert first == second == expected and first is not second


AUTHORITIES = st.one_of(
    st.sampled_from(
        ["a.example", "a.example:443", "[::1]:8080", "bücher.example", "x" * 300, "a:b", ":", "", "a b"]
    ),
    st.text(max_size=20),
    st.binary(max_size=20),
)


@given(AUTHORITIES, st.booleans())
def test_an_authority_is_read_the_same(authority: str | bytes, strict: bool) -> None:
    expected = outcome(url.parse_authority, authority, strict)
    shortcuts.install()
    try:
        assert [outcome(url.parse_authority, authority, strict) for _ in range(2)] == [expected] * 2
    finally:
        shortcuts.uninstall()


NAMES = st.sampled_from(
    ["host", "Host", "HOST", b"Host", "cookie", "x\xe9", "x\udce9", "\ud800", "", 1, None]
)
FIELDS = st.lists(
    st.tuples(
        st.sampled_from([b"host", b"Host", b"cookie", b"COOKIE", b"x\xe9", b"x\xc3\xa9", b"X\xc3\xa9", b""]),
        st.binary(max_size=4),
    ),
    max_size=5,
)


class Exact(http.Headers):
    @staticmethod
    def _kconv(key: Any) -> Any:
        return key


@given(FIELDS, NAMES, st.sampled_from([http.Headers, Exact]))
def test_a_header_has_the_same_values(
    fields: list[tuple[bytes, bytes]], name: Any, kind: type[http.Headers]
) -> None:
    headers = kind(fields)

    def values() -> Any:
        return (
            outcome(headers.get_all, name),
            outcome(headers.get, name),
            outcome(headers.get, name, b"nothing"),
            outcome(lambda: headers[name]),
            outcome(lambda: name in headers),
        )

    expected = values()
    shortcuts.install()
    try:
        assert values() == expected
    finally:
        shortcuts.uninstall()


def test_what_a_base_has_is_the_bases_again() -> None:
    own = dict(vars(http.Headers))
    shortcuts.install()
    assert "get" in vars(http.Headers)
    shortcuts.uninstall()
    assert dict(vars(http.Headers)) == own
