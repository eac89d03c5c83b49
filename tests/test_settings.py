import math
import os
from pathlib import Path
from typing import Any

import pytest

from mitmcache.cache.policy import Mode, Serve
from mitmcache.cache.rules import Rule
from mitmcache.cache.scope import Scope
from mitmcache.journal.rates import Rate
from mitmcache.settings import OPTIONS, BadOption, Log, WebSocket, parse

DEFAULTS = {option.name: option.default for option in OPTIONS}


def value(name: str, text: str, environ: dict[str, str] | None = None) -> Any:
    settings = parse({**DEFAULTS, name: text}, environ or {})
    return getattr(settings, name.removeprefix("llm_"))


def test_the_defaults() -> None:
    settings = parse(DEFAULTS, {"XDG_DATA_HOME": "/data"})
    assert settings.data_dir == Path("/data/mitmcache")
    assert (settings.ttl, settings.max_body, settings.memory) == (86400, 64 * 2**20, 256 * 2**20)
    assert (settings.disk, settings.scope, settings.mode) == (10 * 2**30, Scope.CREDENTIAL, Mode.LIVE)
    assert (settings.serve, settings.websocket) == (Serve.ALL, WebSocket.REFUSE)
    assert (settings.hosts, settings.policy, settings.prices) == ((), (), ())
    assert settings.history == 30 * 86400
    assert (settings.log, settings.log_file, settings.log_bodies) == (Log.AUTO, None, None)
    assert settings.gateway_port == 8082


def test_every_option_has_a_name_of_ours_and_a_help() -> None:
    assert all(option.name.startswith("llm_") and option.help.endswith(".") for option in OPTIONS)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("llm_ttl", "7d", 604800),
        ("llm_ttl", "90", 90),
        ("llm_ttl", "0", math.inf),
        ("llm_max_body", "1m", 2**20),
        ("llm_max_body", "0", 0),
        ("llm_memory", "0", 0),
        ("llm_memory", "1g", 2**30),
        ("llm_disk", "512k", 512 * 2**10),
        *(("llm_scope", scope.value, scope) for scope in Scope),
        *(("llm_mode", mode.value, mode) for mode in Mode),
        *(("llm_serve", serve.value, serve) for serve in Serve),
        *(("llm_websocket", what.value, what) for what in WebSocket),
        *(("llm_log", form.value, form) for form in Log),
        ("llm_log_file", "", None),
        ("llm_log_file", "~/calls.jsonl", Path.home() / "calls.jsonl"),
        ("llm_log_bodies", "/dev/null", Path("/dev/null")),
        ("llm_log_size", "1m", 2**20),
        ("llm_hosts", " , ", ()),
        ("llm_history", "90d", 90 * 86400),
        ("llm_history", "0", math.inf),
        ("llm_history", "Off", 0.0),
        ("llm_gateway_port", "0", 0),
        ("llm_gateway_port", "65535", 65535),
        ("llm_data_dir", "/tmp/elsewhere", Path("/tmp/elsewhere")),
        ("llm_data_dir", "~/cache", Path.home() / "cache"),
    ],
)
def test_a_good_value(name: str, text: str, expected: Any) -> None:
    assert value(name, text) == expected


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, Path.home() / ".local/share/mitmcache"),
        ({"XDG_DATA_HOME": ""}, Path.home() / ".local/share/mitmcache"),
        ({"XDG_DATA_HOME": "/data"}, Path("/data/mitmcache")),
    ],
)
def test_the_folder_is_where_data_belongs(environ: dict[str, str], expected: Path) -> None:
    assert value("llm_data_dir", "", environ) == expected


