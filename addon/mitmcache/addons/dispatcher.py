"""Has mitmproxy do its own work the fast way, hooks and all: half of what it spends on a hit."""

import logging

from mitmproxy import ctx

from mitmcache import shortcuts
from mitmcache.addons.options import Options
from mitmcache.dispatch import Dispatch
from mitmcache.internals import Unfamiliar

logger = logging.getLogger(__name__)


class Dispatcher:
    """Stands aside where mitmproxy is not the one that was replaced part by part, and says so."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._dispatch: Dispatch | None = None
        self._wanted = False

    def configure(self, updated: set[str]) -> None:
        wanted = self._options.current.fast_dispatch
        if wanted != self._wanted:
            self._wanted = wanted
            self._install() if wanted else self.done()

    def done(self) -> None:
        if self._dispatch:
            self._dispatch.uninstall()
            self._dispatch = None
            shortcuts.uninstall()

    def _install(self) -> None:
        dispatch = Dispatch(ctx.master.addons)
        try:
            dispatch.install()
            shortcuts.install()
        except Unfamiliar as error:
            dispatch.uninstall()
            logger.warning(
                "mitmcache: this mitmproxy is left as slow as it is, since %s: all works, only slower. "
                "llm_fast_dispatch=false keeps this quiet",
                error,
            )
        else:
            self._dispatch = dispatch
