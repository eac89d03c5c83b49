from collections.abc import Iterator

import pytest
from mitmproxy import http
from mitmproxy.addons.view import View
from mitmproxy.test import tflow

from addons.flows import context, flow, response
from mitmcache.addons.pruner import MAX_MESSAGES, Pruner


@pytest.fixture
def view() -> Iterator[View]:
    """What mitmweb keeps its flows in."""
    made = View()
    with context(made):
        yield made


def shown(view: View) -> list[http.HTTPFlow]:
    return [each for each in view if isinstance(each, http.HTTPFlow)]


def started(view: View, size: int = 0) -> http.HTTPFlow:
    made = flow(body=b"1" * size)
    view.add([made])
    return made


def ended(pruner: Pruner, made: http.HTTPFlow, size: int = 0) -> http.HTTPFlow:
    """As mitmproxy does it: the flow is live in its own hook, and no more after it."""
    made.response = response(b"1" * size)
    pruner.response(made)
    made.live = False
    return made


async def test_the_oldest_finished_flows_go(view: View) -> None:
    pruner = Pruner(max_flows=3)
    made = [ended(pruner, started(view)) for _ in range(10)]
    assert shown(view) == made[-3:]


async def test_the_bytes_of_both_bodies_are_bounded(view: View) -> None:
    pruner = Pruner(max_bytes=1000)
    made = [ended(pruner, started(view, 200), 100) for _ in range(10)]
    assert shown(view) == made[-3:]


async def test_flows_that_fail_count_as_well(view: View) -> None:
    pruner = Pruner(max_flows=1)
    for made in (first := started(view), second := started(view)):
        made.kill()
        pruner.error(made)
        made.live = False
    assert shown(view) == [second] and not first.live


async def test_a_live_flow_never_goes_and_holds_no_other_up(view: View) -> None:
    """Removing it would kill it: a WebSocket stays live after its response."""
    pruner = Pruner(max_flows=2)
    live = started(view)
    live.response = response(status=101)
    pruner.response(live)
    made = [ended(pruner, started(view)) for _ in range(5)]
    assert shown(view) == [live, made[-1]] and live.error is None
    waiting = started(view)
    ended(pruner, started(view))
    assert waiting in shown(view)


async def test_nothing_but_live_flows_is_no_reason_to_wait(view: View) -> None:
    pruner = Pruner(max_flows=1)
    made = [started(view) for _ in range(3)]
    for each in made:
        pruner.response(each)
    assert shown(view) == made


async def test_a_flow_that_the_user_has_removed_is_gone_already(view: View) -> None:
    pruner = Pruner(max_flows=1)
    first = ended(pruner, started(view))
    view.remove([first])
    second, third = (ended(pruner, started(view)) for _ in range(2))
    assert shown(view) == [third] and second not in shown(view)


def test_mitmdump_keeps_no_flows_and_neither_do_we() -> None:
    with context():
        pruner = Pruner(max_flows=0)
        ended(pruner, flow())
        assert not pruner._finished


def test_a_websocket_keeps_its_last_messages() -> None:
    made = tflow.twebsocketflow()
    assert made.websocket
    pruner, [message, *_] = Pruner(), made.websocket.messages
    made.websocket.messages = [message] * MAX_MESSAGES + [last := made.websocket.messages[-1]]
    pruner.websocket_message(made)
    assert len(made.websocket.messages) == MAX_MESSAGES and made.websocket.messages[-1] is last
    pruner.websocket_message(made)
    assert len(made.websocket.messages) == MAX_MESSAGES
