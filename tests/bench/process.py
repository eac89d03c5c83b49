"""What the system knows of a process: Linux only, nothing elsewhere."""

import re
from contextlib import suppress
from pathlib import Path


def resident(pid: int) -> int:
    """Bytes in memory."""
    return _memory(pid, "VmRSS")


def most_resident(pid: int) -> int:
    """Bytes in memory when they were most."""
    return _memory(pid, "VmHWM")


def _memory(pid: int, line: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    [kilobytes] = re.findall(rf"{line}:\s+(\d+) kB", status)
    return int(kilobytes) * 1024


def cpu(*pids: int) -> float | None:
    """Seconds that their threads have run for: unlike the clock's, they do not count who else was busy."""
    nanoseconds = 0
    try:
        for pid in pids:
            for thread in Path(f"/proc/{pid}/task").iterdir():
                with suppress(FileNotFoundError):
                    nanoseconds += int((thread / "schedstat").read_text(encoding="ascii").split()[0])
    except OSError:
        return None
    return nanoseconds / 1e9 or None
