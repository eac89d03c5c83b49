"""run.sh: the program it becomes, and what it hands to it."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from clones import Clone, with_venv, without_venv

PROXY_VARIABLES = [
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"),
    *("NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
]


@pytest.fixture
def repo(tmp_path: Path) -> Clone:
    return with_venv(tmp_path)


@pytest.fixture
def bare(tmp_path: Path) -> Clone:
    return without_venv(tmp_path)


@pytest.mark.parametrize(
    ("args", "program", "last"),
    [
        ([], ".venv/bin/mitmweb", None),
        (["web"], ".venv/bin/mitmweb", None),
        (["-p", "9000"], ".venv/bin/mitmweb", "9000"),
        (["--set", "llm_mode=off"], ".venv/bin/mitmweb", "llm_mode=off"),
        (["dump"], ".venv/bin/mitmdump", None),
        (["dump", "-q", "~u 'a b' & ~m POST"], ".venv/bin/mitmdump", "~u 'a b' & ~m POST"),
        (["bench", "--quick"], "tests/bench", "--quick"),
    ],
)
def test_the_first_word_names_the_program_and_the_rest_is_passed_on(
    repo: Clone, args: list[str], program: str, last: str | None
) -> None:
    argv = repo.record(*args)["argv"]
    assert argv[0] == str(repo.root / program)
    if last is not None:
        assert argv[-1] == last


@pytest.mark.parametrize("command", ["purge", "stats", "ls", "show", "export", "import", "bucket"])
def test_what_is_kept_is_looked_after_by_the_command_line(repo: Clone, command: str) -> None:
    seen = repo.record(command, "--model", "a b", cwd="/")
    assert seen["argv"] == ["-P", str(repo.root / ".venv/bin/mitmcache"), command, "--model", "a b"]
    assert (seen["cwd"], seen["umask"]) == ("/", 0o077)


@pytest.mark.parametrize("command", ["exec", "env", "doctor"])
def test_a_program_gets_its_user_s_environment_as_it_was(repo: Clone, command: str) -> None:
    given = dict.fromkeys(PROXY_VARIABLES, "http://127.0.0.1:8080")
    before = os.umask(0o022)
    try:
        seen = repo.record(command, "--", "a b", env=given, cwd="/")
    finally:
        os.umask(before)
    assert seen["argv"] == ["-P", str(repo.root / ".venv/bin/mitmcache"), command, "--", "a b"]
    assert (given.items() <= seen["env"].items(), seen["cwd"]) == (True, "/")
    assert seen["umask"] == 0o022


def test_tests_run_in_the_clone(repo: Clone) -> None:
    seen = repo.record("test", "-k", "a b", env={"MITMCACHE_CORPUS": "there"}, cwd="/")
    assert (seen["argv"], seen["cwd"]) == (["-m", "pytest", "-k", "a b"], str(repo.root))
    assert seen["env"]["MITMCACHE_CORPUS"] == "there"


def test_the_demo_finds_the_package(repo: Clone) -> None:
    seen = repo.record("demo", "--slow", cwd="/")
    assert seen["argv"] == ["-m", "mitmcache.demo", "--slow"]
    assert seen["env"]["PYTHONPATH"] == str(repo.root / "addon")


@pytest.mark.parametrize("word", ["help", "--help", "-h"])
def test_help_is_given_without_an_environment(bare: Clone, word: str) -> None:
    done = bare.run(word)
    assert (done.returncode, done.stdout[:6], bare.uv_log()) == (0, "usage:", [])


@pytest.mark.parametrize("word", ["wbe", "", "web dump"])
def test_an_unknown_command_is_refused_before_anything_is_made(bare: Clone, word: str) -> None:
    done = bare.run(word)
    assert (done.returncode, done.stdout, bare.uv_log()) == (2, "", [])
    assert "usage:" in done.stderr


def test_the_exit_code_is_the_program_s_own(repo: Clone) -> None:
    assert repo.run("dump", "--exit", "7").returncode == 7


@pytest.mark.parametrize("relative", [False, True])
def test_a_symlink_leads_back_to_the_clone(repo: Clone, tmp_path: Path, relative: bool) -> None:
    (tmp_path / "a bin").mkdir()
    link, chained = tmp_path / "a bin" / "llm proxy", tmp_path / "again"
    link.symlink_to("../my repo/run.sh" if relative else repo.root / "run.sh")
    chained.symlink_to("a bin/llm proxy" if relative else link)
    seen = repo.record(script=chained, cwd="/")
    assert seen["argv"][0] == str(repo.root / ".venv/bin/mitmweb")
    assert seen["cwd"] == "/"


def test_signals_reach_the_proxy(repo: Clone) -> None:
    command = [str(repo.root / "run.sh"), "dump", "--wait"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=repo.env(), stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["pid"] == process.pid
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=100) == -signal.SIGTERM


@pytest.mark.parametrize("command", ["web", "dump", "demo", "test", "purge"])
def test_the_proxy_does_not_inherit_its_own_client_s_settings(repo: Clone, command: str) -> None:
    seen = repo.record(command, env=dict.fromkeys(PROXY_VARIABLES, "http://127.0.0.1:8080"))
    assert not set(PROXY_VARIABLES) & set(seen["env"])


def test_what_the_proxy_writes_is_for_its_user_alone(repo: Clone) -> None:
    assert repo.record("dump")["umask"] == 0o077
