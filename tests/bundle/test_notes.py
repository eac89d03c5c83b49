"""What a recording has beside its answers, there and back."""

from typing import Any

import pytest

from mitmcache.bundle import notes
from mitmcache.bundle.file import BadBundle
from mitmcache.bundle.notes import Notes

REQUESTS: dict[str, dict[str, Any]] = {
    "k2": {"group": "g", "shape": {"model": "12"}},
    "k1": {"group": "", "shape": {}},
}
FULL = Notes(["B_KEY", "A_KEY"], REQUESTS)


def test_they_can_be_read_back_and_are_the_same_text_in_whatever_order() -> None:
    assert notes.parse(FULL.text()) == FULL
    assert Notes(FULL.variables, dict(reversed(REQUESTS.items()))).text() == FULL.text()
    assert notes.parse(b"") == Notes()


BAD = [
    b"\xff",
    b"[]",
    b"1",
    b"null",
    b'{"variables": 1}',
    b'{"requests": []}',
    b'{"requests": {"k": {"group": "g"}}}',
    b'{"requests": {"k": {"group": "g", "shape": 1}}}',
    b"[" * 100_000,
]


@pytest.mark.parametrize("data", BAD, ids=range(len(BAD)))
def test_what_are_none_are_refused(data: bytes) -> None:
    with pytest.raises(BadBundle, match="its notes cannot be read"):
        notes.parse(data)
