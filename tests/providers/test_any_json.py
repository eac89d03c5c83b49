"""Whatever JSON a stranger sends: no dialect raises, and the same judgement is given twice."""

import base64
import copy
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mitmcache.providers.base import Json
from mitmcache.providers.catalogue import PROVIDERS, find, user_host
from mitmcache.reasons import Reason
from mitmcache.wire.events import Event
from providers.hearing import LENIENT

DIALECTS = sorted(
    {dialect for provider in PROVIDERS for _, _, dialect in provider.operations},
    key=lambda dialect: dialect.name,
)
NAMES = """
    agent amazon-bedrock-invocationMetrics anthropic_version arguments background blockReason bytes cachePoint
    candidates choices container content contentBlockIndex context conversation data delta done environment
    error event_type finishReason finish_reason function function_call generations id index input instances
    interaction is_finished item message messages options output parameters partial_json predictions prompt
    promptFeedback response role status stop stopReason stop_reason store stream stream_format system text
    thread toolConfig toolUse tool_calls tools type url usage use_cache
"""
WORDS = """
    completed failed incomplete stop error message function_call tool-call-delta message-end message_delta
    message_stop content_block_delta content_filter SAFETY STOP ERROR response.completed response.incomplete
    response.output_item.done interaction.completed refusal {"a":1} {"a": container_1
"""
FRAMES = ("", "chunk", "contentBlockDelta", "messageStop", "metadata")
names = st.sampled_from(NAMES.split())
words = st.sampled_from(WORDS.split())
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | words
documents: st.SearchStrategy[Json] = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(names | st.text(max_size=3), inner, max_size=5)
    ),
    max_leaves=25,
)
objects = st.dictionaries(names, documents, max_size=8)
VERDICTS: tuple[Any, ...] = (None, *Reason)


def data(document: Json) -> bytes:
    return json.dumps(document).encode()


@settings(max_examples=300)
@given(document=documents | objects)
def test_any_request_is_read_and_pruned_once_for_all(document: Json) -> None:
    for dialect in DIALECTS:
        body = copy.deepcopy(document)
        assert dialect.refuse(body) in VERDICTS
        assert isinstance(dialect.model("/v1/x", body), str)
        assert isinstance(dialect.streams("/v1/x", body), bool)
        if dialect.prune:
            dialect.prune(body)
            once = data(body)
            dialect.prune(body)
            assert data(body) == once


@settings(max_examples=300)
@given(document=documents | objects)
def test_any_reply_is_judged_and_left_as_it_is(document: Json) -> None:
    before = data(document)
    for dialect in DIALECTS:
        assert dialect.judge(document) in VERDICTS
    assert data(document) == before


events_of_any_kind = st.builds(
    Event,
    name=words | st.text(max_size=5) | st.sampled_from(FRAMES),
    data=st.binary(max_size=20)
    | (documents | objects).map(data)
    | st.just(b"[DONE]")
    | objects.map(lambda document: data({"bytes": base64.b64encode(data(document)).decode()})),
    error=st.sampled_from([False, False, False, True]),
)


@settings(max_examples=300)
@given(events=st.lists(events_of_any_kind, max_size=6), clean_end=st.booleans())
def test_any_stream_is_heard(events: list[Event], clean_end: bool) -> None:
    for dialect in DIALECTS:
        if dialect.listen is None:
            continue
        listener = dialect.listen(LENIENT)
        for event in events:
            listener.hear(event)
        verdict = listener.verdict(clean_end=clean_end)
        assert verdict in VERDICTS
        assert listener.verdict(clean_end=clean_end) is verdict
        assert verdict is not None or not any(event.error for event in events)


@given(st.text(), st.text(), st.text())
def test_any_host_and_path_are_looked_up(host: str, method: str, path: str) -> None:
    assert find(host, method, path) is None


@given(st.text())
def test_any_text_is_a_users_host_or_a_value_error(spec: str) -> None:
    for text in (spec, f"{spec}=openai", f"gw.example={spec}"):
        try:
            host, _ = user_host(text)
        except ValueError:
            continue
        assert host == host.strip().lower()
