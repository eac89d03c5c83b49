"""The proxy of a test session: started at the first test that needs it, and gone with the session.

It ends when this process does, however that dies.
"""

import json
import os
import secrets
import shutil
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from mitmcache.launch.proxy import Proxy, ProxyError

SCRIPT = "from mitmcache.addons.tape import tape_addons\n\naddons = tape_addons()\n"
TOKEN, HEADER = "MITMCACHE_TAPE_TOKEN", "mitmcache-tape-token"  # as addons/tape.py has them
ANSWER = 60.0
"""Seconds."""
ENDING = 10.0
"""Seconds between the end of its connections and its own, at most."""
TAIL = 20


class ProxyFailed(Exception):
    """In words for whoever runs the tests."""


class Launched:
    """Runs from its making to `stop`, in a folder of its own, readable by nobody else."""

    def __init__(self, options: Mapping[str, str]) -> None:
        """Blocks until the proxy listens. Raises ProxyFailed."""
        self._token = secrets.token_hex(16)
        self.hosts = options.get("llm_hosts", "")
        try:
            self.folder = Path(mkdtemp(prefix="mitmcache-pytest-"))
            script = self.folder / "script" / "tape.py"  # alone, since its folder becomes importable
            script.parent.mkdir()
            script.write_text(SCRIPT, encoding="utf-8")
        except OSError as error:
            raise ProxyFailed(f"no folder for the proxy: {error.filename}: {error.strerror}") from None
        environ = {**os.environ, TOKEN: self._token}
        given = _options(self.folder, options)
        self._proxy = Proxy(self.folder / "confdir", given, main=script, environ=environ)
        try:
            self._proxy.start()
        except ProxyError as error:
            self.stop()
            raise ProxyFailed(f"the proxy does not start: {error}") from None
        except BaseException:
            self.stop()
            raise

    @property
    def url(self) -> str:
        return self._proxy.url

    @property
    def ca(self) -> Path:
        return self._proxy.ca_file

    @property
    def pid(self) -> int:
        return self._proxy.pid

    def tell(self, step: str, **said: object) -> dict[str, Any]:
        """What addons/tape.py answers. Raises ProxyFailed, with its reason where it refuses."""
        connection = HTTPConnection("127.0.0.1", self._proxy.port, timeout=ANSWER)
        try:
            body = json.dumps(said)
            connection.request("POST", f"http://llm.cache/tape/{step}", body, {HEADER: self._token})
            reply = connection.getresponse()
            told: dict[str, Any] = json.loads(reply.read())
        except (OSError, HTTPException, ValueError) as error:
            why = str(error) or type(error).__name__
            # its connections end before it does
            what = "has ended" if self._proxy.ended_within(ENDING) else f"does not answer: {why}"
            raise ProxyFailed(f"the proxy {what}{self._tail()}") from None
        finally:
            connection.close()
        if reply.status != 200:
            raise ProxyFailed(str(told.get("error")))
        return told

    def stop(self) -> None:
        """May be called again."""
        self._proxy.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _tail(self) -> str:
        """The last that it said, as lines to be appended."""
        lines = [line for line in list(self._proxy.lines)[-TAIL:] if line]
        return "".join(f"\n    {line}" for line in lines)


def _options(folder: Path, given: Mapping[str, str]) -> dict[str, str]:
    trusted = os.environ.get("SSL_CERT_FILE", "")
    return {
        **({"ssl_verify_upstream_trusted_ca": trusted} if trusted and Path(trusted).is_file() else {}),
        "termlog_verbosity": "warn",
        **given,
        "llm_data_dir": str(folder / "data"),
        "llm_store": "",
        "llm_ttl": "0",
        # whoever replays has another key than who recorded, or none
        "llm_scope": "shared",
    }
