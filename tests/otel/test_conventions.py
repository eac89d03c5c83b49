import pytest

from journal.events import event
from mitmcache.exchange import Usage
from mitmcache.journal.event import Cost, Event
from mitmcache.otel import conventions
from mitmcache.otel.conventions import failure, measures, span_attributes, span_name

USED = Usage(
    input_tokens=11,
    output_tokens=7,
    cache_read_input_tokens=4,
    cache_creation_input_tokens=0,
    reasoning_output_tokens=3,
)
COST = Cost(0.1, 0.2, 0.3, 0.0)
MISS = event(usage=USED, cost=COST, port=443)
HIT = event(word="HIT", reason="", tier="memory", dialled=False, usage=USED, cost=COST, port=443)


def test_a_miss_has_the_usage_that_is_billed() -> None:
    assert span_name(MISS) == "chat gpt-4o"
    assert span_attributes(MISS, latest=False) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.system": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 11,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "gen_ai.usage.cache_creation.input_tokens": 0,
        "gen_ai.usage.reasoning.output_tokens": 3,
        "server.address": "api.openai.com",
        "server.port": 443,
        "http.response.status_code": 200,
        "http.request.body.size": 100,
        "http.response.body.size": 1000,
        "mitmcache.cache.word": "MISS",
        "mitmcache.cache.reason": "uri-miss",
        "mitmcache.cache.key": "0" * 64,
        "mitmcache.id": MISS.id,
        "mitmcache.client": "127.0.0.1",
        "mitmcache.agent": "made/1.0",
        "mitmcache.first_byte": 0.4,
        "mitmcache.cost_usd": 0.3,
    }


def test_a_hit_has_what_it_saved_and_no_usage() -> None:
    found = span_attributes(HIT, latest=True)
    assert not [name for name in found if name.startswith("gen_ai.usage")]
    assert (found["mitmcache.saved.input_tokens"], found["mitmcache.saved_usd"]) == (11, 0.3)
    assert (found["mitmcache.cache.word"], found["mitmcache.cache.tier"]) == ("HIT", "memory")
    assert "mitmcache.cost_usd" not in found


NAMES = [
    ("openai", "openai", "openai"),
    ("x_ai", "xai", "x_ai"),
    ("aws.bedrock", "aws.bedrock", "aws.bedrock"),
]


@pytest.mark.parametrize(("provider", "old", "new"), NAMES)
def test_the_provider_has_the_name_of_the_convention(provider: str, old: str, new: str) -> None:
    told = event(provider=provider)
    before, latest = (span_attributes(told, latest=which) for which in (False, True))
    assert before["gen_ai.system"] == old and "gen_ai.provider.name" not in before
    assert latest["gen_ai.provider.name"] == new and "gen_ai.system" not in latest
    for which, name, value in ((False, "gen_ai.system", old), (True, "gen_ai.provider.name", new)):
        assert all(dict(each.labels)[name] == value for each in measures(told, latest=which))


FAILURES = [
    ("an answer", event(), ""),
    ("a status", event(status=429, error="Client disconnected."), "429"),
    ("the client left", event(error="Client disconnected."), "disconnected"),
    ("too slow", event(status=0, error="[Errno 110] Connection timed out"), "timeout"),
    ("anything else", event(status=0, error="Connection refused"), "_OTHER"),
]


@pytest.mark.parametrize(("told", "expected"), [pytest.param(*case[1:], id=case[0]) for case in FAILURES])
def test_an_error_has_one_of_few_types(told: Event, expected: str) -> None:
    assert failure(told) == expected
    assert span_attributes(told, latest=True).get("error.type", "") == expected
    [duration] = [each for each in measures(told, latest=True) if each.metric == conventions.DURATION]
    assert dict(duration.labels).get("error.type", "") == expected


SERVERS = [
    ("api.openai.com", 443, "api.openai.com", 443),
    ("localhost:11434", 11434, "localhost", 11434),
    ("[::1]:8000", 8000, "::1", 8000),
    ("api.openai.com", 0, "api.openai.com", None),
    ("", 443, None, None),
]


@pytest.mark.parametrize(("host", "port", "address", "number"), SERVERS)
def test_the_server_is_the_providers(host: str, port: int, address: str | None, number: int | None) -> None:
    found = span_attributes(event(host=host, port=port), latest=True)
    assert (found.get("server.address"), found.get("server.port")) == (address, number)


def recorded(told: Event) -> dict[tuple[str, str], float]:
    return {
        (each.metric, str(dict(each.labels).get("gen_ai.token.type", ""))): each.value
        for each in measures(told, latest=False)
    }


MEASURED = [
    (
        "a miss",
        MISS,
        {("gen_ai.client.token.usage", "input"): 11, ("gen_ai.client.token.usage", "output"): 7}
        | {("mitmcache.cost.billed", ""): 0.3},
    ),
    (
        "a hit",
        HIT,
        {("mitmcache.token.saved", "input"): 11, ("mitmcache.token.saved", "output"): 7}
        | {("mitmcache.cost.saved", ""): 0.3},
    ),
    ("usage unknown", event(), {}),
    ("usage known in part", event(usage=Usage(input_tokens=5)), {("gen_ai.client.token.usage", "input"): 5}),
    ("nobody's", event(dialled=False, status=504, usage=USED, cost=COST), {}),
]


@pytest.mark.parametrize(("told", "expected"), [pytest.param(*case[1:], id=case[0]) for case in MEASURED])
def test_what_a_call_adds_to_the_metrics(told: Event, expected: dict[tuple[str, str], float]) -> None:
    assert recorded(told) == {("gen_ai.client.operation.duration", ""): 0.5, **expected}


def test_what_is_unknown_is_left_out() -> None:
    bare = event(model="", key="", agent="", status=0, first_byte=None, response_size=0, request_size=0)
    found = span_attributes(bare, latest=True)
    assert span_name(bare) == "chat" and all(value not in ("", 0, None) for value in found.values())


def test_no_client_steers_a_terminal_or_fills_a_collector() -> None:
    text = "a\x1b[2J\r\n" * 100
    told = event(model=text, agent=text, client=text, host=text, error=text, reason=text)
    values = [*span_attributes(told, latest=True).values(), span_name(told)]
    values += [value for each in measures(told, latest=True) for _, value in each.labels]
    assert all(value.isprintable() and len(value) < 300 for value in values if isinstance(value, str))
