"""Refuses to run as a proxy without its cache, and says when it is ready."""

import difflib
import logging
import sys

from mitmproxy import ctx

from mitmcache import settings
from mitmcache.addons import listeners

logger = logging.getLogger(__name__)

PREFIX = "llm_"


class Startup:
    """What it pins must hold before any other addon looks."""

    def configure(self, updated: set[str]) -> None:
        # lazy: a hit needs no upstream and no DNS; eager would dial before every hit, and fail when offline
        if ctx.options.connection_strategy != "lazy":
            ctx.options.update(connection_strategy="lazy")
        # a model may think for more than mitmproxy's 10 minutes before its first byte
        if ctx.options.tcp_timeout < 3600:
            ctx.options.update(tcp_timeout=3600)

    def running(self) -> None:
        known = [option.name for option in settings.OPTIONS]
        if unknown := sorted(name for name in ctx.options.deferred if name.startswith(PREFIX)):
            close = difflib.get_close_matches(unknown[0], known, 1)
            hint = f"; did you mean {close[0]}?" if close else f"; there are {', '.join(known)}"
            # an error that is logged before start-up ends makes mitmproxy exit
            logger.error("mitmcache: unknown option %s%s", unknown[0], hint)
            return
        if not listeners.on_loopback() and not ctx.options.proxyauth:
            logger.warning(
                "mitmcache: the proxy listens on more than this machine and asks nobody who they are: "
                "set listen_host=127.0.0.1, or proxyauth"
            )
        addresses = ", ".join(
            f"http://{f'[{host}]' if ':' in host else host}:{port}" for host, port in listeners.addresses()
        )
        if "web_port" in ctx.options:
            addresses += f", mitmweb http://{ctx.options.web_host}:{ctx.options.web_port}"
        if port := listeners.gateway():
            addresses += f", dashboard http://127.0.0.1:{port}"
        print(f"mitmcache ready: proxy {addresses}", file=sys.stderr, flush=True)  # noqa: T201
