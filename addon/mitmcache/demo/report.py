# ruff: noqa: T201 - what it prints is what it is for
"""What the demo says: plain text, the same on a terminal and in a file."""

import sys
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LOG_LINES = 20


@dataclass(frozen=True, slots=True)
class Run:
    """What the program told of its call; times in seconds."""

    x_cache: str
    first: float
    total: float
    id: str
    text: str


def introduce(host: str) -> None:
    print(
        f"The same program is run three times. It asks {host} with the openai client, streaming,\n"
        "and knows nothing of a cache: HTTPS_PROXY and SSL_CERT_FILE are all that is set for it.\n"
        f"No key and no network are needed: a script on this machine stands for {host}.\n\n"
        f"  {'run':<25}{'x-cache':<9}{'answered by':<20}{'first token':>12}{'whole text':>12}{'faster':>8}",
        flush=True,
    )


def row(runs: Sequence[Run], name: str, source: str) -> None:
    """The last of the runs, as soon as it is known."""
    run = runs[-1]
    faster = f"{runs[0].total / run.total:7.0f}x" if len(runs) > 1 and run.total else ""
    print(
        f"  {f'{len(runs)} {name}':<25}{run.x_cache:<9}{source:<20}"
        f"{run.first * 1000:9.0f} ms{run.total * 1000:9.0f} ms{faster}",
        flush=True,
    )


def conclude(runs: Sequence[Run], calls: int) -> None:
    """For runs that were checked."""
    answer = textwrap.fill(f'"{runs[0].text}"', 88, initial_indent="    ", subsequent_indent="    ")
    print(
        f"\n  calls that reached the upstream: {calls}\n"
        f"  text of the {len(runs)} answers: identical\n{answer}\n\n"
        "Times are those of the call, without Python's own start."
    )


def failure(text: str, log: Iterable[str]) -> None:
    print(f"\nThe demo failed: {text}", file=sys.stderr)
    if lines := list(log)[-LOG_LINES:]:
        print("The proxy's last lines:", *(f"  {line}" for line in lines), sep="\n", file=sys.stderr)
