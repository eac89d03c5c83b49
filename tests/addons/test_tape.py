"""The tape: what it is told, what it keeps of one test, and what it says became of its calls."""

import asyncio
import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from addons.flows import Rig, flow, flow_of, reply_of, response, word
from bundles import keys_of
from exchanges.base import Exchange
from exchanges.openai import CHAT, CHAT_STREAM
from made import CALL as EXCHANGED
from made import RECORD
from mitmcache.addons.calls import Calls, lower
from mitmcache.addons.lookup import Lookup
from mitmcache.addons.storage import Storage
from mitmcache.addons.tape import HEADER, SECRET, TOKEN, Anybody, Tape, tape_addons
from mitmcache.addons.trail import trail_of
from mitmcache.bundle.file import BundleWriter
from mitmcache.cache import record
from mitmcache.store.names import Names

CALL = "POST api.openai.com/v1/chat/completions (gpt-4o-mini-2024-07-18)"
OTHER = CHAT.saying("other")


@dataclass
class Deck:
    rig: Rig
    file: Path

    async def tell(self, step: str, token: str = "token", **said: object) -> tuple[int, dict[str, Any]]:
        asked = flow("POST", f"http://llm.cache/tape/{step}", orjson.dumps(said), [(HEADER, token)])
        told = (await self.rig.call(asked)).response
        assert told
        return told.status_code, orjson.loads(told.content or b"")

    async def begin(self, mode: str) -> dict[str, Any]:
        code, told = await self.tell("begin", mode=mode, bundles=[str(self.file)] if mode == "replay" else [])
        assert code == 200, told
        return told

    async def save(self) -> dict[str, Any]:
        code, told = await self.tell("save", bundle=str(self.file))
        assert code == 200, told
        return told

    async def ask(self, exchange: Exchange, status: int = 200) -> str:
        """What the caller is told; the upstream answers, if it is asked."""
        upstream = reply_of(exchange) if status == 200 else response(b"{}", status=status)
        return word(await self.rig.call(flow_of(exchange), upstream))


@pytest_asyncio.fixture
async def deck(make_rig: Callable[..., Rig], tmp_path: Path) -> Deck:
    rig = make_rig(llm_scope="shared", llm_ttl="0")
    rig.add(Tape(rig.storage, "token"))
    rig.storage.stores.secret = SECRET
    rig.get(Tape).running()
    return Deck(rig, tmp_path / "test.tar")


async def test_between_tests_it_is_as_if_we_were_not_there(deck: Deck) -> None:
    assert [await deck.ask(CHAT), await deck.ask(CHAT)] == ["BYPASS", "BYPASS"]


async def test_a_recording_begins_empty_and_holds_what_the_test_asked(deck: Deck) -> None:
    await deck.begin("record")
    await deck.ask(OTHER)
    await deck.begin("record")
    assert [await deck.ask(CHAT), await deck.ask(CHAT)] == ["MISS", "HIT"]
    told = await deck.save()
    assert (told["calls"], told["lost"], len(told["requests"])) == (2, [], 1)
    # so the plugin finds out whose variable it was
    assert hashlib.sha256(b"secret test-key-one").hexdigest() in told["secrets"]
    assert keys_of(deck.file) == list(told["requests"])


async def test_a_stream_is_recorded_too(deck: Deck) -> None:
    await deck.begin("record")
    await deck.ask(CHAT_STREAM)
    assert (await deck.save())["lost"] == []
    await deck.begin("replay")
    assert await deck.ask(CHAT_STREAM) == "HIT"


async def test_a_replay_has_the_recording_and_nothing_else(deck: Deck) -> None:
    await deck.begin("record")
    await deck.ask(CHAT)
    await deck.save()
    await deck.begin("record")
    await deck.ask(OTHER)
    await deck.begin("replay")
    assert [await deck.ask(CHAT), await deck.ask(OTHER)] == ["HIT", "MISS"]
    assert (await deck.save())["missed"] == [f"{CALL}: not recorded"]


async def test_a_recording_may_begin_with_what_others_have_asked(deck: Deck, tmp_path: Path) -> None:
    await deck.begin("record")
    await deck.ask(OTHER)
    _, told = await deck.tell("mark")
    assert told == {"mark": 1}
    await deck.ask(CHAT)
    since = str(tmp_path / "since.tar")
    _, told = await deck.tell("save", bundle=since, since=1)
    assert (told["calls"], keys_of(Path(since))) == (1, list(told["requests"]))
    await deck.tell("begin", mode="record", bundles=[since])
    assert await deck.ask(CHAT) == "HIT"
    await deck.ask(CHAT_STREAM)
    told = await deck.save()
    assert (told["lost"], len(keys_of(deck.file))) == ([], 2)


