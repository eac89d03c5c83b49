from typing import NoReturn

import orjson
import pytest

from addons.flows import Rig, flow, response
from exchanges.openai import CHAT
from mitmcache.addons.control import Control
from mitmcache.addons.trail import trail_of
from mitmcache.store.disk import DiskStore

type Json = dict[str, object]


async def ask(rig: Rig, path: str, method: str = "GET", scheme: str = "http") -> tuple[int, Json]:
    asked = await rig.call(flow(method, f"{scheme}://llm.cache{path}", b""))
    assert asked.response and asked.response.headers["cache-control"] == "no-store"
    assert asked.response.headers["cross-origin-resource-policy"] == "same-origin"
    assert asked.response.headers["content-type"] == "application/json"
    assert trail_of(asked).outcome is None and "x-cache" not in asked.response.headers
    return asked.response.status_code, orjson.loads(asked.response.content or b"")


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_it_says_that_it_is_well(rig: Rig, scheme: str) -> None:
    assert await ask(rig, "/healthz", scheme=scheme) == (200, {"status": "ok"})


async def test_it_says_what_it_has_done(rig: Rig) -> None:
    await rig.repeat(CHAT, 3)
    await rig.repeat(CHAT, 1, cf_aig_skip_cache="true")
    code, found = await ask(rig, "/stats?a=b")
    size, ledgers = found.pop("bytes"), found.pop("ledgers")
    assert code == 200 and isinstance(size, int) and size > 0
    assert found == {
        "hits": 2,
        "misses": 1,
        "stored": 1,
        "corrupt": 0,
        "bypassed": {"skip": 1},
        "dropped": {},
        "entries": 1,
        "lookup_failed": 0,
        "lookup_timeout": 0,
        "queue_full": 0,
        "write_failed": 0,
        "upload_pending": 0,
        "upload_pending_bytes": 0,
        "spool_full": 0,
        "suspects": [],
    }
    assert isinstance(ledgers, dict)
    assert {name: sums["calls"] for name, sums in ledgers.items()} == {"billed": 2, "served": 4, "saved": 2}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/healthz", "/metrics", "/stats"])
async def test_nothing_can_be_changed_by_it(rig: Rig, method: str, path: str) -> None:
    asked = await rig.call(flow(method, f"http://llm.cache{path}", b""))
    assert asked.response and asked.response.status_code == 405
    assert asked.response.headers["allow"] == "GET"


@pytest.mark.parametrize("path", ["/", "/elsewhere", "/stats/", "/healthz/../stats"])
async def test_another_path_that_the_gateway_has_not_taken_is_told_which_there_are(
    rig: Rig, path: str
) -> None:
    """A script has sent the request here after its headers."""
    asked = flow("GET", f"http://llm.cache{path}", b"")
    answering = rig.get(Control).request(asked)
    assert answering
    await answering
    assert asked.response and asked.response.status_code == 404
    assert b"/healthz" in (asked.response.content or b"")


async def test_another_host_is_none_of_its_business(rig: Rig) -> None:
    assert (await rig.ask(flow("GET", "http://plain.example/healthz"))).response is None


async def test_who_must_say_a_password_is_not_answered_without(rig: Rig) -> None:
    asked = flow("GET", "http://llm.cache/stats")
    asked.response = refusal = response(b"who are you?", status=407)
    assert (await rig.ask(asked)).response is refusal


async def test_whatever_fails_a_request_to_us_does_not_go_upstream(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(self: DiskStore) -> NoReturn:
        raise RuntimeError("no such thing")

    monkeypatch.setattr(DiskStore, "stats", fail)
    asked = flow("GET", "http://llm.cache/stats", b"")
    with pytest.raises(RuntimeError):  # mitmproxy logs it
        await rig.ask(asked)
    assert asked.response and asked.response.status_code == 500
