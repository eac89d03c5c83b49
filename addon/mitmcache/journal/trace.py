"""The trace that a call is part of, as W3C Trace Context has it. Pure."""

import re
from collections.abc import Sequence
from typing import NamedTuple

_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_KEY = r"[a-z0-9][a-z0-9_\-*/@]{0,255}"
_MEMBER = re.compile(rf"({_KEY})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{{0,255}}[\x21-\x2b\x2d-\x3c\x3e-\x7e]")
MOST_MEMBERS = 32
LONGEST_PARENT, LONGEST_STATE = 256, 4096
"""Characters; no tracer writes more."""


class Parent(NamedTuple):
    """The caller's span. Ids are lower-case hex, `state` the `tracestate` list, "" without one."""

    trace_id: str
    span_id: str
    flags: int
    state: str


def parent(traceparents: Sequence[str], tracestates: Sequence[str] = ()) -> Parent | None:
    """From all values of both headers. None: there is no parent, or what is there is not one.

    A `tracestate` that is not one is left out alone.
    """
    if len(traceparents) != 1 or len(traceparents[0]) > LONGEST_PARENT:
        return None
    match = _PARENT.fullmatch(traceparents[0].strip(" \t"))
    if match is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    if version == "ff" or (version == "00" and more) or not int(trace_id, 16) or not int(span_id, 16):
        return None
    return Parent(trace_id, span_id, int(flags, 16), _state(tracestates))


def _state(values: Sequence[str]) -> str:
    text = ",".join(values)
    if len(text) > LONGEST_STATE:
        return ""
    members = [member for part in text.split(",") if (member := part.strip(" \t"))]
    matches = [_MEMBER.fullmatch(member) for member in members]
    keys = {match[1] for match in matches if match}
    return ",".join(members) if len(members) == len(keys) <= MOST_MEMBERS else ""
