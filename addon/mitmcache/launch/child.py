"""Runs a program in the place of this one: same terminal, same signals, same exit code."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

BEGIN = Path(__file__).with_name("begin.py")
TYPED = (signal.SIGINT, signal.SIGQUIT)
"""A terminal sends them to the program, too."""
PASSED_ON = (*TYPED, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def run(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """The exit code, as a shell would have it: 128+n for signal n, 127 for a command that is not there.

    Raises OSError where there can be no process: too many, or arguments and environment that are too long.
    """
    starting: list[int] = []
    with _passing_on(starting) as to:
        process = subprocess.Popen(
            [sys.executable, "-IS", str(BEGIN), str(os.getpid()), *command], env=dict(environ)
        )
        to.append(process)
        for number in starting:  # arrived before there was anybody to have it
            process.send_signal(number)
        code = process.wait()
    return 128 - code if code < 0 else code


@contextmanager
def _passing_on(early: list[int]) -> Iterator[list["subprocess.Popen[bytes]"]]:
    to: list[subprocess.Popen[bytes]] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        if number in TYPED and _at_terminal():
            return
        if to:
            to[0].send_signal(number)
        else:
            early.append(number)

    before = {}
    for number in PASSED_ON:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup's stays as it is
            before[number] = signal.signal(number, pass_on)
    try:
        yield to
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _at_terminal() -> bool:
    """We, and so the program, are in the foreground of a terminal: what was typed has reached it."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
