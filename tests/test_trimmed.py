import orjson
import pytest

from held import held_by
from mitmcache import trimmed

DOCUMENTS = {
    "empty": {},
    "short": {"model": "gpt-4o"},
    "many fields": {f"messages[{n}].content": "0" * 12 for n in range(200)},
    "a long text": {"content": "x" * 20_000},
    "floats": [n / 7 for n in range(50)],
}
OBJECT = 256
"""Bytes, enough for what an object of no bytes takes and its place in a list."""


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_what_is_kept_takes_no_more_memory_than_its_length(document: object) -> None:
    length = len(orjson.dumps(document))
    assert held_by(lambda: [trimmed.dumps(document) for _ in range(100)]) <= 100 * (length + OBJECT)


def test_it_says_what_orjson_would() -> None:
    document = {"b": 1, "a": [None, "é"]}
    assert trimmed.dumps(document) == orjson.dumps(document)
    option = orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    assert trimmed.dumps(document, option) == orjson.dumps(document, option=option)
