import gc
import weakref

import pytest
from mitmproxy import http
from mitmproxy.flow import Error

from addons.flows import flow, response
from made import CALL
from mitmcache.addons.trail import answered, new_trail, trail_of
from mitmcache.cache.body import Body
from mitmcache.cache.likeness import Likeness
from mitmcache.cache.status import Outcome

LIKENESS = Likeness((("path", b"/"),), Body("raw", b"", None, None), b"")


def test_a_flow_has_one_trail_from_first_sight_on() -> None:
    one, other = flow(), flow()
    assert trail_of(one) is trail_of(one) is not trail_of(other)


def test_a_copy_of_a_flow_has_a_trail_of_its_own() -> None:
    one = flow()
    trail_of(one).model = "m-1"
    assert trail_of(one.copy()).model == ""


def test_a_flow_that_starts_again_has_a_new_trail() -> None:
    one = flow()
    trail_of(one).model = "m-1"
    assert new_trail(one) is trail_of(one)
    assert trail_of(one).model == ""


def test_a_trail_goes_with_its_flow_whose_answer_it_holds() -> None:
    one = flow()
    one.response = trail_of(one).answer = response()
    held: list[weakref.ref[object]] = [weakref.ref(one), weakref.ref(one.response)]
    del one
    gc.collect()
    assert [ref() for ref in held] == [None, None]


def test_a_flow_can_be_saved_whatever_its_trail() -> None:
    one = flow()
    trail_of(one).answer = response()
    assert http.HTTPFlow.from_state(one.get_state()).id == one.id
    assert not one.metadata


@pytest.mark.parametrize(
    ("case", "expected"), [("on its way", False), ("answered", True), ("failed", True), ("from a file", True)]
)
def test_a_request_hook_stands_aside_where_nothing_is_left_to_do(case: str, expected: bool) -> None:
    one = flow()
    one.live = case != "from a file"
    if case == "answered":
        one.response = response()
    elif case == "failed":
        one.error = Error("Connection refused")
    assert answered(one) is expected


def test_what_only_the_way_to_the_end_needed_can_go_before_the_flow() -> None:
    trail = trail_of(flow())
    trail.call, trail.model, trail.tier, trail.likeness = CALL, "m-1", "memory", LIKENESS
    trail.outcome = Outcome("HIT")
    trail.forget()
    assert trail.call is None and trail.likeness is None
    assert (trail.model, trail.tier, trail.outcome) == ("m-1", "memory", Outcome("HIT"))
