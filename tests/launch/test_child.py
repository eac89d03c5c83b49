"""A program in the place of ours, as a process that runs it sees it."""

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mitmcache.launch import child

ADDON = Path(__file__).parents[2] / "addon"
RUN = "import os, sys; from mitmcache.launch import child; sys.exit(child.run(sys.argv[1:], os.environ))"
# says its pid and the signals it gets, and ends on SIGUSR1
LISTENER = """
import os, signal, sys
def heard(number, frame):
    print(signal.Signals(number).name, flush=True)
    if number == signal.SIGUSR1:
        sys.exit(7)
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1):
    signal.signal(number, heard)
print(os.getpid(), flush=True)
while True:
    signal.pause()
"""
DEADLINE = 100


def runner(*command: str, python: tuple[str, ...] = ("-c", RUN)) -> list[str]:
    return [sys.executable, *python, *command]


def environ() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ADDON), "PYTHONUNBUFFERED": "1"}


def run(*command: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        runner(*command), env=environ(), input=stdin, capture_output=True, timeout=DEADLINE, check=False
    )


@pytest.mark.parametrize("code", [0, 1, 3, 255])
def test_the_exit_code_is_the_program_s(code: int) -> None:
    assert child.run(["sh", "-c", f"exit {code}"], os.environ) == code


@pytest.mark.parametrize("name", ["TERM", "KILL", "SEGV", "PIPE"])
def test_a_program_that_a_signal_ends_is_128_and_its_number(name: str) -> None:
    expected = 128 + signal.Signals[f"SIG{name}"]
    assert child.run(["sh", "-c", f"kill -{name} $$"], os.environ) == expected


def test_a_program_that_is_not_there_or_cannot_run_is_told_and_is_127_or_126(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program")
    (tmp_path / "text").chmod(0o755)
    for command, code in (
        ("no-such-command", 127),
        ("", 127),
        (str(tmp_path), 126),
        (str(tmp_path / "text"), 126),
    ):
        done = run(command)
        assert (done.returncode, done.stderr.count(b"\n")) == (code, 1)
        assert done.stderr.startswith(f"mitmcache: {command}: ".encode())


def test_an_environment_that_is_too_long_is_an_error() -> None:
    with pytest.raises(OSError, match="too long"):
        child.run(["true"], {**os.environ, "MUCH": "x" * (8 << 20)})


def test_input_output_arguments_and_environment_are_the_program_s_own() -> None:
    shown = 'cat; printf "<%s>" "$@" "$MARK"; echo no >&2'
    command = runner("sh", "-c", shown, "sh", "a b", "", "--x", "*")
    given = {**environ(), "MARK": "it's"}
    done = subprocess.run(command, env=given, input=b"in", capture_output=True, timeout=DEADLINE, check=True)
    assert (done.stdout, done.stderr) == (b"in<a b><><--x><*><it's>", b"no\n")


def test_signals_reach_the_program_which_decides() -> None:
    with subprocess.Popen(
        runner(sys.executable, "-c", LISTENER), env=environ(), stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout and process.stdout.readline().strip().isdigit()
        for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1"):
            process.send_signal(signal.Signals[name])
            assert process.stdout.readline().decode().strip() == name
        assert process.wait(DEADLINE) == 7


def heard_of_ctrl_c(listener: str) -> list[bytes]:
    """Which signals a program gets in a terminal where Ctrl-C is typed, and then its runner gets SIGUSR1."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(sys.executable, runner(sys.executable, "-c", listener), environ())
    seen = b""
    try:
        with os.fdopen(terminal, "r+b", buffering=0) as screen:
            assert screen.readline().strip().isdigit()
            screen.write(b"\x03")
            while b"^C" not in seen:  # the terminal echoes it once it has sent the signal
                seen += screen.read(1)
            os.kill(pid, signal.SIGUSR1)
            while b"SIGUSR1" not in seen:
                seen += screen.readline()
    finally:
        os.kill(pid, signal.SIGKILL) if os.waitpid(pid, os.WNOHANG)[0] == 0 else None
    return seen.replace(b"^C", b"").split()


def test_what_is_typed_at_a_terminal_reaches_the_program() -> None:
    assert heard_of_ctrl_c(LISTENER) == [b"SIGINT", b"SIGUSR1"]


def test_what_is_typed_at_a_terminal_is_not_sent_to_the_program_again() -> None:
    """To one that has left the terminal's foreground, so that it would hear of nothing else."""
    assert heard_of_ctrl_c(f"import os; os.setpgid(0, 0){LISTENER}") == [b"SIGUSR1"]


@pytest.mark.skipif(sys.platform != "linux", reason="needs PR_SET_PDEATHSIG")
def test_a_program_ends_with_a_runner_that_is_killed() -> None:
    with subprocess.Popen(
        runner("sh", "-c", "echo $$; exec sleep 600"), env=environ(), stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        pid = int(process.stdout.readline())
        process.kill()
    end = time.monotonic() + DEADLINE
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_nothing_of_ours_is_left_behind() -> None:
    before = {number: signal.getsignal(number) for number in child.PASSED_ON}
    child.run(["true"], os.environ)
    assert {number: signal.getsignal(number) for number in child.PASSED_ON} == before
