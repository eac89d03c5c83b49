import orjson

from journal.events import event
from mitmcache.exchange import Usage
from mitmcache.gateway import documents
from mitmcache.journal.event import Cost


def test_a_call_says_what_it_used_and_cost() -> None:
    told = event(usage=Usage(input_tokens=3, output_tokens=4), cost=Cost(1.0, 2.0, 3.0, 0.5))
    line = documents.call(told)
    assert (line["input_tokens"], line["output_tokens"], line["cost"]) == (3, 4, 3.0)
    assert documents.detail(told)["usage"] == {"input_tokens": 3, "output_tokens": 4}
    assert documents.detail(told)["costs"] == {
        "input": 1.0,
        "output": 2.0,
        "total": 3.0,
        "cache_savings": 0.5,
    }


def test_what_is_unknown_is_none_and_not_zero() -> None:
    line, detail = documents.call(event(first_byte=None)), documents.detail(event())
    assert (line["input_tokens"], line["cost"], line["first_byte"]) == (None, None, None)
    assert (detail["usage"], detail["costs"]) == ({}, None)


def test_a_line_has_the_first_place_that_differs_and_the_detail_all() -> None:
    told = event(nearest="ab", differs=("messages[0].content", "temperature"))
    assert documents.call(told)["differs"] == ["messages[0].content"]
    assert documents.detail(told)["differs"] == ["messages[0].content", "temperature"]
    assert documents.detail(told)["nearest"] == "ab"


def test_a_detail_has_all_that_the_line_has() -> None:
    assert documents.call(event()).keys() <= documents.detail(event()).keys()
    assert orjson.dumps(documents.detail(event(word="HIT", tier="memory")))
