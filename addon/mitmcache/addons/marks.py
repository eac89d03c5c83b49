"""Tells hits, misses and bypasses apart at a glance in mitmweb, by marker and comment."""

from weakref import WeakKeyDictionary

from mitmproxy import ctx, http

from mitmcache.addons import answers
from mitmcache.addons.trail import Trail, trail_of

MARKERS = {
    "HIT": ":green_circle:",
    "STALE": ":yellow_circle:",
    "MISS": ":large_blue_circle:",
    "BYPASS": ":white_circle:",
}


class Marks:
    """Leaves a marker or comment alone that somebody else has made."""

    def __init__(self) -> None:
        self._made: WeakKeyDictionary[http.HTTPFlow, tuple[str, str]] = WeakKeyDictionary()

    def running(self) -> None:
        # the comment is a column of its own, and not one of mitmweb's default ones
        if "web_columns" in ctx.options and "comment" not in ctx.options.web_columns:
            ctx.options.update(web_columns=[*ctx.options.web_columns, "comment"])

    def response(self, flow: http.HTTPFlow) -> None:
        self._mark(flow)

    def error(self, flow: http.HTTPFlow) -> None:
        self._mark(flow)

    def _mark(self, flow: http.HTTPFlow) -> None:
        trail = trail_of(flow)
        if trail.outcome is None:
            return
        made = MARKERS[trail.outcome.word], comment(trail)
        # a flow that is replayed has those of its last time
        marker, text = self._made.get(flow, ("", ""))
        if flow.marked in ("", marker):
            flow.marked = made[0]
        if flow.comment in ("", text):
            flow.comment = made[1]
        self._made[flow] = made


def comment(trail: Trail) -> str:
    """One line: `HIT from memory, 12 s old · gpt-4o`, `MISS (uri-miss), kept; nearest 0123456789ab differs in
    messages[0].content · gpt-4o`, `BYPASS: store · gpt-4o`."""
    outcome = trail.outcome
    assert outcome is not None
    if outcome.served:
        text = f"{outcome.word} from {trail.tier or 'the store'}, {int(outcome.age)} s old"
    elif outcome.word == "BYPASS":
        text = f"BYPASS: {outcome.detail}"
    else:
        text = f"MISS ({outcome.fwd})" + (", kept" if outcome.stored else "")
        told = answers.places(trail.near)
        text += f": {outcome.detail}" if outcome.detail not in ("", told) else ""
        text += (
            f"; nearest {trail.near.key[: answers.DIGITS]} differs in {told}" if told and trail.near else ""
        )
    return f"{text} · {trail.model}" if trail.model else text
