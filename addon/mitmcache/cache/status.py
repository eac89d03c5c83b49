"""What a caller is told: one outcome, in the words of RFC 9211 and in those of Cloudflare."""

import math
from dataclasses import dataclass
from typing import Literal

from mitmcache.exchange import Headers

type Word = Literal["HIT", "MISS", "BYPASS", "STALE"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """`fwd`, `fwd_status`, `stored` and `detail` are RFC 9211's parameters; `ttl` and `age` in seconds.

    `detail` is a reason, or the places in which a miss differs from the nearest stored request.
    """

    word: Word
    fwd: str = ""
    fwd_status: int = 0
    stored: bool = False
    detail: str = ""
    ttl: float = math.inf
    age: float = 0.0

    @property
    def served(self) -> bool:
        """The answer came from the cache."""
        return self.word in ("HIT", "STALE")


def headers(outcome: Outcome) -> Headers:
    """Lower-case names, in the order to be sent."""
    told = [
        ("x-cache", outcome.word),
        ("cf-aig-cache-status", "HIT" if outcome.served else "MISS"),
        ("cache-status", cache_status(outcome)),
    ]
    if outcome.served:
        told.append(("age", str(int(outcome.age))))
    return tuple(told)


def cache_status(outcome: Outcome) -> str:
    """The member of RFC 9211's list that is ours."""
    parameters = ["mitmcache"]
    if outcome.served:
        parameters.append("hit")
        if math.isfinite(outcome.ttl):
            parameters.append(f"ttl={math.floor(outcome.ttl)}")
    else:
        if outcome.fwd:
            parameters.append(f"fwd={outcome.fwd}")
        if outcome.fwd_status:
            parameters.append(f"fwd-status={outcome.fwd_status}")
        if outcome.stored:
            parameters.append("stored")
    if outcome.detail:
        parameters.append(f"detail={_item(outcome.detail)}")
    return "; ".join(parameters)


def _item(text: str) -> str:
    """A structured field's token where the text is one, else its string (RFC 8941 3.3)."""
    if text[:1].isalpha() and all(mark.isalnum() or mark in "-_.:/*" for mark in text) and text.isascii():
        return text
    visible = "".join(mark if " " <= mark <= "~" else "?" for mark in text)
    return '"' + visible.replace("\\", "\\\\").replace('"', '\\"') + '"'
