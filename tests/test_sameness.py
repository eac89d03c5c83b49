"""Over every recorded inference request: what makes two of them the same call, and what does not."""

import random
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asked import (
    SECRET,
    Asked,
    another,
    counted,
    documents,
    key_of,
    leaves,
    recorded,
    value_at,
    with_value,
    with_volatile,
)
from changed import change
from corpus import corpus_dir
from made import read
from mitmcache.cache import multipart
from mitmcache.exchange import Call, header

needs_corpus = pytest.mark.skipif(corpus_dir() is None, reason="no corpus")


def reversed_keys(node: Any) -> Any:
    if isinstance(node, dict):
        return {name: reversed_keys(value) for name, value in reversed(node.items())}
    return [reversed_keys(element) for element in node] if isinstance(node, list) else node


def other_numbers(node: Any) -> Any:
    """1 for 1.0, and the other way round."""
    if isinstance(node, dict):
        return {name: other_numbers(value) for name, value in node.items()}
    if isinstance(node, list):
        return [other_numbers(element) for element in node]
    if isinstance(node, float) and node.is_integer():
        return int(node)
    return float(node) if type(node) is int and abs(node) < 2**53 else node


def all_volatile(asked: Asked, value: Any) -> Any:
    document = asked.document
    for path in asked.call.dialect.volatile:
        document = with_volatile(document, path, value)
    return document


SAME_BODY: dict[str, Callable[[Asked], Call]] = {
    "re-ordered keys": lambda asked: asked.saying(reversed_keys(asked.document)),
    "no white space": lambda asked: asked.saying(asked.document, separators=(",", ":"), ensure_ascii=False),
    "much white space and escapes": lambda asked: asked.saying(asked.document, indent=3),
    "1.0 for 1": lambda asked: asked.saying(other_numbers(asked.document)),
    "volatile fields": lambda asked: asked.saying(all_volatile(asked, "x")),
    "other volatile values": lambda asked: asked.saying(all_volatile(asked, {"id": [1, None]})),
}


@needs_corpus
@pytest.mark.parametrize("change", [pytest.param(change, id=name) for name, change in SAME_BODY.items()])
def test_another_way_to_write_a_request_is_the_same_call(change: Callable[[Asked], Call]) -> None:
    assert [asked.name for asked in documents() if key_of(change(asked)) != key_of(asked.call)] == []


@needs_corpus
def test_nearly_every_request_has_one_meaning() -> None:
    kinds = [read(asked.call).kind for asked in recorded()]
    assert len(kinds) > 1500 and kinds.count("raw") <= 20 and kinds.count("multipart") > 0


SDK = (
    ("user-agent", "another-sdk/9"),
    ("accept-encoding", "br, zstd"),
    ("accept-language", "eo"),
    ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ("tracestate", "a=1"),
    ("baggage", "a=1"),
    ("x-request-id", "r-1"),
    ("x-client-request-id", "r-1"),
    ("idempotency-key", "i-1"),
    ("x-stainless-retry-count", "7"),
    ("x-stainless-runtime-version", "9"),
    ("x-fern-sdk-version", "9"),
    ("x-goog-api-client", "gl-python/9"),
    ("x-goog-request-params", "a=1"),
    ("x-amz-date", "20300101T000000Z"),
    ("x-amz-content-sha256", "0"),
    ("x-amzn-trace-id", "t"),
    ("amz-sdk-invocation-id", "i"),
    ("amz-sdk-request", "attempt=3"),
    ("x-claude-code-session-id", "s"),
    ("session-id", "s"),
    ("x-codex-turn-metadata", "t"),
    ("cookie", "a=1"),
    ("content-length", "1"),
    ("connection", "close"),
)


def other_sdk(call: Call) -> Call:
    names = {name for name, _ in SDK}
    kept = [pair for pair in call.headers if pair[0] not in names and not pair[0].startswith("x-stainless-")]
    return replace(call, headers=(*kept, *SDK))


def with_headers(call: Call, *headers: tuple[str, str]) -> Call:
    names = {name for name, _ in headers}
    return replace(call, headers=(*(pair for pair in call.headers if pair[0] not in names), *headers))


def nobody(call: Call) -> Call:
    headers = tuple(pair for pair in call.headers if pair not in SECRET)
    return replace(call, headers=headers, query=re.sub(r"(?:^|&)key=[^&]*", "", call.query))


