"""llm_mode, and options that cannot be."""

from pathlib import Path

import pytest

import exchanges
from e2e.answers import Answer
from e2e.client import calls, client, outcome, register, send, store
from e2e.conftest import MakeProxy
from e2e.proxy import ProxyProcess
from e2e.upstream import ScriptedUpstream

CHAT = exchanges.openai.CHAT
NEWER = Answer(body=exchanges.openai.CHAT.reply.replace(b"there", b"again"))


def filled(make_proxy: MakeProxy, upstream: ScriptedUpstream, word: str) -> ProxyProcess:
    """A proxy that has stored two answers, stopped."""
    proxy = make_proxy()
    with client(proxy) as through:
        for exchange in (CHAT.saying(word), exchanges.anthropic.MESSAGES_STREAM.saying(word)):
            register(upstream, exchange)
            store(through, proxy, exchange)
    assert proxy.stop() == 0
    return proxy


def again(proxy: ProxyProcess, **options: str) -> ProxyProcess:
    proxy.options = options
    return proxy.start()


def test_offline_answers_what_it_knows_and_never_dials(
    make_proxy: MakeProxy, upstream: ScriptedUpstream, word: str
) -> None:
    proxy = again(filled(make_proxy, upstream, word), llm_mode="offline")
    upstream.reset()
    known = (CHAT.saying(word), exchanges.anthropic.MESSAGES_STREAM.saying(word))
    with client(proxy) as through:
        assert [outcome(send(through, exchange)) for exchange in known] == ["HIT", "HIT"]
        unknown = send(through, CHAT.saying(f"{word}x"))
        assert (unknown.status_code, outcome(unknown)) == (504, "MISS")
        [place] = unknown.json()["error"]["differs"]
        assert "messages" in place and "content" in place and word not in place
        # what is never answered from the cache fails too, rather than go upstream
        skipped = send(through, known[0], cf_aig_skip_cache="true")
        assert skipped.status_code == 504
    assert not upstream.seen
    assert not [line for line in proxy.lines if "server connect" in line]


def test_offline_serves_what_has_expired(
    make_proxy: MakeProxy, upstream: ScriptedUpstream, word: str
) -> None:
    proxy = make_proxy()
    exchange = CHAT.saying(word)
    register(upstream, exchange)
    with client(proxy) as through:
        store(through, proxy, exchange, cf_cache_ttl="1")
    proxy.stop()
    with client(again(proxy, llm_mode="offline")) as through:
        reply = send(through, exchange)
    assert (outcome(reply), reply.content) == ("STALE", exchange.reply)


def test_refresh_goes_upstream_and_replaces(
    make_proxy: MakeProxy, upstream: ScriptedUpstream, word: str
) -> None:
    proxy = again(filled(make_proxy, upstream, word), llm_mode="refresh")
    exchange = CHAT.saying(word)
    register(upstream, exchange, NEWER)
    with client(proxy) as through:
        replies = [send(through, exchange) for _ in range(2)]
    assert [(outcome(reply), reply.content) for reply in replies] == [("MISS", NEWER.body)] * 2
    proxy.stop()
    with client(again(proxy)) as through:
        reply = send(through, exchange)
    assert (outcome(reply), reply.content) == ("HIT", NEWER.body)


def test_off_neither_looks_up_nor_keeps(make_proxy: MakeProxy, upstream: ScriptedUpstream, word: str) -> None:
    proxy = again(filled(make_proxy, upstream, word), llm_mode="off")
    exchange, other = CHAT.saying(word), exchanges.anthropic.MESSAGES_STREAM.saying(f"{word}x")
    upstream.reset()
    register(upstream, exchange, NEWER)
    register(upstream, other)
    with client(proxy) as through:
        for _ in range(2):
            reply = send(through, exchange)
            assert (outcome(reply), reply.content) == ("BYPASS", NEWER.body)
            assert send(through, other).content == other.answer
    assert len(calls(upstream, other)) == 2
    found = proxy.stats()
    assert (found["hits"], found["misses"], found["stored"]) == (0, 0, 0)


def test_a_restart_keeps_the_hits(make_proxy: MakeProxy, upstream: ScriptedUpstream, word: str) -> None:
    proxy = again(filled(make_proxy, upstream, word))
    upstream.reset()
    with client(proxy) as through:
        for exchange in (CHAT.saying(word), exchanges.anthropic.MESSAGES_STREAM.saying(word)):
            reply = send(through, exchange)
            assert (outcome(reply), reply.content) == ("HIT", exchange.answer)
    assert not upstream.seen


WRONG = {
    "a ttl that is no duration": ("llm_ttl", "abc"),
    "a size that is none": ("llm_max_body", "lots"),
    "an unknown scope": ("llm_scope", "everyone"),
    "an unknown mode": ("llm_mode", "fast"),
    "a host without a protocol": ("llm_hosts", "llm.corp.example"),
    "a host of an unknown protocol": ("llm_hosts", "llm.corp.example=telepathy"),
    "a policy that is not there": ("llm_policy", "/nonexistent/policy.yaml"),
    "a secret that is not there": ("llm_secret", "/nonexistent/secret"),
    "an unknown option": ("llm_tll", "24h"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_option_ends_the_start_and_is_named(case: str, make_proxy: MakeProxy) -> None:
    """A proxy that ran on without its cache would be noticed on the bill alone."""
    name, value = WRONG[case]
    proxy = make_proxy(start=False, **{name: value})
    assert proxy.run_to_exit() > 0
    assert [line for line in proxy.lines if name in line], proxy.log
    assert "mitmcache ready" not in proxy.log


def test_a_wrong_policy_ends_the_start_and_is_named(make_proxy: MakeProxy, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("rules: [{match: {modle: x}}]", encoding="utf-8")
    proxy = make_proxy(start=False, llm_policy=str(file))
    assert proxy.run_to_exit() > 0
    assert [line for line in proxy.lines if "llm_policy" in line and "modle" in line], proxy.log


def test_a_data_folder_that_is_a_file_ends_the_start(make_proxy: MakeProxy, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    proxy = make_proxy(start=False, llm_data_dir=str(file))
    assert proxy.run_to_exit() > 0
    assert [line for line in proxy.lines if "llm_data_dir" in line], proxy.log
