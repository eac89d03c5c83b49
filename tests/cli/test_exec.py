"""`exec` short of running anything; tests/e2e/test_exec.py runs real programs."""

import os
from pathlib import Path
from typing import Any

import pytest

from cli.console import Console
from mitmcache.cli import exec as module


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {}, "0 hits, 0 misses"),
        ({"hits": 5, "misses": 1}, {"hits": 7, "misses": 2}, "2 hits, 1 miss"),
        ({"hits": 5}, {"hits": 6, "misses": 1200}, "1 hit, 1,200 misses"),
        (
            {"bypassed": {"store": 1, "skip": 2}},
            {"bypassed": {"store": 4, "skip": 2, "off": 1}},
            "0 hits, 0 misses, 3 not cached (store), 1 not cached (off)",
        ),
        (
            {"ledgers": {"saved": {"calls": 1, "input_tokens": 5, "dollars": 1.0}}},
            {
                "hits": 2,
                "ledgers": {"saved": {"calls": 3, "input_tokens": 1000, "output_tokens": 5, "dollars": 1.25}},
            },
            "2 hits, 0 misses, 1,000 tokens and $0.25 saved",
        ),
        (
            {},
            {
                "hits": 3,
                "ledgers": {"saved": {"calls": 3, "dollars": 0.5, "unknown_usage": 1, "unknown_price": 2}},
            },
            "3 hits, 0 misses, 0 tokens and $0.50 + 2 calls of unknown price saved",
        ),
        (
            {"ledgers": None},
            {
                "hits": 1,
                "ledgers": {"saved": {"calls": 1, "unknown_usage": 1, "unknown_price": 1}, "more": {}},
            },
            "1 hit, 0 misses, 1 call of unknown price saved",
        ),
        ({"hits": 5}, {"hits": 1}, "the proxy has been restarted, so hits and misses are not known"),
        ({}, None, "the proxy does not answer any more, so hits and misses are not known"),
        (None, {}, "the proxy does not answer any more, so hits and misses are not known"),
    ],
)
def test_the_end_tells_what_came_of_the_calls(
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
    expected: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    came = module._summarise(before, after)
    assert bool(came) is (expected != "0 hits, 0 misses")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", f"mitmcache: {expected}\n")


@pytest.mark.parametrize(
    ("mode", "more"), [("live", ""), ("", ""), ("offline", " (llm_mode=offline)"), ("off", " (llm_mode=off)")]
)
def test_a_proxy_that_was_found_in_another_mode_is_told(
    mode: str, more: str, capsys: pytest.CaptureFixture[str]
) -> None:
    module._summarise({}, {"misses": 1}, mode)
    assert capsys.readouterr().err == f"mitmcache: 0 hits, 1 miss{more}\n"


@pytest.mark.parametrize(
    ("name", "version", "expected"),
    [
        ("node", "v20.20.2", "mitmcache: Node 20.20.2 ignores HTTPS_PROXY"),
        ("node", "v24.5.0", ""),
        ("node", "none", ""),
        ("other", "v20.20.2", ""),
    ],
)
def test_a_node_that_has_gone_past_the_proxy_is_told(
    name: str, version: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/asked\necho {version}\n")
    (tmp_path / name).chmod(0o755)
    module._tell_ignoring(name, {"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    said = capsys.readouterr().err
    assert said.startswith(expected) and bool(said) is bool(expected)
    assert (tmp_path / "asked").exists() is (name == "node")
    module._tell_ignoring("no-such-command", {"PATH": str(tmp_path)})


@pytest.mark.parametrize(
    ("proxyauth", "expected"),
    [("", ""), ("any", "any:any@"), ("anna:pa ss@/", "anna:pa%20ss%40%2F@"), ("anna:", "anna:anna@")],
)
def test_a_command_says_what_its_proxy_asks_for(proxyauth: str, expected: str) -> None:
    assert module._user(proxyauth) == expected


@pytest.mark.parametrize("proxyauth", ["@/etc/users", "ldaps:host:a:b:c"])
def test_who_of_a_list_the_command_is_has_to_be_said(proxyauth: str) -> None:
    with pytest.raises(module.NotBegun, match="MITMCACHE_PROXY=http://USER:PASSWORD@"):
        module._user(proxyauth)


def test_a_command_is_needed(console: Console) -> None:
    assert "COMMAND" in console.fails("exec", code=2)


@pytest.mark.parametrize("words", [["--mode", "sometimes"], ["-s", "/none.py"]])
def test_a_wrong_word_is_refused_as_usage(console: Console, words: list[str]) -> None:
    assert words[1] in console.fails("exec", *words, "--", "true", code=2)


@pytest.mark.parametrize("words", [["--set", "llm_ttl=soon"], ["--store", "ftp://a"], ["--set", "llm_x=1"]])
def test_an_option_that_cannot_be_is_named_before_anything_starts(console: Console, words: list[str]) -> None:
    assert "llm_" in console.fails("exec", *words, "--", "true", code=module.OURS_FAILED)


def test_a_proxy_that_is_named_and_does_not_run_is_no_reason_to_start_another(console: Console) -> None:
    lost = Console(console.folder, {"MITMCACHE_PROXY": "http://127.0.0.1:9"})
    assert "MITMCACHE_PROXY" in lost.fails("exec", "--", "true", code=module.OURS_FAILED)
