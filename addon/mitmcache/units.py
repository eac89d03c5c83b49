"""Durations and sizes, as people write them."""

import math
import re

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)?", re.IGNORECASE)
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)
_BYTES = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def duration(text: str) -> float:
    """`90s`, `15m`, `24h`, `7d`, a bare number of seconds -> seconds; `0` -> math.inf, never expires."""
    match = _DURATION.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a duration; write 90s, 15m, 24h, 7d, or 0 for never expires")
    seconds = float(match[1]) * _SECONDS[(match[2] or "s").lower()]
    return seconds or math.inf


def age(text: str) -> float:
    """As `duration`, but that `0` is no time: of what is older than that."""
    seconds = duration(text)
    return 0.0 if math.isinf(seconds) else seconds


def size(text: str) -> int:
    """`64m`, `256m`, `10g`, a bare number of bytes -> bytes. Powers of 1024."""
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a size; write 512k, 64m, 10g")
    amount = float(match[1]) * _BYTES[match[2].lower()]
    if amount >= 2**63:
        raise ValueError(f"{text[:40]!r} is more bytes than there are; write 512k, 64m, 10g")
    return int(amount)
