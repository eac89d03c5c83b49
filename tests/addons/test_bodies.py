import gzip
import json
import stat
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

import exchanges
from addons.conftest import MakeRig
from addons.flows import Rig, configured, edit, flow, flow_of, reply_of, response
from exchanges.anthropic import MESSAGES
from exchanges.openai import CHAT, CHAT_STREAM
from mitmcache.addons.bodies import BodyLog
from mitmcache.background import Background

SECRETS = ("test-key-one", "test-token-one", "__cf_bm", "authorization", "api-key")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bodies.jsonl"


@pytest_asyncio.fixture
async def logging_rig(make_rig: MakeRig, path: Path) -> Rig:
    return make_rig(llm_log_bodies=str(path))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def written(rig: Rig, path: Path) -> list[dict[str, Any]]:
    closing = rig.get(BodyLog).done()
    assert closing and await closing
    return lines(path)


async def test_nothing_is_written_unless_it_is_asked_for(rig: Rig, tmp_path: Path) -> None:
    await rig.call(flow_of(CHAT), reply_of(CHAT))
    assert rig.get(BodyLog).done() is None


async def test_a_call_and_its_answer_are_written_once_each(logging_rig: Rig, path: Path) -> None:
    missed = await logging_rig.call(flow_of(CHAT), reply_of(CHAT))
    await logging_rig.call(flow_of(CHAT))
    miss, hit = await written(logging_rig, path)
    assert (miss["id"], miss["word"], hit["word"]) == (missed.id, "MISS", "HIT")
    assert miss["request"]["body"] == hit["request"]["body"] == json.loads(CHAT.body)
    assert miss["response"]["body"] == hit["response"]["body"] == json.loads(CHAT.reply)
    assert mode(path) == 0o600


async def test_a_stream_is_written_as_it_came(logging_rig: Rig, path: Path) -> None:
    asked = await logging_rig.ask(flow_of(CHAT_STREAM))
    await logging_rig.reply(asked, reply_of(CHAT_STREAM))
    [line] = await written(logging_rig, path)
    assert line["response"]["body"] == CHAT_STREAM.answer.decode()


async def test_what_came_compressed_is_written_plain(logging_rig: Rig, path: Path) -> None:
    kinds = (("content-type", "application/json"), ("content-encoding", "gzip"))
    asked = flow_of(CHAT, content_encoding="gzip")
    asked.request.raw_content = gzip.compress(CHAT.body)
    await logging_rig.call(asked, response(gzip.compress(CHAT.reply), kinds))
    [line] = await written(logging_rig, path)
    assert line["request"]["body"] == json.loads(CHAT.body)
    assert line["response"]["body"] == json.loads(CHAT.reply)


async def test_a_call_that_breaks_off_is_written_once(logging_rig: Rig, path: Path) -> None:
    asked = await logging_rig.ask(flow_of(CHAT))
    await logging_rig.fail(asked)
    await logging_rig.fail(asked)
    [line] = await written(logging_rig, path)
    assert (line["status"], line["response"]) == (None, None)


async def test_what_is_no_llm_call_is_not_written(logging_rig: Rig, path: Path) -> None:
    await logging_rig.call(flow("GET", "https://example.com/"), response(b"hello"))
    assert await written(logging_rig, path) == []


async def test_no_credential_of_any_dialect_is_written(logging_rig: Rig, path: Path) -> None:
    for exchange in exchanges.ALL:
        key = flow_of(exchange)
        key.request.query["key"] = "test-key-one"
        await logging_rig.call(key, reply_of(exchange, ("set-cookie", "__cf_bm=abc")))
    found = await written(logging_rig, path)
    assert len(found) == len(exchanges.ALL)
    assert not [secret for secret in SECRETS if secret in json.dumps(found).lower()]


async def test_that_it_is_on_is_a_warning(
    make_rig: MakeRig, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_rig(llm_log_bodies=str(path))
    [record] = caplog.records
    assert record.levelname == "WARNING" and str(path) in record.message
    assert "prompts and answers" in record.message


async def test_it_can_be_turned_off_while_the_proxy_runs(logging_rig: Rig, path: Path) -> None:
    await logging_rig.call(flow_of(CHAT), reply_of(CHAT))
    logging_rig.options.update(llm_log_bodies="")
    for addon in (logging_rig.pipeline[0], logging_rig.get(BodyLog)):
        configured(logging_rig.manager, addon, "llm_log_bodies")
    await logging_rig.call(flow_of(MESSAGES), reply_of(MESSAGES))
    assert logging_rig.get(BodyLog).done() is None


async def test_more_than_may_wait_is_lost_and_said(
    logging_rig: Rig, path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = logging_rig.get(BodyLog)
    assert isinstance(log._writing, Background)
    monkeypatch.setattr(log._writing, "_most_bytes", 10)
    await logging_rig.call(flow_of(CHAT), reply_of(CHAT))
    assert await written(logging_rig, path) == []
    assert "the log of bodies: 1 lost so far: too many waited" in caplog.text


async def test_what_the_user_edited_is_written_as_it_went(logging_rig: Rig, path: Path) -> None:
    asked = flow_of(CHAT)
    edit(asked, CHAT.body.replace(b"hello", b"goodbye"))
    await logging_rig.call(asked, reply_of(CHAT))
    [line] = await written(logging_rig, path)
    assert "goodbye" in json.dumps(line["request"]["body"])
