"""The proxy of a test session: started at the first test that needs it, and gone with the session.

All that is known here of how a proxy is launched is `demo.proxy`'s Proxy. It ends when this process does,
however that dies.
"""

import asyncio
import json
import os
import secrets
import shutil
import threading
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from mitmcache.demo.proxy import Proxy, ProxyError

SCRIPT = "from mitmcache.addons.tape import tape_addons\n\naddons = tape_addons()\n"
TOKEN, HEADER = "MITMCACHE_TAPE_TOKEN", "mitmcache-tape-token"  # as addons/tape.py has them
START, STOP, ANSWER = 45.0, 20.0, 60.0
"""Seconds."""
TAIL = 20


class ProxyFailed(Exception):
    """In words for whoever runs the tests."""


class Launched:
    """Runs from its making to `stop`, in a folder of its own, readable by nobody else."""

    def __init__(self, options: Mapping[str, str]) -> None:
        """Blocks until the proxy listens. Raises ProxyFailed."""
        self._token = secrets.token_hex(16)
        try:
            self.folder = Path(mkdtemp(prefix="mitmcache-pytest-"))
            script = self.folder / "tape.py"
            script.write_text(SCRIPT, encoding="utf-8")
        except OSError as error:
            raise ProxyFailed(f"no folder for the proxy: {error.filename}: {error.strerror}") from None
        self._proxy = Proxy(
            self.folder / "confdir",
            None,
            None,
            script=script,
            options=_options(self.folder, options),
            environment={TOKEN: self._token},
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mitmcache", daemon=True)
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._proxy.__aenter__(), self._loop).result(START)
        except BaseException as error:
            self.stop()
            if isinstance(error, ProxyError | OSError | TimeoutError):
                raise ProxyFailed(f"the proxy does not start: {error}{self.tail()}") from None
            raise

    @property
    def url(self) -> str:
        return self._proxy.url

    @property
    def ca_bundle(self) -> Path:
        """The public CAs and the proxy's own."""
        return self.folder / "confdir" / "ca-bundle.pem"

    def tell(self, step: str, **said: object) -> dict[str, Any]:
        """What addons/tape.py answers. Raises ProxyFailed, with its reason where it refuses."""
        connection = HTTPConnection("127.0.0.1", self._proxy.port, timeout=ANSWER)
        try:
            body = json.dumps(said)
            connection.request("POST", f"http://llm.cache/tape/{step}", body, {HEADER: self._token})
            reply = connection.getresponse()
            told: dict[str, Any] = json.loads(reply.read())
        except (OSError, HTTPException, ValueError) as error:
            raise ProxyFailed(
                f"the proxy does not answer: {error or type(error).__name__}{self.tail()}"
            ) from None
        finally:
            connection.close()
        if reply.status != 200:
            raise ProxyFailed(str(told.get("error")))
        return told

    def stop(self) -> None:
        """May be called again."""
        if not self._loop.is_closed():
            with suppress(TimeoutError):
                asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(STOP)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(STOP)
            if not self._thread.is_alive():
                self._loop.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def tail(self) -> str:
        """The last that it said, as lines to be appended."""
        lines = [line for line in list(self._proxy.lines)[-TAIL:] if line]
        return "".join(f"\n    {line}" for line in lines)

    async def _end(self) -> None:
        await self._proxy.__aexit__(None, None, None)


def _options(folder: Path, given: Mapping[str, str]) -> dict[str, str]:
    trusted = os.environ.get("SSL_CERT_FILE", "")
    return {
        **({"ssl_verify_upstream_trusted_ca": trusted} if trusted and Path(trusted).is_file() else {}),
        "flow_detail": "0",
        **given,
        "confdir": str(folder / "confdir"),
        "llm_data_dir": str(folder / "data"),
        "llm_store": "",
        "llm_ttl": "0",
        # whoever replays has another key than who recorded, or none
        "llm_scope": "shared",
    }
