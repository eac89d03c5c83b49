import time
from pathlib import Path
from typing import Any

import pytest

from gateway.places import MadeUp, asking, slow
from journal.events import event
from mitmcache.exchange import Usage
from mitmcache.gateway.api import RANGES, Bad, selection
from mitmcache.journal.event import Cost
from mitmcache.selection import Selection

NOW = 1_000_000.0


@pytest.fixture
def place(tmp_path: Path) -> MadeUp:
    return MadeUp(tmp_path)


SELECTIONS: list[tuple[str, dict[str, str], Selection | str]] = [
    ("one condition", {"model": "gpt-*"}, Selection(model="gpt-*")),
    ("an age", {"older": "1h"}, Selection(before=NOW - 3600)),
    ("several", {"host": "a.example", "tag": "t"}, Selection(host="a.example", tag="t")),
    ("all", {"all": "true"}, Selection()),
    ("none", {}, "all:"),
    ("all and more", {"all": "true", "model": "x"}, "all:"),
    ("all that is not", {"all": "false"}, "all:"),
    ("an empty one, which would mean all", {"model": ""}, "model:"),
    ("an unknown one", {"modle": "x"}, "modle:"),
    ("an age that is none", {"older": "soon"}, "older:"),
    ("what only the store says", {"before": "1"}, "before:"),
]


@pytest.mark.parametrize(("said", "expected"), [pytest.param(*case[1:], id=case[0]) for case in SELECTIONS])
def test_which_answers_are_meant(said: dict[str, str], expected: Selection | str) -> None:
    if isinstance(expected, Selection):
        assert selection(said, NOW) == expected
    else:
        with pytest.raises(Bad, match=f"^{expected}"):
            selection(said, NOW)


BAD = [
    ("/api/summary?range=2h", "range:"),
    ("/api/summary?since=1", "since:"),
    ("/api/calls?limit=0", "limit:"),
    ("/api/calls?limit=nan", "limit:"),
    ("/api/calls?limit=1e9", "limit:"),
    ("/api/calls?before=x", "before:"),
    ("/api/calls?limit=1&limit=2", "limit:"),
    ("/api/purge", "all:"),
    ("/api/purge?modle=x", "modle:"),
    ("/api/purge?model=a&model=b", "model:"),
    ("/api/about?x=1", "x:"),
]


@pytest.mark.parametrize(("path", "why"), BAD)
async def test_what_cannot_be_asked_is_named(place: MadeUp, path: str, why: str) -> None:
    async with asking(place) as client:
        reply = await client.get(path)
    assert reply.status_code == 400 and reply.json()["error"].startswith(why)


BODIES = [
    ("no JSON", b"{", "body:"),
    ("no object", b"[]", "body:"),
    ("no text", b'{"all": true}', "body:"),
    ("nothing", b"", "body:"),
    ("no condition", b"{}", "all:"),
]


@pytest.mark.parametrize(("body", "why"), [pytest.param(*case[1:], id=case[0]) for case in BODIES])
async def test_a_change_that_cannot_be_read_changes_nothing(place: MadeUp, body: bytes, why: str) -> None:
    async with asking(place) as client:
        json = {"content-type": "application/json"}
        reply = await client.post("/api/purge", content=body, headers=json)
    assert reply.status_code == 400 and reply.json()["error"].startswith(why) and not place.purged


async def test_a_purge_can_be_looked_at_first_and_then_done(place: MadeUp) -> None:
    async with asking(place) as client:
        preview = (await client.get("/api/purge?model=gpt-*")).json()
        assert preview == {"entries": 3, "asked": {"model": "gpt-*"}} and not place.purged
        assert (await client.post("/api/purge", json={"model": "gpt-*"})).json() == {"deleted": 3}
    assert place.purged == [Selection(model="gpt-*")]


async def test_a_purge_that_others_were_not_told_of_is_no_success(place: MadeUp) -> None:
    place.fails = slow()
    async with asking(place) as client:
        reply = await client.post("/api/purge", json={"all": "true"})
    assert reply.status_code == 502 and "but not for others" in reply.json()["error"]


