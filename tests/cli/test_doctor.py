"""`doctor` where no proxy runs, and with one; more of it in tests/e2e/test_exec.py."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import ports
from cli.console import Console
from mitmcache.launch import find
from mitmcache.launch.proxy import Proxy


@pytest.fixture(autouse=True)
def a_clean_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find, "DEFAULT", f"http://127.0.0.1:{ports.free()}")
    for name in list(os.environ):
        if name.lower().endswith(("_proxy", "_base_url")):
            monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("proxy")
    with Proxy(folder / "confdir", {"llm_data_dir": str(folder / "data")}) as running:
        yield running


def using(proxy: Proxy, console: Console, **environ: str) -> Console:
    named = {"MITMCACHE_PROXY": proxy.url, "MITMCACHE_CONFDIR": str(proxy.confdir)}
    return Console(console.folder, {**named, **environ})


def bad(text: str) -> list[str]:
    """The findings that are wrong, each with its remedy."""
    lines = text.splitlines()
    return [f"{line} {after}" for line, after in zip(lines, [*lines[1:], ""], strict=True) if "BAD" in line]


def test_no_proxy_is_the_first_thing_to_say(console: Console) -> None:
    done = console.run("doctor")
    assert done.exit_code == 1
    [found] = bad(done.stdout)
    assert "no proxy is running" in found and "mitmcache exec" in found


def test_all_is_well(proxy: Proxy, console: Console) -> None:
    at = using(proxy, console)
    said = at.ok("doctor", "--set", f"llm_data_dir={console.data}", "--host", "api.openai.com")
    assert bad(said) == [] and "can be written to" in said


@pytest.mark.parametrize(
    ("words", "environ", "expected"),
    [
        (["--host", "a.example"], {}, ["a.example is not in the catalogue"]),
        (["--set", "llm_mode=off"], {}, ["llm_mode is off"]),
        (["--", "no-such-command"], {}, ["there is no command no-such-command"]),
        (["--host", "api.openai.com"], {"NO_PROXY": ".openai.com"}, ["NO_PROXY names .openai.com"]),
        ([], {"ANTHROPIC_BASE_URL": "https://a.example"}, ["ANTHROPIC_BASE_URL sends calls to a.example"]),
        (["--set", "llm_data_dir={folder}/file/data"], {}, ["{folder}/file"]),
        (["--set", "llm_store=s3://none/x"], {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}, ["none"]),
    ],
)
def test_what_is_wrong_is_found_and_has_a_remedy(
    proxy: Proxy, console: Console, words: list[str], environ: dict[str, str], expected: list[str]
) -> None:
    (console.folder / "file").touch()
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}
    data = [] if any("llm_data_dir" in word for word in words) else ["--set", f"llm_data_dir={console.data}"]
    given = [word.format(folder=console.folder) for word in words]
    done = using(proxy, console, **keys, **environ).run("doctor", *data, *given)
    found = bad(done.stdout)
    assert done.exit_code == 1, done.output
    assert len(found) == len(expected) and all("->" in each for each in found), done.output
    assert all(
        words.format(folder=console.folder) in each for words, each in zip(expected, found, strict=True)
    )


def test_a_folder_that_cannot_be_written_to_is_found(proxy: Proxy, console: Console, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    console.data.mkdir()
    console.data.chmod(0o500)
    done = using(proxy, console).run("doctor", "--set", f"llm_data_dir={console.data}")
    assert done.exit_code == 1 and len(bad(done.stdout)) == 1


def test_without_a_proxy_a_command_that_would_go_past_one_is_found_all_the_same(
    console: Console, tmp_path: Path
) -> None:
    (tmp_path / "node").write_text("#!/bin/sh\necho v20.20.2\n")
    (tmp_path / "node").chmod(0o755)
    alone = Console(console.folder, {"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    for command, expected in (("node", "Node 20.20.2 ignores"), ("none-such", "no command none-such")):
        done = alone.run("doctor", "--set", f"llm_data_dir={console.data}", "--", command)
        assert [expected in each for each in bad(done.stdout)] == [False, True], done.stdout
    done = alone.run("doctor", "--set", f"llm_data_dir={console.data}", "--", "sh")
    assert len(bad(done.stdout)) == 1
