"""`mitmcache` as a user runs it, in a home of its own, with a provider that is the scripted upstream."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2e.proxy import REDIRECT
from e2e.upstream import ScriptedUpstream

ROOT = Path(__file__).parents[2]
DEADLINE = 100.0
CLIENTS = ("_proxy", "_api_key", "_base_url", "_ca_bundle", "_cert_file", "_cert_dir", "_cacert")


@dataclass(frozen=True)
class User:
    """`options` make proxies that `exec` starts dial the upstream."""

    home: Path
    confdir: Path
    upstream: ScriptedUpstream
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        return self.home / "data" / "mitmcache"

    @property
    def environ(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.lower().endswith(CLIENTS)}
        return {
            **kept,
            "HOME": str(self.home),
            "XDG_DATA_HOME": str(self.home / "data"),
            "TMPDIR": str(self.home / "tmp"),
            "PYTHONPATH": str(ROOT / "addon"),
            "MITMCACHE_CONFDIR": str(self.confdir),
            "UPSTREAM_PORT": str(self.upstream.port),
            "UPSTREAM_TLS_PORT": str(self.upstream.tls_port),
            "OPENAI_API_KEY": "test-key",
            **self.extra,
        }

    @property
    def options(self) -> list[str]:
        script = self.home / "script" / REDIRECT.name
        return ["-s", str(script), "--set", f"ssl_verify_upstream_trusted_ca={self.upstream.ca_file}"]

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "mitmcache", *words]

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command(*words),
            cwd=self.home,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )

    @contextmanager
    def started(self, *words: str) -> Iterator["subprocess.Popen[str]"]:
        """With pipes; whatever the test does, it is ended."""
        pipe = subprocess.PIPE
        with subprocess.Popen(
            self.command(*words), env=self.environ, stdin=pipe, stdout=pipe, stderr=pipe, text=True
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def processes(self) -> list[str]:
        return list(self.running().values())

    def running(self) -> dict[int, str]:
        """The command lines of the processes that know this user's home (Linux)."""
        found = {}
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(self.home) in line:
                found[int(file.parent.name)] = line
        return found


def user(home: Path, confdir: Path, upstream: ScriptedUpstream, **extra: Any) -> User:
    for name in ("tmp", "script"):
        (home / name).mkdir(parents=True)
    shutil.copy(REDIRECT, home / "script")
    return User(home, confdir, upstream, extra)