async def test_the_mode_is_changed_and_a_wrong_one_named(place: MadeUp) -> None:
    async with asking(place) as client:
        assert (await client.post("/api/mode", json={"mode": "offline"})).json() == {"mode": "offline"}
        wrong = await client.post("/api/mode", json={"mode": "on"})
        more = await client.post("/api/mode", json={"mode": "live", "x": "y"})
    assert (wrong.status_code, wrong.json()) == (400, {"error": "mode: 'on' is none of live, offline"})
    assert more.status_code == 400 and place.mode == "offline"


async def test_the_token_can_be_tried(place: MadeUp) -> None:
    async with asking(place) as client:
        assert (await client.post("/api/session", json={})).json() == {"changes": True}


@pytest.mark.parametrize(
    ("came", "token", "expected"), [(8082, "t", True), (0, "t", False), (8082, "", False)]
)
async def test_the_page_is_told_whether_it_may_change_anything(
    place: MadeUp, came: int, token: str, expected: bool
) -> None:
    place.token = token
    async with asking(place, came=came) as client:
        assert (await client.get("/api/about")).json()["changes"] is expected


async def test_a_store_that_fails_is_said(place: MadeUp) -> None:
    place.fails = slow()
    async with asking(place) as client:
        reply = await client.get("/api/store")
    assert (reply.status_code, reply.json()) == (503, {"error": "the disk of the cache is slow"})


def some(now: float) -> list[Any]:
    paid = {"usage": Usage(input_tokens=10, output_tokens=5), "cost": Cost(0.25, 0.75, 1.0, 0.0)}
    return [
        event(id="miss", began=now - 70, model="gpt", client="anna", duration=2.0, **paid),
        event(
            id="hit",
            began=now - 10,
            model="gpt",
            word="HIT",
            tier="memory",
            dialled=False,
            duration=0.001,
            **paid,
        ),
        event(id="failed", began=now - 5, model="claude", provider="anthropic", status=500),
    ]


@pytest.mark.parametrize("span", RANGES)
async def test_the_summary_adds_up(place: MadeUp, span: str) -> None:
    now = time.time()
    place.history.note(some(now))
    async with asking(place) as client:
        found = (await client.get(f"/api/summary?range={span}")).json()
    total, step = found["total"], found["step"]
    assert (total["billed"]["calls"], total["saved"]["calls"], total["served"]["calls"]) == (2, 1, 2)
    assert (total["saved"]["dollars"], total["billed"]["dollars"]) == (1.0, 1.0)
    assert sum(each["billed"]["calls"] for each in found["series"]) == 2
    assert all(
        each["at"] % step == 0 and found["since"] <= each["at"] < found["until"] for each in found["series"]
    )
    assert (found["until"] - found["since"]) % step == 0 and found["until"] > now
    assert [each["name"] for each in found["by"]["model"]] == ["gpt", "claude"]
    assert {each["name"] for each in found["by"]["provider"]} == {"openai", "anthropic"}
    assert found["latency"]["hit"]["calls"] == 1 and found["latency"]["miss"]["p50"] > 1


async def test_without_calls_the_summary_is_empty(place: MadeUp) -> None:
    async with asking(place) as client:
        found = (await client.get("/api/summary")).json()
    assert found["total"]["billed"]["calls"] == 0 and found["series"] == [] and found["by"]["model"] == []
    assert found["latency"]["hit"] == {"calls": 0, "p50": None, "p95": None}


async def test_the_last_calls_come_in_pages_and_one_can_be_opened(place: MadeUp) -> None:
    place.history.note(some(time.time()))
    async with asking(place) as client:
        first = (await client.get("/api/calls?limit=2")).json()["calls"]
        rest = (await client.get(f"/api/calls?before={first[-1]['number']}")).json()["calls"]
        opened = (await client.get("/api/call?id=hit")).json()
        unknown = await client.get("/api/call?id=none")
    assert [call["id"] for call in (*first, *rest)] == ["failed", "hit", "miss"]
    assert (opened["tier"], opened["headers"]["request"]) == ("memory", [["host", "api.openai.com"]])
    assert unknown.status_code == 404
