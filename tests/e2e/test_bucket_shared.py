"""What one machine has stored, the others serve."""

import base64
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import exchanges
from e2e.answers import Gate
from e2e.bucket import HIT, MISS, Fleet, Questions, ask, ask_all, drained
from e2e.client import answer_of, calls, client, outcome, register, request, send
from e2e.upstream import ScriptedUpstream


def test_what_one_stores_the_other_serves(fleet: Fleet, upstream: ScriptedUpstream, word: str) -> None:
    one, two = fleet.proxy("one"), fleet.proxy("two")
    asked = [exchange.saying(word) for exchange in exchanges.MAIN if exchange.dialect != "bedrock.converse"]
    with client(one) as through:
        for exchange in asked:
            register(upstream, exchange)
            assert outcome(send(through, exchange)) == "MISS"
    stored = drained(one, len(asked) - 1)["stored"]
    assert stored == len(fleet.objects())
    upstream.reset()
    with client(two) as through:
        for exchange in asked:
            reply = send(through, exchange)
            assert (exchange.name, outcome(reply), reply.content) == (exchange.name, "HIT", exchange.answer)
    assert not upstream.seen
    assert two.stats()["bucket"]["hits"] == len(asked)


def test_what_came_from_the_bucket_is_not_uploaded_again_and_is_local_from_then_on(
    fleet: Fleet, upstream: ScriptedUpstream, word: str
) -> None:
    one, two = fleet.proxy("one"), fleet.proxy("two")
    asked = Questions(upstream).several(word, 6)
    assert ask_all(one, asked) == [MISS] * 6
    drained(one, 6)
    assert ask_all(two, asked) == [HIT] * 6
    before = two.wait_stats(lambda stats: stats["entries"] == 6)
    assert (before["uploads"]["uploaded"], before["upload_pending"], before["entries"]) == (0, 0, 6)
    assert ask_all(two, asked) == [HIT] * 6
    two.restart()
    assert ask_all(two, asked) == [HIT] * 6
    assert two.stats()["bucket"]["lookups"] == 0


def test_both_may_write_the_same_key_at_once(fleet: Fleet, upstream: ScriptedUpstream, word: str) -> None:
    one, two = fleet.proxy("one"), fleet.proxy("two")
    exchange, gate = exchanges.openai.CHAT.saying(word), Gate()
    answer = answer_of(exchange)
    register(upstream, exchange, type(answer)(headers=answer.headers, body=answer.body, head_gate=gate))
    with client(one) as first, client(two) as second, ThreadPoolExecutor(2) as pool:
        both = [pool.submit(through.send, request(exchange)) for through in (first, second)]
        one.wait_stats(lambda stats: len(calls(upstream, exchange)) == 2)
        gate.open_for_good()
        assert [outcome(future.result()) for future in both] == ["MISS", "MISS"]
    for proxy in (one, two):
        assert drained(proxy, 1)["uploads"]["uploaded"] == 1
    assert len(fleet.objects()) == 1
    with client(fleet.proxy("three")) as through:
        reply = send(through, exchange)
        assert (outcome(reply), reply.content) == ("HIT", exchange.answer)


def test_proxies_that_share_a_folder_upload_each_answer_once(
    fleet: Fleet, upstream: ScriptedUpstream, tmp_path: Path, word: str
) -> None:
    folder = str(tmp_path / "shared")
    one, two = fleet.proxy("one", llm_data_dir=folder), fleet.proxy("two", llm_data_dir=folder)
    questions = Questions(upstream)
    mine, theirs = questions.several(f"{word}a", 10), questions.several(f"{word}b", 10)
    assert ask_all(one, mine) + ask_all(two, theirs) == [MISS] * 20
    for proxy in (one, two):
        drained(proxy, 10)
    assert len(fleet.objects()) == 20
    assert sum(proxy.stats()["uploads"]["uploaded"] for proxy in (one, two)) == 20
    one.kill9()
    more = questions.several(f"{word}c", 5)
    assert ask_all(two, more) == [MISS] * 5
    drained(two, 15)
    assert len(fleet.objects()) == 25


def test_a_spoilt_object_is_a_miss_and_is_replaced(
    fleet: Fleet, upstream: ScriptedUpstream, word: str
) -> None:
    one, two = fleet.proxy("one"), fleet.proxy("two")
    exchange = Questions(upstream).new(word)
    assert ask_all(one, [exchange]) == [MISS]
    drained(one, 1)
    [name] = fleet.objects()
    fleet.spoil(name, base64.b64decode("AAAA") * 100)
    with client(two) as through:
        assert ask(through, exchange) == MISS
        assert two.stats()["corrupt"] == 1
        drained(two, 1)
    assert ask_all(fleet.proxy("three"), [exchange]) == [HIT]
