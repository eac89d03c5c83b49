"""run.sh's .venv: made once, completely or not at all, and made anew when it must be."""

import fcntl
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from clones import LOCKS, Clone, fill_venv, program, without_venv

RUN, DEV = LOCKS

# Stands for `python3.12`: makes a .venv with pip in it, unless $NO_ENSUREPIP is set.
PYTHON = """#!/bin/sh
case "$*" in
    "-m venv "*) mkdir -p "$3/bin" && cp "$UV_PYTHON" "$3/bin/python" && : >"$3/bin/pip" ;;
    *%d.%d*) echo 3.12 ;;
    *ensurepip*) [ -z "$NO_ENSUREPIP" ] && case "$*" in *print*) echo "$0" ;; esac ;;
    *print*) echo "$0" ;;
esac
"""


@pytest.fixture
def repo(tmp_path: Path) -> Clone:
    return without_venv(tmp_path)


def asked(repo: Clone) -> list[str]:
    """What uv was called for, in order: `venv`, or the name of a lock file."""
    return [
        "venv" if line.startswith("venv") else Path(line.split(" --quiet")[0]).name for line in repo.uv_log()
    ]


def change(repo: Clone, lock: str) -> None:
    with (repo.root / lock).open("a") as file:
        file.write("# newer\n")


def test_the_first_call_makes_it_and_later_calls_do_not(repo: Clone) -> None:
    assert repo.record("dump")["argv"][0] == str(repo.root / ".venv/bin/mitmdump")
    for command in ("web", "demo", "dump"):
        repo.record(command)
    assert asked(repo) == ["venv", RUN]
    assert repo.uv_log()[1].endswith(" --require-hashes --only-binary :all:")


def test_setup_makes_it_and_stops(repo: Clone) -> None:
    assert (repo.run("setup").stdout, asked(repo)) == ("", ["venv", RUN])


@pytest.mark.parametrize(
    ("commands", "expected"),
    [
        (["test", "test", "bench", "web"], ["venv", DEV]),
        (["web", "test", "web", "test"], ["venv", RUN, DEV]),
    ],
)
def test_tests_need_more_than_the_proxy(repo: Clone, commands: list[str], expected: list[str]) -> None:
    for command in commands:
        repo.record(command)
    assert asked(repo) == expected


@pytest.mark.parametrize(
    ("lock", "command", "expected"),
    [(RUN, "web", [RUN]), (RUN, "test", [DEV]), (DEV, "web", []), (DEV, "test", [DEV])],
)
def test_a_changed_lock_file_is_installed_on_top(
    repo: Clone, lock: str, command: str, expected: list[str]
) -> None:
    fill_venv(repo)
    change(repo, lock)
    for _ in range(2):
        repo.record(command)
    assert asked(repo) == expected


def test_tests_after_a_change_and_a_run_have_the_changed_set(repo: Clone) -> None:
    fill_venv(repo)
    change(repo, RUN)
    for command in ("web", "test", "web"):
        repo.record(command)
    assert asked(repo) == [RUN, DEV]


@pytest.mark.parametrize("command", ["web", "test"])
def test_one_that_failed_half_way_is_made_anew(repo: Clone, command: str) -> None:
    done = repo.run(command, env={"UV_FAILS": "1"})
    assert (done.returncode, done.stdout) == (1, "")
    repo.record(command)
    assert asked(repo)[-2:] == ["venv", DEV if command == "test" else RUN]


def test_an_update_that_failed_half_way_is_made_anew(repo: Clone) -> None:
    fill_venv(repo)
    change(repo, RUN)
    assert repo.run("web", env={"UV_FAILS": "1"}).returncode == 1
    repo.record("web")
    assert asked(repo) == [RUN, "venv", RUN]


def test_one_whose_python_is_gone_is_made_anew(repo: Clone) -> None:
    fill_venv(repo)
    python = repo.root / ".venv/bin/python"
    python.unlink()
    python.symlink_to("/nowhere/python3.13")
    repo.record("web")
    assert asked(repo) == ["venv", RUN]


