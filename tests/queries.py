"""Which metrics and labels a PromQL query asks for, as far as ours go."""

import re

_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"')
_NAMES = re.compile(r"\b(?:mitmcache|process|python)[a-zA-Z0-9_:]*")
_MATCHERS = re.compile(r"\b([a-z_]+)\s*(?:=~|!~|!=|=)(?!=)")
_LISTS = re.compile(r"\b(?:by|on|group_left|group_right|without|ignoring)\s*\(([^()]*)\)")


def names_of(query: str) -> set[str]:
    return set(_NAMES.findall(_STRINGS.sub("", query)))


def labels_of(query: str) -> set[str]:
    """In matchers, and in what is summed or joined by."""
    text = _STRINGS.sub("", query)
    inside = "".join(re.findall(r"\{([^}]*)\}", text))
    lists = (name.strip() for found in _LISTS.findall(text) for name in found.split(","))
    return {*_MATCHERS.findall(inside), *filter(None, lists)}
