"""What is in the bucket: sealed or not, large or small, and purged."""

import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from e2e.bucket import HIT, MISS, PREFIX, BucketProxy, Fleet, Questions, ask, ask_all, drained
from e2e.client import client, outcome, send
from e2e.upstream import ScriptedUpstream
from exchanges import Exchange

ADDON = Path(__file__).parents[2] / "addon"
MIB = 1 << 20
SECRETS = {"OURS": "our own long secret, for all of us", "THEIRS": "that of somebody else, as long"}


def test_names_tell_provider_and_model_and_nothing_else(
    fleet: Fleet, upstream: ScriptedUpstream, word: str
) -> None:
    one = fleet.proxy("one")
    assert ask_all(one, [Questions(upstream).new(word)]) == [MISS]
    drained(one, 1)
    [name] = fleet.objects()
    prefix, provider, model, key = name.removeprefix(PREFIX).lstrip("/").rsplit("/", 3)
    assert (prefix, provider) == ("v1/entries", "openai")
    assert model.startswith("gpt-")
    assert len(key) == 64
    assert set(key) <= set("0123456789abcdef")


def test_a_sealed_bucket_serves_those_who_have_its_secret(
    fleet: Fleet, upstream: ScriptedUpstream, word: str
) -> None:
    fleet.variables |= SECRETS
    one, two = (fleet.proxy(name, llm_secret="env:OURS") for name in ("one", "two"))
    other, plain = fleet.proxy("other", llm_secret="env:THEIRS"), fleet.proxy("plain")
    asked = Questions(upstream).several(word, 6)
    assert ask_all(one, asked) == [MISS] * 6
    drained(one, 6)
    assert ask_all(two, asked) == [HIT] * 6
    assert ask_all(other, asked) == [MISS] * 6
    assert ask_all(plain, asked) == [MISS] * 6
    drained(other, 6)
    drained(plain, 6)
    assert (len(fleet.objects("v1/sealed/")), len(fleet.objects("v1/entries/"))) == (12, 6)
    assert not [name for name in fleet.objects("v1/sealed/") if "openai" in name or "gpt" in name]
    assert not [secret for secret in SECRETS.values() if secret in one.log]


@pytest.mark.timeout(400)
@pytest.mark.parametrize("secret", ["", "env:OURS"], ids=["plain", "sealed"])
def test_large_answers_are_shared_like_small_ones(
    fleet: Fleet, upstream: ScriptedUpstream, word: str, secret: str
) -> None:
    """Below and above what is held in memory, and above what goes up in one piece."""
    fleet.variables |= SECRETS
    one, two = (
        fleet.proxy(name, llm_secret=secret, llm_max_body="200m", llm_lookup_timeout="60s")
        for name in ("one", "two")
    )
    questions = Questions(upstream)
    asked = [questions.new(f"{word}n{size}", size * MIB) for size in (7, 20, 100)]
    assert ask_all(one, asked, clients=1) == [MISS] * 3
    one.wait_stats(lambda found: found["stored"] == 3, 100)
    assert ask_all(one, asked, clients=1) == [HIT] * 3
    drained(one)
    assert ask_all(two, asked, clients=1) == [HIT] * 3
    assert two.stats()["bucket"]["hits"] == 3
    assert ask_all(two, asked, clients=1) == [HIT] * 3
    assert two.stats()["bucket"]["hits"] == 3


def mitmcache(proxy: BucketProxy, *words: str) -> str:
    """The command line, with what this proxy was started with."""
    places = [f"--set=llm_data_dir={proxy.data_dir}", f"--set=llm_store={proxy.options['llm_store']}"]
    environment = {**os.environ, **proxy.variables, "PYTHONPATH": str(ADDON), "HOME": str(proxy.folder)}
    command = [sys.executable, "-m", "mitmcache", *words, *places]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def is_there(through: httpx.Client, exchange: Exchange) -> bool:
    return outcome(send(through, exchange, cache_control="only-if-cached")) == "HIT"


def test_a_purge_on_one_machine_is_obeyed_by_the_others(
    fleet: Fleet, upstream: ScriptedUpstream, word: str
) -> None:
    one, two = (fleet.proxy(name, llm_poll="200ms") for name in ("one", "two"))
    exchange = Questions(upstream).new(word)
    assert ask_all(one, [exchange]) == [MISS]
    drained(one, 1)
    assert ask_all(two, [exchange]) == [HIT]
    mitmcache(one, "purge", "--model", "no-such-*", "--yes")
    assert ask_all(two, [exchange]) == [HIT]
    mitmcache(one, "purge", "--model", "gpt-*", "--yes")
    end = time.monotonic() + 100
    with client(one) as first, client(two) as second:
        while is_there(first, exchange) or is_there(second, exchange):
            assert time.monotonic() < end
        assert fleet.objects() == {}
        stored = two.stats()["stored"]
        assert ask(second, exchange) == MISS
    drained(two, stored + 1)
    assert ask_all(fleet.proxy("three"), [exchange]) == [HIT]
