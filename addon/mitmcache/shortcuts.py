"""What mitmproxy works out for every message and event anew, from what is nearly always the same, remembered.

What takes the place of its functions does what those do, in the whole process.
"""

from collections.abc import Mapping
from dataclasses import fields
from functools import lru_cache, wraps
from typing import Any

from mitmproxy import ctx, hooks, http, optmanager
from mitmproxy.addons import onboarding
from mitmproxy.net.http import url

from mitmcache import contexts, pieces, serving
from mitmcache.internals import Function, Shortcut, digest_of, verify

REMEMBERED = 1024
UNCHANGING = frozenset({str, int, float, bool, type(None)})


def quick_check(original: Function) -> Function:
    """A message's fields are of the right types? Which are is remembered: nothing else is looked at."""
    passed: set[tuple[type, ...]] = set()

    @wraps(original)
    def check(self: http.MessageData) -> None:
        kinds = (type(self), *map(type, vars(self).values()))
        if kinds in passed:
            return
        original(self)
        if kinds[0] in (http.RequestData, http.ResponseData) and len(passed) < REMEMBERED:
            passed.add(kinds)

    return check


def quick_arguments(original: Function) -> Function:
    """The values of an event's fields: which fields its class has is remembered."""
    known: dict[type, tuple[str, ...]] = {}

    @wraps(original)
    def arguments(self: hooks.Hook) -> list[Any]:
        names = known.get(type(self))
        if names is None:
            names = tuple(field.name for field in fields(self))  # type: ignore[arg-type]
            if len(known) < REMEMBERED:
                known[type(self)] = names
        return [getattr(self, name) for name in names]

    return arguments


def quick_values(original: Function) -> Function:
    """The values of a header. It is looked for in one go, in place of a call for each header there is."""

    @wraps(original)
    def values(self: http.Headers, name: str | bytes) -> list[str]:
        if type(self) is not http.Headers or type(name) is not str:
            found: list[str] = original(self, name)
            return found
        wanted = name.encode("utf-8", "surrogateescape").lower()
        size = len(wanted)
        return [
            value.decode("utf-8", "surrogateescape")
            for key, value in self.fields
            if len(key) == size and key.lower() == wanted
        ]

    return values


def quick_get(original: Function) -> Function:
    """A header's value, without an error raised and caught for each header that is not there."""

    @wraps(original)
    def get(self: http.Headers, key: str | bytes, default: Any = None) -> Any:
        if type(self) is not http.Headers:
            return original(self, key, default)
        found = self.get_all(key)
        return self._reduce_values(found) if found else default

    return get


def quick_contains(original: Function) -> Function:
    @wraps(original)
    def contains(self: http.Headers, key: object) -> bool:
        if type(self) is not http.Headers:
            return bool(original(self, key))
        return bool(self.get_all(key))  # type: ignore[arg-type]

    return contains


def quick_current(original: Function) -> Function:
    """An option's value. What cannot be changed need not be copied, twice."""

    @wraps(original)
    def current(self: optmanager._Option) -> Any:
        value = self._default if self.value is optmanager.unset else self.value
        return value if type(value) in UNCHANGING else original(self)

    return current


def quick_onboarding(original: Function) -> Function:
    """mitmproxy's page for its CA, which looks at every request: a coroutine only for what it answers."""

    @wraps(original)
    def request(self: onboarding.Onboarding, f: http.HTTPFlow) -> Any:
        return original(self, f) if ctx.options.onboarding and self.should_serve(f) else None

    return request


SHORTCUTS = (
    Shortcut(
        http.MessageData,
        "__post_init__",
        quick_check,
        {
            "http.MessageData.__post_init__": "f65088e210cd9cc1",
            "http.MessageData": "bad2ea9a351a70d6",
            "http.RequestData": "4371ac6b2dfb38a1",
            "http.ResponseData": "d616b2451588a1c6",
            "utils.typecheck.check_option_type": "b60e47c7091fa795",
        },
    ),
    Shortcut(hooks.Hook, "args", quick_arguments, {"hooks.Hook.args": "5bab95f7aa358e18"}),
    Shortcut(
        http.Headers,
        "get_all",
        quick_values,
        {
            "http.Headers.get_all": "367b3317bc2ba45c",
            "http.Headers._kconv": "dd59639eb7c46701",
            "http._native": "0ba4541fc6fa15ce",
            "http._always_bytes": "1f256dc3d66394a0",
            "coretypes.multidict._MultiDict.get_all": "5bff03c1afa25bb7",
            "utils.strutils.always_bytes": "97a1c07fd4d60b7d",
        },
    ),
    Shortcut(
        http.Headers,
        "get",
        quick_get,
        # whole modules are looked at faster than a class in them
        {
            "http": "f8ff6ff9e8f095ec",
            "coretypes.multidict": "d8cf7fdc1896241c",
            "http.Headers.get": digest_of(Mapping.get),
        },
    ),
    Shortcut(
        http.Headers,
        "__contains__",
        quick_contains,
        {"http.Headers.__contains__": digest_of(Mapping.__contains__)},
    ),
    Shortcut(
        optmanager._Option,
        "current",
        quick_current,
        {"optmanager": "673343bb13fcce1c", "optmanager._Option.current": "6859c2d9c826806e"},
    ),
    Shortcut(
        onboarding.Onboarding,
        "request",
        quick_onboarding,
        {
            "addons.onboarding.Onboarding.request": "f6e48a4764c85df0",
            "addons.asgiapp.ASGIApp.request": "602d253086c75a35",
            "addons.asgiapp.ASGIApp.should_serve": "4f7a8f8411d51f35",
        },
    ),
    Shortcut(
        url,
        "parse_authority",
        lru_cache(REMEMBERED),
        {"net.http.url.parse_authority": "d8338265c05d8491", "net.check.is_valid_host": "76efad3bee98e9b5"},
    ),
    *contexts.SHORTCUTS,
    *serving.SHORTCUTS,
    *pieces.SHORTCUTS,
)

_originals: list[tuple[Shortcut, Function | None, Function]] = []


def install() -> None:
    """Raises Unfamiliar, and has then changed nothing. What is installed already stays as it is."""
    if _originals:
        return
    # there is no type check under `python -O`
    present = [shortcut for shortcut in SHORTCUTS if hasattr(shortcut.owner, shortcut.name)]
    for shortcut in present:
        verify(shortcut.relies_on)
    for shortcut in present:
        own = vars(shortcut.owner).get(shortcut.name)
        made = shortcut.make(getattr(shortcut.owner, shortcut.name))
        setattr(shortcut.owner, shortcut.name, made)
        _originals.append((shortcut, own, made))


def uninstall() -> None:
    while _originals:
        shortcut, own, made = _originals.pop()
        # what somebody else has put over ours stays
        if getattr(shortcut.owner, shortcut.name) is not made:
            continue
        if own:
            setattr(shortcut.owner, shortcut.name, own)
        else:  # it is a base's
            delattr(shortcut.owner, shortcut.name)
