"""Connections and contexts cannot be told from mitmproxy's own but by the clock."""

from collections.abc import Iterator
from copy import copy
from typing import Any

import pytest
from mitmproxy import options
from mitmproxy.connection import Client, Server
from mitmproxy.proxy.context import Context
from mitmproxy.test import tflow

from mitmcache import shortcuts


@pytest.fixture(autouse=True)
def none_installed() -> Iterator[None]:
    shortcuts.uninstall()
    yield
    shortcuts.uninstall()


@pytest.mark.parametrize("ours", [False, True])
def test_a_fork_has_the_same_connections_and_layers_of_its_own(ours: bool) -> None:
    outer = Context(tflow.tclient_conn(), options.Options())
    outer.layers.append("layer")  # type: ignore[arg-type]
    if ours:
        shortcuts.install()
    inner = outer.fork()
    assert type(inner) is Context and vars(inner) == vars(outer)
    assert (inner.client, inner.server, inner.options) == (outer.client, outer.server, outer.options)
    inner.layers.append("another")  # type: ignore[arg-type]
    inner.server = Server(address=("h.example", 1))
    assert len(outer.layers) == 1 and outer.server is not inner.server


class Other(Client):
    """A kind that mitmproxy does not have."""


def connections() -> list[Any]:
    client, server = tflow.tclient_conn(), tflow.tserver_conn()
    same, other = copy(client), Server(address=None)
    special = Other(**{name: getattr(client, name) for name in ("peername", "sockname", "id")})
    server.id = client.id
    return [client, same, server, other, special, client.id, None, object()]


def test_connections_are_the_same_as_they_are_to_mitmproxy() -> None:
    made = connections()

    def compared() -> list[bool]:
        return [one == other for one in made for other in made]

    expected = compared()
    assert True in expected and False in expected
    shortcuts.install()
    assert compared() == expected
    assert {made[0]: 1}[made[1]] == 1
