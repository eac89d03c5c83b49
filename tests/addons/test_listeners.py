import pytest
from mitmproxy.proxy.mode_specs import ProxyMode

from addons.flows import Rig
from addons.listening import listening
from mitmcache.addons import listeners


@pytest.mark.parametrize(("host", "alone"), [("127.0.0.1", True), ("::1", True), ("0.0.0.0", False)])
async def test_it_knows_whether_others_can_reach_it(rig: Rig, host: str, alone: bool) -> None:
    async with listening(rig, host) as port:
        assert listeners.addresses() == [(host, port)]
        assert listeners.on_loopback() is alone


async def test_who_does_not_listen_is_reached_by_nobody(rig: Rig) -> None:
    assert listeners.addresses() == [] and listeners.on_loopback()


@pytest.mark.parametrize(
    ("mode", "ours"),
    [
        ("reverse:http://llm.cache@127.0.0.1:8082", True),
        ("reverse:http://llm.cache", True),
        ("reverse:https://llm.cache@8082", False),
        ("reverse:http://llm.cache.example@8082", False),
        ("reverse:http://127.0.0.1:8082", False),
        ("regular@8082", False),
        ("upstream:http://llm.cache@8082", False),
    ],
)
def test_the_gateway_is_known_by_its_mode(mode: str, ours: bool) -> None:
    assert listeners.is_gateway(ProxyMode.parse(mode)) == ours


async def test_while_nobody_listens_there_is_no_gateway(rig: Rig) -> None:
    assert listeners.gateway() == 0
