"""A real Prometheus, from Debian's package, that scrapes a proxy through itself."""

import math
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

import ports
from boards import RULES
from e2e.process import Process, ProcessError

READY_SECONDS = 100.0
CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 500ms}}
rule_files: [{rules}]
scrape_configs:
  - job_name: mitmcache
    proxy_url: {proxy}
    static_configs: [{{targets: ["llm.cache:80"]}}]
"""


def program(name: str) -> str:
    """Where it is. Skips the test where there is none, but for the gate, which installs it."""
    found = shutil.which(name)
    if not found:
        assert not os.environ.get("CI"), f"{name} is missing: install the package prometheus"
        pytest.skip(f"no {name} here")
    return found


def check(kind: str, text: str, *arguments: str) -> None:
    """What promtool has against it fails the test."""
    done = subprocess.run(
        [program("promtool"), "check", kind, *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=100,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0 and not (kind == "metrics" and said), said


class Prometheus:
    """Runs while the `with` block does."""

    def __init__(self, folder: Path, proxy: str) -> None:
        self._program = program("prometheus")
        self._port = ports.free()
        self._folder = folder
        folder.mkdir(parents=True)
        (folder / "prometheus.yml").write_text(CONFIG.format(rules=RULES, proxy=proxy))
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{self._port}", trust_env=False, timeout=60)

    def __enter__(self) -> Self:
        arguments = {
            "config.file": str(self._folder / "prometheus.yml"),
            "storage.tsdb.path": str(self._folder / "data"),
            "web.listen-address": f"127.0.0.1:{self._port}",
            "log.level": "warn",
        }
        command = [self._program, *(f"--{name}={value}" for name, value in arguments.items())]
        self._process = Process(command, self._folder, dict(os.environ))
        end = time.monotonic() + READY_SECONDS
        while not self._is_ready():
            if time.monotonic() > end:
                self.__exit__()
                raise ProcessError("\n".join(self._process.lines))
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()
        self._process.kill()

    def ask(self, path: str, **parameters: str) -> Any:
        answer = self._http.get(f"/api/v1/{path}", params=parameters).json()
        assert answer["status"] == "success", (parameters, answer)
        return answer["data"]

    def values(self, query: str) -> list[float]:
        """What the query gives, without what is no number."""
        result = self.ask("query", query=query)["result"]
        numbers = [float(sample["value"][1]) for sample in result]
        return [number for number in numbers if not math.isnan(number)]

    def _is_ready(self) -> bool:
        try:
            return self._http.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False