def test_a_clone_that_was_moved_still_runs(repo: Clone, tmp_path: Path) -> None:
    repo.record("web")
    moved = Clone(repo.root.rename(tmp_path / "elsewhere"))
    assert moved.record("web")["argv"][0] == str(tmp_path / "elsewhere/.venv/bin/mitmweb")
    assert asked(repo) == ["venv", RUN]


def test_of_two_first_runs_the_second_waits_and_takes_what_the_first_made(repo: Clone) -> None:
    command = [str(repo.root / "run.sh"), "dump"]
    pipe = subprocess.PIPE
    with (repo.root / RUN).open("r+") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        with subprocess.Popen(command, env=repo.env(), stdout=pipe, stderr=pipe, text=True) as second:
            assert second.stderr is not None
            assert "waiting" in second.stderr.readline()
            fill_venv(repo)
            fcntl.flock(first, fcntl.LOCK_UN)
            out, _err = second.communicate(timeout=100)
    assert json.loads(out)["argv"][0].endswith("mitmdump")
    assert asked(repo) == []


def test_the_lock_is_not_held_while_the_proxy_runs(repo: Clone) -> None:
    command = [str(repo.root / "run.sh"), "dump", "--wait"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=repo.env(), stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        with (repo.root / RUN).open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        process.communicate(timeout=100)


def test_packages_are_fetched_through_the_user_s_proxy(repo: Clone) -> None:
    said = {"HTTPS_PROXY": "http://10.0.0.1:3128", "no_proxy": "corp", "SSL_CERT_FILE": "/corp.pem"}
    repo.record("web", env=said)
    seen = Path(repo.env()["UV_LOG"] + ".env").read_text().splitlines()
    assert {f"{name}={value}" for name, value in said.items()} <= set(seen)


@pytest.mark.parametrize("uv", ["none", "a shim that fails", "fails to install"])
def test_without_uv_a_python_that_really_runs_is_used(repo: Clone, tmp_path: Path, uv: str) -> None:
    match uv:
        case "none":
            (tmp_path / "bin/uv").unlink()
        case "a shim that fails":
            program(tmp_path / "bin/uv", "#!/bin/sh\nexit 127\n")
    program(tmp_path / "bin/python3.13", "#!/bin/sh\nexit 127\n")
    program(tmp_path / "bin/python3.12", PYTHON)
    done = repo.run("dump", env={"UV_FAILS": "1"})
    assert done.returncode == 0, done.stderr
    pip, proxy = (json.loads(line)["argv"] for line in done.stdout.splitlines())
    assert pip[:2] == ["-m", "pip"]
    assert {"--require-hashes", "--only-binary", str(repo.root / RUN)} < set(pip)
    assert proxy[0].endswith("mitmdump")


def test_a_python_of_pyenv_is_found_though_its_version_is_not_selected(repo: Clone, tmp_path: Path) -> None:
    (tmp_path / "bin/uv").unlink()
    (tmp_path / "pyenv/versions/3.12.1/bin").mkdir(parents=True)
    program(tmp_path / "pyenv/versions/3.12.1/bin/python3.12", PYTHON)
    assert repo.run("setup", env={"PYENV_ROOT": str(tmp_path / "pyenv")}).returncode == 0


def test_where_no_python_is_new_enough_one_message_says_what_to_do(repo: Clone, tmp_path: Path) -> None:
    (tmp_path / "bin/uv").unlink()
    old = shutil.which("false")
    assert old is not None
    (tmp_path / "bin/python3").symlink_to(old)
    done = repo.run("web")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no Python 3.12 or newer found. Install" in done.stderr.splitlines()[-1]


def test_a_python_without_ensurepip_names_the_package_that_lacks(repo: Clone, tmp_path: Path) -> None:
    (tmp_path / "bin/uv").unlink()
    program(tmp_path / "bin/python3.12", PYTHON)
    done = repo.run("web", env={"NO_ENSUREPIP": "1"})
    assert (done.returncode, done.stdout) == (1, "")
    assert "apt install python3.12-venv" in done.stderr
