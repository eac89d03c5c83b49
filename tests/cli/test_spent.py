"""`mitmcache stats --since 7d --by model`: what calls have used and cost, without a proxy."""

import asyncio
import json
import time
from dataclasses import replace
from typing import Any

import pytest

from cli.console import Console
from journal.events import event
from mitmcache.exchange import Usage
from mitmcache.journal.event import Cost, Event
from mitmcache.journal.history import History
from mitmcache.journal.history_tables import DATABASE

DAY = 86400.0


def call(days: float = 0.0, **changes: Any) -> Event:
    """One that was made so many days ago."""
    facts = {"began": time.time() - days * DAY - 1, "usage": Usage(1000, 20), "cost": Cost(1, 0.5, 1.5, 0.25)}
    return event(**{**facts, **changes})


def hit(days: float = 0.0, **changes: Any) -> Event:
    return call(days, **{"word": "HIT", "dialled": False, **changes})


def keep(console: Console, *events: Event) -> None:
    async def write() -> None:
        history = History(console.data, float("inf"))
        history.note(events)
        await history.close(60)

    asyncio.run(write())


def spent(console: Console, *words: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(console.ok("stats", "--json", *words))
    return document


def test_the_three_ledgers_are_told_apart(console: Console) -> None:
    keep(console, call(), hit(), hit(), call(status=500, usage=None, cost=None))
    total = spent(console, "--since", "1d")["total"]
    assert [total[name]["calls"] for name in ("billed", "served", "saved")] == [2, 3, 2]
    assert [total[name]["dollars"] for name in ("billed", "served", "saved")] == [1.5, 4.5, 3.0]
    assert total["billed"]["cache_savings"] == 0.25


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        ("model", ["gpt-4o", "other"]),
        ("provider", ["openai", "made"]),
        ("client", ["127.0.0.1", "anna"]),
        ("host", ["api.openai.com", "api.made"]),
    ],
)
def test_groups_come_with_the_most_calls_first(console: Console, by: str, groups: list[str]) -> None:
    keep(console, call(), call(model="other", provider="made", client="anna", host="api.made"), hit())
    found = spent(console, "--by", by)
    assert (found["by"], [each[by] for each in found["groups"]]) == (by, groups)
    assert found["groups"][0]["saved"]["calls"] == 1


def test_only_the_last_time_is_told(console: Console) -> None:
    keep(console, call(8), call(3), call(0))
    assert spent(console, "--by", "host")["total"]["billed"]["calls"] == 2
    assert spent(console, "--since", "30d")["total"]["billed"]["calls"] == 3
    assert spent(console, "--since", "1h")["total"]["billed"]["calls"] == 1
    assert spent(console, "--since", "0")["total"]["billed"]["calls"] == 3
    assert console.ok("stats", "--since", "0").startswith("in all: 3 calls")


def test_days_come_in_order(console: Console) -> None:
    keep(console, call(2), call(0), call(0))
    lines = console.ok("stats", "--by", "day").splitlines()
    first = next(index for index, line in enumerate(lines) if line.startswith("DAY"))
    days = [line.split()[:2] for line in lines[first + 1 :]]
    assert [calls for _, calls in days] == ["1", "2"] and days == sorted(days)


def test_for_people_what_is_unknown_is_said(console: Console) -> None:
    keep(
        console,
        call(),
        hit(),
        call(cost=None, model="new"),
        call(usage=None, cost=None),
    )
    said = console.ok("stats", "--since", "7d").splitlines()
    assert said[0] == "in the last 7d: 4 calls served, 25.0% hits"
    assert said[1] == (
        "billed  3 calls, 2,000 tokens in, 40 out, $1.50 + 2 calls of unknown price, 1 call of unknown usage"
    )
    assert said[3] == "saved   1 call, 1,000 tokens in, 20 out, $1.50"
    assert said[4] == "the providers' prompt caches have saved $0.25 more"
    assert said[6].split() == [
        *("MODEL", "BILLED", "SAVED", "INPUT", "OUTPUT", "CACHED", "COST"),
        *("SAVED", "COST", "UNPRICED"),
    ]
    assert said[7].split() == ["gpt-4o", "2", "1", "1,000", "20", "0", "$1.50", "$1.50", "1"]
    assert said[8].split() == ["new", "1", "0", "1,000", "20", "0", "?", "$0.00", "1"]


def test_there_are_as_many_groups_as_asked_for(console: Console) -> None:
    keep(console, *(call(model=f"m{n}") for n in range(3)), call(model=""), call(model=""))
    said = console.ok("stats", "--by", "model", "--top", "1").splitlines()
    assert said[-2].startswith("(none)") and said[-1] == "and 3 more; see --top"


def test_names_of_strangers_cannot_steer_the_terminal(console: Console) -> None:
    keep(console, call(model="\x1b[2Jgpt"))
    assert "\x1b" not in console.ok("stats", "--by", "model")


def test_of_nothing_there_is_nothing_to_tell(console: Console) -> None:
    assert console.ok("stats", "--since", "2h") == "no calls in the last 2h\n"
    assert spent(console, "--since", "2h")["groups"] == []
    assert not console.data.exists()


def test_without_either_it_is_what_is_stored(console: Console) -> None:
    keep(console, call())
    assert "entries" in spent(console)


def test_what_cannot_be_is_said(console: Console) -> None:
    assert "--since" in console.fails("stats", "--since", "soon", code=2)
    assert "--by" in console.fails("stats", "--by", "colour", code=2)
    keep(console, call())
    (console.data / DATABASE).write_bytes(b"rubbish" * 5000)
    assert "history" in console.fails("stats", "--since", "1d")


def test_a_proxy_that_runs_does_not_matter(console: Console) -> None:
    async def write_and_read() -> str:
        history = History(console.data, float("inf"))
        history.note([replace(call(), id="a")])
        await history.flush(60)
        try:
            return await asyncio.to_thread(console.ok, "stats", "--since", "1d", "--json")
        finally:
            await history.close(60)

    assert json.loads(asyncio.run(write_and_read()))["total"]["billed"]["calls"] == 1
