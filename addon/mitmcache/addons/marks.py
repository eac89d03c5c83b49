"""Tells hits, misses and bypasses apart at a glance in mitmweb, by marker and comment."""

from mitmproxy import ctx, http

from mitmcache.addons.trail import Trail, trail_of

MARKERS = {
    "HIT": ":green_circle:",
    "STALE": ":yellow_circle:",
    "MISS": ":blue_circle:",
    "BYPASS": ":white_circle:",
}


class Marks:
    """Leaves a marker or comment alone that somebody else has made."""

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
        flow.marked = flow.marked or MARKERS[trail.outcome.word]
        flow.comment = flow.comment or comment(trail)


def comment(trail: Trail) -> str:
    """One line: `HIT from memory, 12 s old · gpt-4o`, `MISS, kept · gpt-4o`, `BYPASS: store · gpt-4o`."""
    outcome = trail.outcome
    assert outcome is not None
    if outcome.served:
        text = f"{outcome.word} from {trail.tier or 'the store'}, {int(outcome.age)} s old"
    elif outcome.word == "BYPASS":
        text = f"BYPASS: {outcome.detail}"
    else:
        text = f"MISS ({outcome.fwd})" + (", kept" if outcome.stored else "")
        text += f": {outcome.detail}" if outcome.detail else ""
    return f"{text} · {trail.model}" if trail.model else text
