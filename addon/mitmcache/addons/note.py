"""Notes where the proxy is, for `mitmcache exec` and its like."""

import logging
import os
from pathlib import Path

from mitmproxy import ctx

from mitmcache.addons import listeners
from mitmcache.addons.options import Options
from mitmcache.launch import note
from mitmcache.launch.note import Note

logger = logging.getLogger(__name__)
ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class RunningNote:
    """A proxy that ends with who started it leaves none."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._noted = False

    def configure(self, updated: set[str]) -> None:
        if self._noted and updated & {"llm_hosts", "llm_mode"}:
            self._note()

    def running(self) -> None:
        self._noted = not os.environ.get(note.TETHERED)
        self._note()

    def done(self) -> None:
        if not self._noted:
            return
        try:
            note.remove(self._options.current.data_dir, os.getpid())
        except OSError as error:
            logger.info("mitmcache: the note of the proxy's address stays: %s", error.strerror)

    def _note(self) -> None:
        addresses = listeners.addresses()
        if not self._noted or not addresses:
            return
        host, port = min(addresses, key=lambda address: ":" in address[0])
        host = ANY.get(host, host)
        found = Note(
            url=f"http://{f'[{host}]' if ':' in host else host}:{port}",
            confdir=str(Path(ctx.options.confdir).expanduser().absolute()),
            hosts=ctx.options.llm_hosts,
            mode=ctx.options.llm_mode,
            pid=os.getpid(),
        )
        try:
            note.write(self._options.current.data_dir, found)
        except OSError as error:
            # open: without it clients are told the proxy's address
            logger.info("mitmcache: the proxy's address was not noted: %s", error.strerror)
