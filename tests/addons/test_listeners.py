import pytest

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
