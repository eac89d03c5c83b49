"""The picture for the README: our ratio to bare mitmdump, one bar for each row that is worth one."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

from bench.table import MORE_IS_BETTER, Section

SHOWN = (MORE_IS_BETTER, "p50, ms", "first event p50, ms", "each event's way p50, ms")
WIDTH, LABELS, LINE, TOP = 760, 330, 22, 46
ONE = 130
"""Pixels that are a ratio of 1."""
GOOD, BAD = "#2f7d4f", "#b5532d"


def svg(sections: Sequence[Section], caption: str) -> str:
    """Bars to the right of the line at 1.0 are better: a time's ratio is turned over."""
    bars: list[str] = []
    place = TOP
    for section in sections:
        rows = [row for row in section.rows if row.what in SHOWN and row.ratio > 0]
        if section.first != "bare mitmdump" or not rows:
            continue
        bars.append(_text(8, place + 14, section.name, "font-weight='bold'"))
        place += LINE
        for row in rows:
            gain = row.ratio if row.what == MORE_IS_BETTER else 1 / row.ratio
            bars += _bar(place, row.what, gain)
            place += LINE
        place += LINE // 2
    line = LABELS + ONE
    height = place + 10
    return "\n".join(
        [
            f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{height}' "
            f"viewBox='0 0 {WIDTH} {height}' font-family='sans-serif' font-size='13'>",
            f"<rect width='{WIDTH}' height='{height}' fill='white'/>",
            _text(8, 20, caption, "font-size='14'"),
            *bars,
            f"<line x1='{line}' y1='{TOP - 6}' x2='{line}' y2='{height - 8}' stroke='#555' "
            "stroke-dasharray='4 3'/>",
            _text(line, TOP - 10, "bare mitmdump", "text-anchor='middle' fill='#555'"),
            "</svg>\n",
        ]
    )


def _bar(place: int, what: str, gain: float) -> list[str]:
    width = min(round(gain * ONE), WIDTH - LABELS - 60)
    colour = GOOD if gain >= 1 else BAD
    return [
        _text(LABELS - 8, place + 14, what, "text-anchor='end'"),
        f"<rect x='{LABELS}' y='{place + 3}' width='{width}' height='{LINE - 7}' fill='{colour}'/>",
        _text(LABELS + width + 6, place + 15, f"{gain:.2f}x"),
    ]


def _text(x: int, y: int, text: str, more: str = "") -> str:
    return f"<text x='{x}' y='{y}' {more}>{escape(text)}</text>"