async def test_what_is_replayed_is_new(deck: Deck) -> None:
    await deck.begin("record")
    with deck.file.open("wb") as file:
        writer = BundleWriter(file)
        await deck.ask(CHAT)
        [key] = (await deck.save())["requests"]
        old = record.encode(replace(RECORD, key=key, dialect=CHAT.dialect, created=0, expires=1))
        writer.add(Names().entry(key, RECORD.about), len(old), 0, io.BytesIO(old))
        writer.close()
    await deck.begin("replay")
    asked = (await deck.rig.call(flow_of(CHAT, cache_control="max-age=60"))).response
    assert asked and asked.headers["x-cache"] == "HIT"


async def test_after_a_replay_nothing_goes_upstream_and_after_a_recording_it_does(deck: Deck) -> None:
    await deck.begin("record")
    await deck.tell("rest", mode="record")
    assert await deck.ask(OTHER) == "BYPASS"
    await deck.tell("rest", mode="replay")
    assert await deck.ask(OTHER) == "MISS"


async def test_what_could_not_be_kept_is_told_with_the_reason(deck: Deck) -> None:
    await deck.begin("record")
    await deck.ask(CHAT, status=500)
    told = await deck.save()
    assert told["lost"] == [f"{CALL}: could not be kept: status 500"]
    assert keys_of(deck.file) == []


async def test_a_retry_that_was_kept_is_enough(deck: Deck) -> None:
    await deck.begin("record")
    await deck.ask(CHAT, status=500)
    await deck.ask(CHAT)
    told = await deck.save()
    assert (told["lost"], len(told["requests"])) == ([], 1)


async def test_a_call_that_is_no_inference_is_refused_in_a_replay_and_told(deck: Deck) -> None:
    await deck.begin("record")
    await deck.save()
    await deck.begin("replay")
    await deck.rig.call(flow("GET", "https://api.openai.com/v1/files?a=b"))
    told = await deck.save()
    assert (told["refused"], told["missed"]) == (["GET api.openai.com/v1/files"], [])


async def test_a_recording_waits_for_calls_that_are_under_way(deck: Deck) -> None:
    await deck.begin("record")
    asked = await deck.rig.ask(flow_of(CHAT))
    saving = asyncio.create_task(deck.save())
    await asyncio.sleep(0)
    await deck.rig.reply(asked, reply_of(CHAT))
    assert len((await saving)["requests"]) == 1


async def test_an_answer_that_comes_after_its_test_is_not_the_next_ones(deck: Deck) -> None:
    await deck.begin("record")
    late = await deck.rig.ask(flow_of(CHAT))
    deck.rig.get(Tape)._open.clear()  # its time is over
    await deck.begin("record")
    await deck.rig.reply(late, reply_of(CHAT))
    told = await deck.save()
    assert (keys_of(deck.file), told["calls"], told["lost"]) == ([], 0, [])


async def test_who_pays_does_not_count_and_goes_upstream(deck: Deck) -> None:
    asked = flow_of(CHAT, openai_organization="org-mine", openai_project="mine", openai_beta="counts")
    trail_of(asked).call = replace(EXCHANGED, headers=tuple(lower(asked.request.headers)))
    Anybody().request(asked)
    call = trail_of(asked).call
    assert call and {name for name, _ in call.headers if name.startswith("openai")} == {"openai-beta"}
    assert asked.request.headers["openai-organization"] == "org-mine"


REFUSED = [
    pytest.param(b"rubbish" * 100, "cannot be read: not a tar file, or damaged", id="no tar"),
    pytest.param(b"", "cannot be read: its end is missing", id="nothing"),
]


@pytest.mark.parametrize(("data", "complaint"), REFUSED)
async def test_a_recording_that_cannot_be_read_is_refused(data: bytes, complaint: str, deck: Deck) -> None:
    deck.file.write_bytes(data)
    code, told = await deck.tell("begin", mode="replay", bundles=[str(deck.file)])
    assert (code, told) == (409, {"error": f"{deck.file} {complaint}"})


async def test_nobody_else_tells_it_anything(deck: Deck) -> None:
    assert (await deck.tell("begin", token="guess", mode="record"))[0] == 404
    assert (await deck.tell("elsewhere"))[0] == 404
    assert (
        await deck.rig.call(flow("PUT", "http://llm.cache/tape/begin", headers=[(HEADER, "token")]))
    ).response


def test_it_is_the_last_of_the_pipeline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN, "token")
    chain = tape_addons()
    assert isinstance(chain[-1], Tape)
    [after] = [place for place, addon in enumerate(chain) if isinstance(addon, Anybody)]
    assert isinstance(chain[after - 1], Calls) and isinstance(chain[after + 1], Lookup)
    assert sum(isinstance(addon, Storage) for addon in chain) == 1
