"""What is not as expected counts as nothing; tests/e2e/test_large_clients.py has mitmproxy's own layers."""

from types import SimpleNamespace

import pytest
from mitmproxy import http
from mitmproxy.proxy.layers.http import HttpLayer

from addons.flows import context, flow
from mitmcache.addons.pressure import pressure_of


class Proxyserver:
    """As much of mitmproxy's as is looked at."""

    def __init__(self, *handlers: object) -> None:
        self.connections = dict(enumerate(handlers))


def serving(asked: http.HTTPFlow, waiting: dict[int, list[object]], wrap: str = "") -> object:
    layer = HttpLayer.__new__(HttpLayer)
    layer.streams = {1: SimpleNamespace(flow=object()), 3: SimpleNamespace(flow=asked)}  # type: ignore[dict-item]
    server = SimpleNamespace(h2_conn=SimpleNamespace(stream_buffers=waiting))
    layer.connections = {asked.client_conn: server}  # type: ignore[dict-item]
    return SimpleNamespace(**{wrap: layer}) if wrap else layer


@pytest.mark.parametrize("wrap", ["", "layer", "child_layer"])
def test_what_waits_for_the_flows_own_stream_is_counted_anew_each_time(wrap: str) -> None:
    asked, waiting = flow(version="HTTP/2.0"), dict[int, list[object]]()
    handler = SimpleNamespace(client=asked.client_conn, layer=serving(asked, waiting, wrap))
    with context(Proxyserver(handler)):
        pressure = pressure_of(asked)
    assert pressure() == 0
    waiting[1] = [SimpleNamespace(data=b"another's")]
    waiting[3] = [SimpleNamespace(data=b"12"), SimpleNamespace(data=b"345")]
    assert pressure() == 5


@pytest.mark.parametrize("handlers", [(), (SimpleNamespace(client=None, layer=None),), (object(),)])
def test_a_mitmproxy_that_we_do_not_know_waits_for_nothing(handlers: tuple[object, ...]) -> None:
    with context(Proxyserver(*handlers)):
        assert pressure_of(flow(version="HTTP/2.0"))() == 0


def test_over_http1_mitmproxy_reads_on_only_when_its_client_does() -> None:
    assert pressure_of(flow())() == 0
