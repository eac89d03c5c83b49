"""Becomes a program, which then ends with who started it. Arguments: the starter's pid, and the command.

Run by its path, with nothing of the package and little of Python: it costs a start of the interpreter.
"""

import contextlib
import os
import signal
import sys

NOT_FOUND, NOT_RUNNABLE = 127, 126
PR_SET_PDEATHSIG = 1


def end_with(starter: int) -> None:
    """Linux alone: elsewhere a program outlives a starter that is killed with SIGKILL."""
    if sys.platform != "linux":
        return
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != starter:  # it was quicker
        os._exit(128 + signal.SIGTERM)


def main(arguments: list[str]) -> int:
    """Returns only if the command cannot be run: the exit code of a shell that cannot."""
    starter, *command = arguments
    end_with(int(starter))
    # Python ignores them, and a program is not to inherit that
    for name in ("SIGPIPE", "SIGXFSZ"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        if not command[0]:  # Python finds no words for it
            raise FileNotFoundError
        os.execvp(command[0], command)
    except FileNotFoundError:
        why, code = "no such command", NOT_FOUND
    except OSError as error:
        why, code = error.strerror or str(error), NOT_RUNNABLE
    sys.stderr.write(f"mitmcache: {command[0]}: {why}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