@pytest.mark.parametrize(
    "text",
    ["llm.corp.example=openai, localhost:11434=ollama", "llm.corp.example=openai localhost:11434=ollama"],
)
def test_hosts_are_parted_by_comma_or_space(text: str) -> None:
    assert [(host, provider.name) for host, provider in value("llm_hosts", text)] == [
        ("llm.corp.example", "openai"),
        ("localhost:11434", "ollama"),
    ]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("llm_store", "s3:/bucket", "write s3://BUCKET/PREFIX"),
        ("llm_secret", "/nowhere/secret", "it must name a file"),
        ("llm_lookup_timeout", "2m", "must be 1ms to 60s"),
        ("llm_poll", "0", "must be 100ms to 1h"),
        ("llm_spool", "much", "'much' is not a size"),
        ("llm_gateway_port", "65536", "'65536' is no port"),
        ("llm_gateway_port", "-1", "'-1' is no port"),
        ("llm_gateway_port", "", "'' is no port"),
        ("llm_fast_dispatch", "yes", "'yes' is neither true nor false"),
        ("llm_ttl", "", "'' is not a duration"),
        ("llm_ttl", "soon", "'soon' is not a duration"),
        ("llm_ttl", "-1", "'-1' is not a duration"),
        ("llm_max_body", "large", "'large' is not a size"),
        ("llm_max_body", "-1", "'-1' is not a size"),
        ("llm_memory", "", "'' is not a size"),
        ("llm_memory", "9" * 400, "more bytes than there are"),
        ("llm_disk", "1p", "'1p' is not a size"),
        ("llm_scope", "", "'' is none of credential, user, shared"),
        ("llm_scope", "Shared", "'Shared' is none of"),
        ("llm_serve", "mine", "'mine' is none of all, earlier-runs"),
        ("llm_websocket", "426", "'426' is none of refuse, pass"),
        ("llm_mode", "on", "'on' is none of live, offline, refresh, off"),
        ("llm_history", "long", "'long' is not a duration"),
        ("llm_hosts", "llm.corp.example", "HOST[:PORT]=PROVIDER"),
        ("llm_hosts", "a.example=openai, b.example=nobody", "'b.example=nobody' names no provider"),
        ("llm_data_dir", "~nobody-of-this-name/x", "home"),
        ("llm_data_dir", __file__, "is not a folder"),
        ("llm_policy", "/nowhere/policy.yaml", "No such file"),
        ("llm_policy", "/", "directory"),
        ("llm_policy", "~nobody-of-this-name/x", "home"),
        ("llm_log", "yes", "'yes' is none of auto, off, console, json"),
        ("llm_log_file", "/", "/ is a folder"),
        ("llm_log_file", "/nowhere/calls.jsonl", "/nowhere is not a folder"),
        ("llm_log_size", "small", "'small' is not a size"),
    ],
)
def test_a_bad_value_is_told_with_the_options_name(name: str, text: str, told: str) -> None:
    with pytest.raises(BadOption) as caught:
        value(name, text)
    assert str(caught.value).startswith(f"{name}: ") and told in str(caught.value)


def test_a_file_that_may_not_be_written_to_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []

    def access(path: Path, mode: int) -> bool:
        asked.append(path)
        return False

    monkeypatch.setattr(os, "access", access)
    for name, place in (("new.jsonl", "/"), ("dev/null", "/dev/null")):
        with pytest.raises(BadOption, match=f"llm_log_file: /{name} may not be written to"):
            value("llm_log_file", f"/{name}")
        assert asked[-1] == Path(place)


def test_a_policy_files_sections_are_settings_of_their_own(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("rules: [{skip: true}]\nprices: [{input: 0.5}]\nalerts: {rules: [{when: store_down}]}\n")
    found = parse({**DEFAULTS, "llm_policy": str(file)}, {})
    assert found.policy == (Rule(skip=True),) and found.prices == (Rate(input=0.5),)
    assert [rule.name for rule in found.alerts.rules] == ["store_down"]


def test_what_is_wrong_in_a_policy_file_is_told_with_the_options_name(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("price: []")
    with pytest.raises(BadOption, match=r"llm_policy: .*policy\.yaml: unknown field 'price'"):
        value("llm_policy", str(file))