def other_boundary(call: Call) -> Call:
    content_type = header(call.headers, "content-type")
    found = re.search(r'boundary="?([^";]+)', content_type)
    assert found
    content_type = content_type.replace(found[1], "another-boundary")
    made = with_headers(call, ("content-type", content_type))
    return replace(made, body=call.body.replace(found[1].encode(), b"another-boundary"))


@needs_corpus
def test_another_sdk_makes_the_same_call() -> None:
    assert [asked.name for asked in recorded() if key_of(other_sdk(asked.call)) != key_of(asked.call)] == []


@needs_corpus
def test_a_credential_that_moved_to_another_header_makes_the_same_call() -> None:
    def moved(call: Call) -> Call:
        return replace(call, headers=(("x-api-key", "one"), *nobody(call).headers))

    assert [asked.name for asked in recorded() if key_of(moved(asked.call)) != key_of(asked.call)] == []


@needs_corpus
def test_another_credential_or_none_makes_another_call() -> None:
    for asked in recorded():
        other = with_headers(asked.call, ("authorization", "Bearer two"))
        assert len({key_of(asked.call), key_of(other), key_of(nobody(asked.call))}) == 3, asked.name


@needs_corpus
def test_a_set_of_betas_counts_and_its_order_does_not() -> None:
    asked_with = [asked for asked in recorded() if "anthropic-beta" in asked.call.dialect.set_headers]
    assert asked_with
    for asked in asked_with:
        one, same, other = (
            key_of(with_headers(asked.call, ("anthropic-beta", value))) for value in ("a,b", "b, a", "a,c")
        )
        assert one == same != other, asked.name


@needs_corpus
def test_another_version_of_the_protocol_is_another_call() -> None:
    for asked in recorded():
        for name in asked.call.dialect.key_headers:
            changed = with_headers(asked.call, (name.replace("*", "made-up"), "made-up"))
            assert key_of(changed) != key_of(asked.call), (asked.name, name)


@needs_corpus
def test_another_model_is_another_call() -> None:
    for asked in recorded():
        call = asked.call
        model = call.dialect.model(call.path, read(call).seen)
        if model in call.path and model:
            other = replace(call, path=call.path.replace(model, model + "-x"))
        elif isinstance(asked.document, dict) and model:
            other = asked.saying({**asked.document, "model": model + "-x"})
        else:
            continue
        assert key_of(other) != key_of(call), asked.name


@needs_corpus
def test_another_multipart_boundary_is_the_same_call_and_other_data_another() -> None:
    forms = [asked for asked in recorded() if read(asked.call).kind == "multipart"]
    assert forms
    for asked in forms:
        call = asked.call
        assert key_of(other_boundary(call)) == key_of(call), asked.name
        for part in multipart.parse(call.body, header(call.headers, "content-type")):
            at = call.body.index(b"\r\n\r\n" + part.data + b"\r\n") + 4 + len(part.data)
            changed = replace(call, body=call.body[:at] + b"x" + call.body[at:])
            same = not part.is_file and part.name in call.dialect.volatile
            assert (key_of(changed) == key_of(call)) == same, (asked.name, part.name)


@needs_corpus
def test_any_other_change_is_another_call() -> None:
    rng = random.Random(20260101)
    for asked in documents():
        before = key_of(asked.call)
        for _ in range(4):
            document = change(asked, rng.choice)
            assert key_of(asked.saying(document)) != before, (asked.name, document)


@needs_corpus
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_any_other_change_that_can_be_thought_of_is_another_call(data: st.DataObject) -> None:
    asked = data.draw(st.sampled_from(documents()))
    document = change(asked, lambda choices: data.draw(st.sampled_from(choices)))
    assert key_of(asked.saying(document)) != key_of(asked.call)


@needs_corpus
def test_every_leaf_of_short_requests_counts() -> None:
    short = [asked for asked in documents() if len(asked.call.body) < 400]
    assert len(short) > 300
    for asked in short:
        before = key_of(asked.call)
        for place in counted(asked):
            document = with_value(asked.document, place, another(value_at(asked.document, place)))
            assert key_of(asked.saying(document)) != before, (asked.name, place)


@needs_corpus
def test_few_fields_are_volatile() -> None:
    """A guard of the tests above: they are worth something only while nearly everything counts."""
    total = sum(1 for asked in documents() for _ in leaves(asked.document))
    assert sum(len(counted(asked)) for asked in documents()) > 0.97 * total
