import subprocess
import sys
import time
from pathlib import Path

import pytest

from mitmcache.launch.turn import turn

ADDON = Path(__file__).parents[2] / "addon"
HOLD = """
import sys, time
from pathlib import Path
from mitmcache.launch.turn import turn
with turn(Path(sys.argv[1]), time.monotonic() + 10):
    print("mine", flush=True)
    sys.stdin.read()
"""


def soon(seconds: float = 100) -> float:
    return time.monotonic() + seconds


def test_a_turn_is_waited_for_and_ends_with_its_process(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env={"PYTHONPATH": str(ADDON)}, stdin=pipe, stdout=pipe) as process:
        assert process.stdout and process.stdout.readline() == b"mine\n"
        with pytest.raises(TimeoutError), turn(tmp_path, soon(0)):
            pass
        with turn(tmp_path, soon(0), needed=False):
            pass
        process.kill()
        with turn(tmp_path, soon()):
            pass


def test_turns_follow_each_other(tmp_path: Path) -> None:
    for _ in range(2):
        with turn(tmp_path, soon(0)):
            pass
