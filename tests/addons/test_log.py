import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

import exchanges
from addons.conftest import MakeRig
from addons.flows import Rig, configured, flow_of, reply_of
from exchanges import Exchange
from exchanges.openai import CHAT
from mitmcache.addons.journaling import Journaling
from mitmcache.addons.log import CallLog
from mitmcache.journal.event import Event
from mitmcache.logs.line import console_lines, fields, json_lines
from mitmcache.otel import conventions

DEADLINE = 60.0


async def ended(rig: Rig) -> None:
    """Its log is written, as at the end of the proxy."""
    await rig.get(Journaling).journal.flush(DEADLINE)
    if closing := rig.get(CallLog).done():
        assert await closing


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_a_file_gets_a_line_for_each_call(make_rig: MakeRig, tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    rig = make_rig(llm_log_file=str(path))
    asked = await rig.call(flow_of(CHAT), reply_of(CHAT))
    await rig.call(flow_of(CHAT))
    await rig.call(flow_of(CHAT, cf_aig_skip_cache="true"), reply_of(CHAT))
    await ended(rig)
    found = lines(path)
    assert [(line["word"], line.get("reason")) for line in found] == [
        ("MISS", "uri-miss"),
        ("HIT", None),
        ("BYPASS", "skip"),
    ]
    assert found[0]["id"] == asked.id and found[0]["model"] == found[1]["model"] != ""
    assert [(line["ledger"], line["input_tokens"]) for line in found] == [
        ("billed", 9),
        ("saved", 9),
        ("billed", 9),
    ]


async def test_the_callers_trace_is_in_the_line(make_rig: MakeRig, tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    rig = make_rig(llm_log_file=str(path))
    await rig.call(flow_of(CHAT, Traceparent=f"00-{'a' * 32}-{'b' * 16}-01"), reply_of(CHAT))
    await ended(rig)
    assert lines(path)[0]["trace_id"] == "a" * 32


FORMS = [
    ("off by default where nobody looks", {}, False, ""),
    ("on a terminal", {}, True, "console"),
    ("off", {"llm_log": "off"}, True, ""),
    ("JSON", {"llm_log": "json"}, False, "json"),
    ("for people", {"llm_log": "console"}, False, "console"),
]


@pytest.mark.parametrize(
    ("options", "terminal", "form"), [pytest.param(*case[1:], id=case[0]) for case in FORMS]
)
async def test_standard_error_gets_what_its_reader_wants(
    make_rig: MakeRig,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    options: dict[str, str],
    terminal: bool,
    form: str,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys.stderr, "isatty", lambda: terminal)
        rig = make_rig(**options)
    await rig.call(flow_of(CHAT), reply_of(CHAT))
    await ended(rig)
    said = [line for line in capfd.readouterr().err.splitlines() if "MISS" in line]
    assert len(said) == bool(form)
    if form:
        assert said[0].startswith("{") == (form == "json") and ("\x1b" in said[0]) == terminal


async def test_a_file_for_people_has_no_colours(make_rig: MakeRig, tmp_path: Path) -> None:
    path = tmp_path / "calls.log"
    rig = make_rig(llm_log_file=str(path), llm_log="console")
    await rig.call(flow_of(CHAT), reply_of(CHAT))
    await ended(rig)
    assert " MISS " in path.read_text() and "\x1b" not in path.read_text()


async def test_it_follows_its_options_while_the_proxy_runs(make_rig: MakeRig, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    rig = make_rig(llm_log_file=str(first))
    journaling, log = rig.get(Journaling), rig.get(CallLog)
    written = [log._writing]
    for path, change in ((first, {}), (second, {"llm_log_file": str(second)}), (None, {"llm_log": "off"})):
        rig.options.update(**change)
        for addon in rig.pipeline[:1], [log]:
            configured(rig.manager, addon[0], *change)
        await rig.call(flow_of(CHAT.saying(f"w{len(str(path))}x{id(path)}")), reply_of(CHAT))
        await journaling.journal.flush(DEADLINE)
        written.append(log._writing)
    await ended(rig)
    for writing in written:
        assert writing is None or await asyncio.to_thread(writing.close, DEADLINE)
    assert (len(lines(first)), len(lines(second))) == (1, 1)


@pytest.mark.parametrize("option", ["llm_log_file", "llm_log_bodies"])
async def test_a_file_that_cannot_be_opened_after_all_is_a_warning_and_calls_go_on(
    make_rig: MakeRig, tmp_path: Path, option: str, caplog: pytest.LogCaptureFixture
) -> None:
    os.mkfifo(tmp_path / "pipe")
    rig = make_rig(**{option: str(tmp_path / "pipe")})
    await rig.call(flow_of(CHAT), reply_of(CHAT))
    await ended(rig)
    assert [record.message.partition(": nothing")[0] for record in caplog.records] == [f"mitmcache: {option}"]


SECRETS = ("test-key-one", "test-token-one", "__cf_bm", "sk-")
PUBLIC = frozenset({"model", "gen_ai.request.model"})


def said_by(exchange: Exchange) -> set[str]:
    """What an exchange's bodies say, but for what names its model."""

    def leaves(document: Any) -> list[str]:
        if isinstance(document, dict):
            return [leaf for each in document.values() for leaf in leaves(each)]
        if isinstance(document, list):
            return [leaf for each in document for leaf in leaves(each)]
        return [document] if isinstance(document, str) else []

    texts: list[str] = []
    for body in (exchange.body, exchange.answer, *exchange.answer.splitlines()):
        try:
            texts += leaves(orjson.loads(body.removeprefix(b"data:").strip()))
        except orjson.JSONDecodeError:
            texts.append(body.decode(errors="replace"))
    words = {text.lower() for text in texts if len(text.strip()) > 3}
    named = "".join((exchange.target, exchange.host, exchange.dialect, exchange.name)).lower()
    return {word for word in words if word not in named} | {"hello"}


async def test_nothing_of_any_dialects_prompts_answers_or_keys_is_told(rig: Rig) -> None:
    events: list[Event] = []
    rig.get(Journaling).listen(events.extend)
    said: dict[str, set[str]] = {}
    for exchange in exchanges.ALL:
        for upstream in (reply_of(exchange), None):
            skipped = {} if upstream else {"cache_control": "only-if-cached"}
            asked = await rig.call(flow_of(exchange, **skipped), upstream or reply_of(exchange))
            said[asked.id] = said_by(exchange)
    await rig.get(Journaling).journal.flush(DEADLINE)
    assert {event.id for event in events} == said.keys() and len(said) == 2 * len(exchanges.ALL)
    as_json, as_text = json_lines(), console_lines(colours=False)
    for event in events:
        attributes = conventions.span_attributes(event, latest=True)
        labels = [dict(each.labels) for each in conventions.measures(event, latest=False)]
        texts = [
            str(value).lower()
            for told in (fields(event), attributes, *labels)
            for name, value in told.items()
            if name not in PUBLIC
        ]
        for word in said[event.id] - {event.operation}:
            assert not [text for text in texts if word in text], (event.dialect, word)
        whole = b"".join((*as_json([event]), *as_text([event]))).decode() + repr((attributes, labels))
        assert not [secret for secret in SECRETS if secret in whole]
        assert "hello" not in whole.lower()


def test_the_log_is_not_imported_where_there_is_none() -> None:
    code = (
        "import sys; from mitmcache.addons import default_addons; default_addons();"
        "print([n for n in ('structlog', 'opentelemetry', 'requests') if n in sys.modules])"
    )
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "addon")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environ, timeout=60)
    assert done.stdout.strip() == b"[]", done.stderr
