import logging
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from mitmproxy.proxy import server

from addons.flows import Rig, flow
from mitmcache.addons.quiet import Quiet

GATEWAY = "reverse:http://llm.cache@127.0.0.1:8082"


@pytest.fixture
def quiet(rig: Rig, caplog: pytest.LogCaptureFixture) -> Iterator[Quiet]:
    caplog.set_level(logging.DEBUG, server.logger.name)
    made = Quiet()
    made.begin()
    yield made
    made.end()


def connect(rig: Rig, mode: str, port: int) -> None:
    client = flow(mode=mode).client_conn
    client.peername = ("127.0.0.1", port)
    rig.manager.get("proxyserver").connections[client.id] = SimpleNamespace(client=client)
    say("client connect", port)


def say(text: str, port: int, level: int = logging.INFO) -> None:
    server.logger.log(level, text, extra={"client": ("127.0.0.1", port)})


async def test_connections_to_the_gateway_are_not_logged(
    rig: Rig, quiet: Quiet, caplog: pytest.LogCaptureFixture
) -> None:
    connect(rig, "regular", 1)
    connect(rig, GATEWAY, 2)
    for port in (1, 2):
        say("client disconnect", port)
        say("server disconnect", port)
    assert [(each.msg, each.client[1]) for each in caplog.records] == [  # type: ignore[attr-defined]
        ("client connect", 1),
        ("client disconnect", 1),
        ("server disconnect", 1),
    ]


async def test_what_goes_wrong_there_is(rig: Rig, quiet: Quiet, caplog: pytest.LogCaptureFixture) -> None:
    connect(rig, GATEWAY, 2)
    say("it has crashed", 2, logging.ERROR)
    assert caplog.messages == ["it has crashed"]


async def test_a_port_that_another_client_has_next_is_heard_again(
    rig: Rig, quiet: Quiet, caplog: pytest.LogCaptureFixture
) -> None:
    connect(rig, GATEWAY, 2)
    connect(rig, "regular", 2)
    assert caplog.messages == ["client connect"]


async def test_in_the_end_nothing_is_left_of_it(
    rig: Rig, quiet: Quiet, caplog: pytest.LogCaptureFixture
) -> None:
    quiet.end()
    connect(rig, GATEWAY, 2)
    assert caplog.messages == ["client connect"]
