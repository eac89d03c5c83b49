import time
from dataclasses import replace
from pathlib import Path

import pytest
from mitmproxy import exceptions

from addons.conftest import MakeRig
from addons.flows import Rig, configured, flow_of, response
from exchanges.openai import CHAT
from mitmcache.addons.history import CallHistory
from mitmcache.addons.journaling import Journaling
from mitmcache.addons.options import Options

JSON = (("content-type", "application/json"),)
WHOLE = b'{"object":"chat.completion","model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant",'
ANSWER = (
    WHOLE + b'"content":"x"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":1000000,"completion_tokens":0,"total_tokens":1000000}}'
)


async def both(rig: Rig) -> None:
    """A miss, and its hit, of today."""
    for upstream in (response(ANSWER, JSON), None):
        asked = flow_of(CHAT)
        asked.request.timestamp_start = time.time()
        await rig.call(asked, upstream)


async def test_a_miss_is_billed_and_its_hit_saves_the_same(rig: Rig) -> None:
    await both(rig)
    history = rig.get(CallHistory)
    await history.statistics()
    billed, served, saved = (getattr(history.ledgers, name) for name in ("billed", "served", "saved"))
    assert billed == saved and billed.input_tokens == 1_000_000 and billed.dollars == 2.5
    assert (served.calls, served.dollars) == (2, 5.0)


async def test_calls_are_in_the_history_of_the_next_run(make_rig: MakeRig) -> None:
    first = make_rig()
    await both(first)
    await first.close()
    second = make_rig()
    found = await second.get(CallHistory).history.recent()
    assert [each.event.word for each in found] == ["HIT", "MISS"]
    assert second.get(CallHistory).ledgers.billed.calls == 0


async def test_no_body_and_no_credential_is_in_the_history(rig: Rig, tmp_path: Path) -> None:
    await both(rig)
    await rig.close()
    stored = b"".join(path.read_bytes() for path in (tmp_path / "data").glob("history.sqlite3*"))
    assert b"gpt-4o" in stored
    assert b"hello" not in stored.lower() and b"sk-" not in stored and b'"content":"x"' not in stored


async def test_the_history_can_be_switched_off_while_running(rig: Rig) -> None:
    history = rig.get(CallHistory)
    rig.options.update(llm_history="off")
    for addon in rig.pipeline:
        configured(rig.manager, addon, "llm_history")
    await both(rig)
    await history.statistics()
    assert await history.history.recent() == [] and history.ledgers.billed.calls == 1


async def test_its_folder_is_that_of_the_start(rig: Rig, tmp_path: Path) -> None:
    options = rig.get(Options)
    options.current = replace(options.current, data_dir=tmp_path / "elsewhere")
    with pytest.raises(exceptions.OptionsError, match="llm_data_dir"):
        rig.get(CallHistory).configure({"llm_data_dir"})


async def test_a_history_that_cannot_be_written_holds_up_no_call(
    make_rig: MakeRig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = make_rig()
    (tmp_path / "data" / "history.sqlite3").mkdir()
    await both(rig)
    history = rig.get(CallHistory)
    await history.statistics()
    await history.history.flush(60.0)
    assert caplog.text.count("finished calls are not kept") == 1
    assert history.ledgers.saved.calls == 1


async def test_before_it_is_configured_there_is_nothing_to_close() -> None:
    options = Options()
    assert CallHistory(options, Journaling(options)).done() is None
