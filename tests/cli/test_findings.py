from typing import Any

import pytest

from mitmcache import settings
from mitmcache.cli import findings
from mitmcache.cli.findings import Level
from mitmcache.launch.runtime import Kind, Runtime, Verdict
from mitmcache.settings import Settings

URL = "http://127.0.0.1:8080"
NODE = Runtime(Kind.NODE, "node")


def chosen(hosts: str = "") -> Settings:
    defaults = {option.name: option.default for option in settings.OPTIONS}
    return settings.parse({**defaults, "llm_hosts": hosts})


@pytest.mark.parametrize(
    ("name", "hosts", "level"),
    [
        ("api.openai.com", "", Level.OK),
        ("API.OpenAI.com:443", "", Level.OK),
        ("llm.corp.example", "", Level.BAD),
        ("llm.corp.example", "llm.corp.example=openai", Level.OK),
        ("llm.corp.example:8443", "llm.corp.example=openai", Level.BAD),
    ],
)
def test_a_host_is_in_the_catalogue_or_there_is_an_option_for_it(name: str, hosts: str, level: Level) -> None:
    found = findings.host(name, chosen(hosts))
    assert found.level is level and (f"llm_hosts={name}=" in found.remedy) == (level is Level.BAD)


@pytest.mark.parametrize(
    ("mode", "level"),
    [("live", Level.OK), ("off", Level.BAD), ("offline", Level.NOTE), ("refresh", Level.NOTE)],
)
def test_a_mode_in_which_calls_are_not_cached_is_told(mode: str, level: Level) -> None:
    found = findings.mode(mode)
    assert found.level is level and bool(found.remedy) == (level is not Level.OK)


@pytest.mark.parametrize(
    ("no_proxy", "asked", "count"),
    [
        ("a.example", "", 0),
        (".openai.com", "", 1),
        ("*", "", 3),
        ("*", "a.example", 1),
        ("a.example", "b.a.example", 1),
    ],
)
def test_exceptions_that_take_a_provider_from_the_proxy_are_found(
    no_proxy: str, asked: str, count: int
) -> None:
    found = findings.exceptions({"NO_PROXY": no_proxy}, [], asked)
    assert [each.level for each in found] == [Level.BAD] * count


def test_a_model_on_this_machine_is_cached_once_it_is_named() -> None:
    [found] = findings.exceptions({}, [], "localhost:11434")
    assert "llm_hosts=localhost:11434=" in found.remedy
    for name in ("localhost:11434", "127.0.0.1:11434"):
        assert findings.exceptions({}, ["localhost:11434"], name) == []


@pytest.mark.parametrize(
    ("url", "count"),
    [
        ("", 0),
        ("https://api.openai.com/v1", 0),
        ("https://llm.corp.example/v1", 1),
        ("localhost:9999", 1),
        ("http://localhost:8000/v1", 0),
        ("http://[", 0),
    ],
)
def test_a_base_url_of_an_unknown_host_is_found(url: str, count: int) -> None:
    found = findings.bases({"OPENAI_BASE_URL": url}, chosen("localhost:8000=openai"))
    assert [each.level for each in found] == [Level.BAD] * count


@pytest.mark.parametrize(
    ("said", "level"),
    [
        ({"HTTPS_PROXY": URL}, Level.OK),
        ({"https_proxy": f"{URL}/"}, Level.OK),
        ({}, Level.NOTE),
        ({"HTTPS_PROXY": "http://me:secret@a.example:3128"}, Level.NOTE),
    ],
)
def test_a_shell_that_is_not_set_up_is_noted(said: dict[str, str], level: Level) -> None:
    found = findings.shell(said, URL)
    assert found.level is level and "secret" not in found.text


@pytest.mark.parametrize(
    ("runtime", "version", "verdict", "level"),
    [
        (NODE, (20, 1, 0), Verdict.IGNORED, Level.BAD),
        (NODE, (24, 5, 0), Verdict.SERVED, Level.OK),
        (NODE, (24, 5, 0), Verdict.IGNORED, Level.BAD),
        (Runtime(Kind.WGET, "wget"), (), Verdict.UNTRUSTED, Level.BAD),
        (Runtime(Kind.JAVA, "java"), (8, 0), Verdict.IGNORED, Level.BAD),
        (Runtime(Kind.PYTHON, "python"), (3, 13), Verdict.UNKNOWN, Level.NOTE),
        (Runtime(Kind.OTHER, "/bin/ls"), (), Verdict.UNKNOWN, Level.NOTE),
    ],
)
def test_a_runtime_that_is_not_served_has_a_remedy(
    runtime: Runtime, version: tuple[int, ...], verdict: Verdict, level: Level
) -> None:
    found = findings.runtime(runtime, version, verdict, asked=True)
    assert found.level is level and bool(found.remedy) == (level is not Level.OK)
    unasked = findings.runtime(runtime, version, verdict, asked=False)
    assert unasked.level is (Level.NOTE if level is Level.BAD else level)


def test_libraries_that_never_look_at_the_variables_are_told_for_python_alone() -> None:
    [found] = findings.own_connections(Kind.PYTHON)
    assert found.level is Level.NOTE and "aiohttp" in found.text and "trust_env=True" in found.remedy
    assert findings.own_connections(Kind.CURL) == []


@pytest.mark.parametrize(
    ("stats", "count"),
    [({}, 0), ({"bypassed": {"store": 2}, "dropped": {"status": 1}}, 2), ({"bypassed": {"new-one": 1}}, 1)],
)
def test_what_the_proxy_has_not_cached_is_told_with_its_reason(stats: dict[str, Any], count: int) -> None:
    found = findings.counted(stats)
    assert [each.level for each in found] == [Level.NOTE] * count
