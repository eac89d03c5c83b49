"""The recorded corpus as an upstream: its own replay server, as a process, for as long as a `with` lasts."""

import json
import subprocess
import sys
import urllib.request
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from corpus import corpus_dir

START_DEADLINE = 100


@dataclass
class RecordedUpstream:
    """Stands in for ScriptedUpstream where a proxy asks where to dial and whom to trust."""

    folder: Path
    part: str = "dev"
    port: int = 0
    tls_port: int = 0
    _process: subprocess.Popen[str] | None = None

    @property
    def ca_file(self) -> Path:
        return self.folder / "ca.pem"

    def __enter__(self) -> Self:
        corpus = corpus_dir()
        assert corpus
        script = [sys.executable, str(corpus / "replay_upstream.py"), str(corpus / self.part)]
        ports = ["--port", "0", "--tls-port", "0", "--make-certs", str(self.folder)]
        self._process = subprocess.Popen([*script, *ports], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        told = json.loads(self._process.stdout.readline())
        self.port, self.tls_port = told["port"], told["tls_port"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process and self._process.stdout
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._process.stdout.close()

    def calls(self) -> Counter[str]:
        """Upstream calls so far, by the id of the entry that answered."""
        return Counter(self._ask("/__stats")["calls"])

    def control(self, **faults: object) -> None:
        """The server's fault switches."""
        self._ask("/__control", faults)

    def _ask(self, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=data)
        with urllib.request.urlopen(request, timeout=START_DEADLINE) as reply:
            return json.load(reply)
