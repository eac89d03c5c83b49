import json

import pytest

from mitmcache.cache.generations import MAX_BYTES, MAX_TEXT, Generations
from mitmcache.selection import Selection

LONG = {"n": 1, "select": {"model": "m" * (MAX_TEXT + 1)}}
BAD: list[tuple[str, object]] = [
    ("a later version", {"version": 2, "floor": 0, "purges": []}),
    ("no version", {"floor": 0, "purges": []}),
    ("no floor", {"version": 1, "purges": []}),
    ("no purges", {"version": 1, "floor": 0}),
    ("a list", []),
    ("a floor that is no number", {"version": 1, "floor": "0", "purges": []}),
    ("a negative floor", {"version": 1, "floor": -1, "purges": []}),
    ("a later condition", {"version": 1, "floor": 0, "purges": [{"n": 1, "select": {"user": "u"}}]}),
    ("no conditions", {"version": 1, "floor": 0, "purges": [{"n": 1}]}),
    ("conditions that are none", {"version": 1, "floor": 0, "purges": [{"n": 1, "select": []}]}),
    ("a purge without a number", {"version": 1, "floor": 0, "purges": [{"select": {}}]}),
    ("a fraction", {"version": 1, "floor": 0, "purges": [{"n": 1.5, "select": {}}]}),
    ("a number that no record holds", {"version": 1, "floor": 1 << 62, "purges": []}),
    ("an endless name", {"version": 1, "floor": 0, "purges": [LONG]}),
    ("no time", {"version": 1, "floor": 0, "purges": [{"n": 1, "select": {"before": float("nan")}}]}),
    ("a time beyond all", {"version": 1, "floor": 0, "purges": [{"n": 1, "select": {"before": 10**400}}]}),
]  # fmt: skip


@pytest.mark.parametrize("document", [pytest.param(case[1], id=case[0]) for case in BAD])
def test_what_is_not_understood_is_refused_whole(document: object) -> None:
    with pytest.raises(ValueError):
        Generations.from_json(json.dumps(document).encode())


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[" * 100_000, b" " * (MAX_BYTES + 1)], ids=len)
def test_what_is_no_document_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        Generations.from_json(data)


def test_the_form_is_pinned() -> None:
    known = Generations({Selection(provider="p", model="m*", before=1.5): 7, Selection(tag="t"): 9}, 3)
    expected = (
        b'{"version":1,"floor":3,"purges":[{"n":9,"select":{"tag":"t"}},'
        b'{"n":7,"select":{"provider":"p","model":"m*","before":1.5}}]}'
    )
    assert known.to_json() == expected


@pytest.mark.parametrize(
    "selection",
    [Selection(model="m" * (MAX_TEXT + 1)), Selection(before=float("nan")), Selection(before=-1)],
    ids=["a long name", "no time", "a time before all"],
)
def test_no_purge_is_made_that_could_not_be_told(selection: Selection) -> None:
    with pytest.raises(ValueError, match=r"model|before"):
        Generations().purged(selection, 1.0)
