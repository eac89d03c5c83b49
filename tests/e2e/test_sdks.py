"""The providers' own clients and curl, unchanged: the second run of a program is all hits."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import exchanges
from e2e.client import answer_of, either, register
from e2e.proxy import ProxyProcess
from e2e.upstream import ScriptedUpstream
from exchanges import Exchange, anthropic, google, openai

PROGRAM = Path(__file__).with_name("sdk_calls.py")
DEADLINE = 100
CALLS = 13


def environment(proxy: ProxyProcess) -> dict[str, str]:
    """What a user sets to be served by the proxy, and nothing else that could matter."""
    ours = ("_proxy", "_api_key", "_base_url", "_ca_bundle", "_cert_file", "_cert_dir")
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith(ours)}
    return {**kept, "HTTPS_PROXY": proxy.url, "SSL_CERT_FILE": str(proxy.ca_file)}


def run(proxy: ProxyProcess, *command: str, stdin: bytes = b"") -> tuple[bytes, str]:
    """Its output and what it says beside that."""
    done = subprocess.run(
        command, input=stdin, env=environment(proxy), capture_output=True, timeout=DEADLINE, check=False
    )
    said = done.stderr.decode(errors="replace")
    assert done.returncode == 0, said[-4000:]
    return done.stdout, said


def test_the_second_run_of_a_program_is_all_hits(
    proxy: ProxyProcess, upstream: ScriptedUpstream, word: str
) -> None:
    chat, responses = "/v1/chat/completions", "/v1/responses"
    upstream.answer(openai.HOST, chat, either(openai.CHAT, openai.CHAT_STREAM))
    upstream.answer(openai.HOST, responses, either(openai.RESPONSES, openai.RESPONSES_STREAM))
    upstream.answer(anthropic.HOST, "/v1/messages", either(anthropic.MESSAGES, anthropic.MESSAGES_STREAM))
    for exchange in (openai.EMBEDDINGS, openai.TRANSCRIPTION):
        register(upstream, exchange)
    # the version in the path depends on that of the client
    for version in ("v1", "v1beta"):
        for exchange in (google.GENERATE, google.STREAM):
            path = exchange.path.replace("v1beta", version)
            upstream.answer(google.GEMINI, path, answer_of(exchange))
    before = proxy.stats()
    first, _ = run(proxy, sys.executable, str(PROGRAM), word)
    assert len(first.splitlines()) == len(upstream.seen) == CALLS
    middle = proxy.wait_stats(lambda stats: stats["stored"] == before["stored"] + CALLS)
    assert run(proxy, sys.executable, str(PROGRAM), word)[0] == first
    after = proxy.stats()
    assert (after["hits"] - middle["hits"], after["misses"] - middle["misses"]) == (CALLS, 0)
    assert len(upstream.seen) == CALLS


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
@pytest.mark.parametrize("exchange", exchanges.MAIN, ids=lambda exchange: exchange.name)
def test_curl_gets_the_same_from_the_cache(
    exchange: Exchange, version: str, proxy: ProxyProcess, upstream: ScriptedUpstream, word: str
) -> None:
    exchange = exchange.saying(word)
    register(upstream, exchange)
    headers = [part for name, value in exchange.headers for part in ("-H", f"{name}: {value}")]
    options = ("--silent", "--show-error", "--no-buffer", "--compressed", "--max-time", "60", version)
    told = ("--write-out", "%{stderr}%{http_code} %header{x-cache}")
    command = ("curl", *options, *told, *headers, "--data-binary", "@-", exchange.url)
    runs = [run(proxy, *command, stdin=exchange.body) for _ in range(2)]
    assert runs == [(exchange.answer, "200 MISS"), (exchange.answer, "200 HIT")]
