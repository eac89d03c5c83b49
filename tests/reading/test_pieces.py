from typing import Any

from mitmcache.reading.pieces import MOST_PARTS, Slots, grow, joined, word


def test_pieces_become_one_text() -> None:
    holder: dict[str, Any] = {}
    for piece in ("Hel", "", None, 5, "lo"):
        grow(holder, "text", piece)
    assert joined(holder, "text", "other") == {"text": "Hello"}


def test_a_text_that_is_there_grows_on() -> None:
    holder: dict[str, Any] = {"text": "Hel", "list": [1]}
    grow(holder, "text", "lo")
    grow(holder, "list", "lo")
    assert joined(holder, "text", "list") == {"text": "Hello", "list": [1, "lo"]}


def test_slots_keep_their_order() -> None:
    slots = Slots()
    assert not slots
    slots.at(2)["a"] = 1
    slots.put("x", {"b": 2})
    slots.at(2)["c"] = 3
    slots.put("y", "no object")
    assert slots.all() == [{"a": 1, "c": 3}, {"b": 2}, {}]


def test_slots_are_bounded() -> None:
    slots = Slots()
    for index in range(MOST_PARTS + 5):
        slots.at(index)["a"] = 1
    assert len(slots.all()) == MOST_PARTS


def test_a_word_is_text() -> None:
    assert (word("a"), word(5), word(None)) == ("a", None, None)
