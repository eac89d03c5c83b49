import asyncio

import pytest
from mitmproxy.options import Options
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from mitmproxy.test import tflow
from mitmproxy.tls import TlsData

from mitmcache.addons import upstream
from mitmcache.addons.upstream import Upstream


@pytest.mark.parametrize("hook", ["server_connect_error", "tls_failed_server"])
async def test_a_failed_dial_is_forgotten_after_it_has_been_answered(
    hook: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """mitmproxy would fail every later call of the same client connection by it."""
    monkeypatch.setattr(upstream, "RETRY_AFTER", 0.0)
    client, server = tflow.tclient_conn(), tflow.tserver_conn()
    server.error = "Connection refused"
    if hook == "tls_failed_server":
        Upstream().tls_failed_server(TlsData(server, Context(client, Options())))
    else:
        Upstream().server_connect_error(ServerConnectionHookData(server, client))
    assert server.error
    # timers of one moment are called in their order
    later = asyncio.Event()
    asyncio.get_running_loop().call_later(upstream.RETRY_AFTER, later.set)
    await asyncio.wait_for(later.wait(), 60)
    assert server.error is None
