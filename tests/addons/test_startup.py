import pytest

from addons.conftest import MakeRig
from addons.flows import Rig, configured
from addons.listening import listening
from mitmcache.addons.startup import Startup


async def test_upstreams_are_dialled_late_and_waited_for_long(rig: Rig) -> None:
    assert (rig.options.connection_strategy, rig.options.tcp_timeout) == ("lazy", 3600)
    rig.options.update(connection_strategy="eager", tcp_timeout=600)
    assert (rig.options.connection_strategy, rig.options.tcp_timeout) == ("lazy", 3600)


async def test_whoever_waits_longer_may(make_rig: MakeRig) -> None:
    assert make_rig(tcp_timeout=7200).options.tcp_timeout == 7200


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("llm_tll", "did you mean llm_ttl?"),
        ("llm_data", "did you mean llm_data_dir?"),
        ("llm_xyzzy", "there are llm_store,"),
    ],
)
async def test_an_unknown_option_of_ours_stops_the_start_and_is_named(
    rig: Rig, name: str, hint: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """mitmproxy exits on an error that is logged before it is up."""
    rig.options.update_defer(**{name: "1"})
    rig.get(Startup).running()
    [line] = caplog.records
    assert line.levelname == "ERROR" and name in line.getMessage() and hint in line.getMessage()
    assert "ready" not in capsys.readouterr().err


async def test_an_unknown_option_of_others_is_theirs(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.options.update_defer(other_option="1")
    rig.get(Startup).running()
    assert not caplog.records


async def test_it_says_when_it_is_ready_and_where(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    async with listening(rig, "127.0.0.1") as port:
        rig.get(Startup).running()
    assert capsys.readouterr().err == f"mitmcache ready: proxy http://127.0.0.1:{port}\n"


async def test_an_ipv6_address_is_written_as_a_url_has_it(
    rig: Rig, capsys: pytest.CaptureFixture[str]
) -> None:
    async with listening(rig, "::1") as port:
        rig.get(Startup).running()
    assert capsys.readouterr().err == f"mitmcache ready: proxy http://[::1]:{port}\n"


async def test_mitmwebs_address_is_said_too(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    rig.options.add_option("web_host", str, "127.0.0.1", "")
    rig.options.add_option("web_port", int, 8081, "")
    configured(rig.manager, rig.get(Startup))
    rig.get(Startup).running()
    assert capsys.readouterr().err.endswith(", mitmweb http://127.0.0.1:8081\n")


@pytest.mark.parametrize(
    ("host", "proxyauth", "warned"),
    [("0.0.0.0", None, True), ("0.0.0.0", "any", False), ("127.0.0.1", None, False), ("::1", None, False)],
)
async def test_who_lets_the_whole_network_in_is_warned(
    make_rig: MakeRig, host: str, proxyauth: str | None, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    rig = make_rig(proxyauth=proxyauth)
    async with listening(rig, host):
        caplog.clear()
        rig.get(Startup).running()
    warnings = [line.message for line in caplog.records if line.name == "mitmcache.addons.startup"]
    assert [("listen_host" in line and "proxyauth" in line) for line in warnings] == [True] * warned
