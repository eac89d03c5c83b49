import pytest

from mitmcache.exchange import Usage
from mitmcache.providers.base import Json
from mitmcache.reading.usage_anthropic import (
    converse,
    converse_usage,
    invoked,
    messages,
    messages_usage,
    told_by_bedrock,
)


def test_claude_counts_its_cache_beside_the_input() -> None:
    raw = {
        "input_tokens": 10,
        "output_tokens": 50,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 20,
        "cache_creation": {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 15},
        "output_tokens_details": {"thinking_tokens": 30},
    }
    assert messages(raw) == Usage(
        input_tokens=130,
        output_tokens=50,
        cache_read_input_tokens=100,
        cache_creation_input_tokens=20,
        cache_creation_1h_input_tokens=15,
        reasoning_output_tokens=30,
    )


def test_a_conversation_summed_up_before_the_answer_is_billed_too() -> None:
    def one(kind: str, taken: int, given: int, **more: Json) -> Json:
        return {"type": kind, "input_tokens": taken, "output_tokens": given, **more}

    cached = {"cache_creation_input_tokens": 7, "cache_creation": {"ephemeral_1h_input_tokens": 7}}
    rounds = [one("compaction", 900, 20, **cached), one("advisor_message", 50, 5), one("message", 30, 10)]
    # a stream's first event has the input of the first iteration, of which the highest is kept
    assert messages({"input_tokens": 900, "output_tokens": 10, "iterations": rounds}) == Usage(
        input_tokens=937, output_tokens=30, cache_creation_input_tokens=7, cache_creation_1h_input_tokens=7
    )
    loop = [one("message", 30, 10), one("advisor_message", 50, 5), one("message", 40, 20)]
    assert messages({"input_tokens": 70, "output_tokens": 30, "iterations": loop}) == Usage(
        input_tokens=70, output_tokens=30
    )


def test_the_cache_alone_is_no_input() -> None:
    assert messages({"cache_read_input_tokens": 100}).input_tokens is None
    assert converse({"cacheReadInputTokens": 100}).input_tokens is None


@pytest.mark.parametrize(
    ("document", "raw"),
    [
        ({"usage": {"output_tokens": 3}}, {"output_tokens": 3}),
        ({"type": "message_start", "message": {"usage": {"input_tokens": 3}}}, {"input_tokens": 3}),
        ({"message": "overloaded"}, None),
        ([], None),
    ],
)
def test_claudes_usage_is_in_the_reply_or_in_its_first_event(document: Json, raw: Json) -> None:
    assert messages_usage(document) == raw


@pytest.mark.parametrize("suffix", ["", "Count"])
def test_converse_counts_its_cache_beside_the_input(suffix: str) -> None:
    names = ("cacheReadInputTokens", "cacheWriteInputTokens")
    if suffix:
        names = ("cacheReadInputTokenCount", "cacheWriteInputTokenCount")
    raw = {
        "inputTokens": 4,
        "outputTokens": 5,
        "totalTokens": 39,
        names[0]: 10,
        names[1]: 20,
        "cacheDetails": [{"inputTokens": 12, "ttl": "1h"}, {"inputTokens": 8, "ttl": "5m"}],
    }
    assert converse(raw) == Usage(
        input_tokens=34,
        output_tokens=5,
        cache_read_input_tokens=10,
        cache_creation_input_tokens=20,
        cache_creation_1h_input_tokens=12,
        total_tokens=39,
    )


def test_a_guardrails_usage_is_not_the_models() -> None:
    assert converse_usage({"usage": {"topicPolicyUnits": 1}}) is None
    assert converse_usage({"metadata": {"usage": {"inputTokens": 1}}}) == {"inputTokens": 1}


HEADERS = (
    ("x-amzn-bedrock-input-token-count", "9"),
    ("x-amzn-bedrock-output-token-count", "3"),
    ("x-amzn-bedrock-cache-read-input-token-count", "4"),
)


def test_bedrock_counts_in_headers_and_in_the_last_event() -> None:
    metrics = {"inputTokenCount": 7, "outputTokenCount": 2, "invocationLatency": 300}
    said = {"input_tokens": 9, "output_tokens": 3, "cache_read_input_tokens": 4}
    assert told_by_bedrock([], HEADERS) == said
    last = {"amazon-bedrock-invocationMetrics": metrics}
    assert told_by_bedrock([{}, last], ()) == {"input_tokens": 7, "output_tokens": 2}
    assert told_by_bedrock([None, [], {}], (("x-amzn-bedrock-input-token-count", "many"),)) == {}


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"inputTextTokenCount": 9, "results": [{"tokenCount": 1}, {"tokenCount": 2}]}, (9, 3)),
        ({"prompt_token_count": 9, "generation_token_count": 3}, (9, 3)),
        ({"outputText": "", "inputTextTokenCount": 9, "totalOutputTextTokenCount": 3}, (9, 3)),
        ({"usage": {"inputTokens": 9, "outputTokens": 3}}, (9, 3)),
        ({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 3}}, (9, 3)),
        ({"embedding": [], "inputTextTokenCount": 9}, (9, None)),
        ({"completion": ""}, None),
    ],
)
def test_where_bedrock_is_silent_the_models_own_words_count(
    document: Json, told: tuple[int, int | None] | None
) -> None:
    read = invoked(document)
    assert (read and (read.input_tokens, read.output_tokens)) == told
