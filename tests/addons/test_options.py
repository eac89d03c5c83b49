import math

import pytest
from mitmproxy import exceptions

from addons.conftest import MakeRig
from addons.flows import Rig, configured
from mitmcache import settings
from mitmcache.addons.options import Options
from mitmcache.cache.policy import Mode


async def test_every_option_is_declared_as_text_with_its_default_and_a_help(rig: Rig) -> None:
    declared = {name for name in rig.options.keys() if name.startswith("llm_")}  # noqa: SIM118
    assert declared == {option.name for option in settings.OPTIONS}
    for option in settings.OPTIONS:
        assert rig.options.default(option.name) == option.default
        assert rig.options._options[option.name].help == option.help


async def test_options_are_read_at_the_start_and_when_they_change(make_rig: MakeRig) -> None:
    rig = make_rig(llm_ttl="15m")
    options = rig.get(Options)
    assert (options.current.ttl, options.current.mode) == (900, Mode.LIVE)
    rig.options.update(llm_ttl="0", llm_mode="offline")
    assert (options.current.ttl, options.current.mode) == (math.inf, Mode.OFFLINE)


BAD = [
    ("llm_ttl", "soon"),
    ("llm_mode", "onn"),
    ("llm_scope", "all"),
    ("llm_max_body", "lots"),
    ("llm_hosts", "llm.corp.example=nobody"),
    ("llm_policy", "/nowhere/policy.yaml"),
    ("llm_store", "s3://bucket"),
]


@pytest.mark.parametrize(("name", "value"), BAD)
async def test_a_value_that_cannot_be_is_named_and_the_last_good_one_stays(
    rig: Rig, name: str, value: str
) -> None:
    before = rig.get(Options).current
    with pytest.raises(exceptions.OptionsError, match=f"^{name}: "):
        rig.options.update(**{name: value})
    assert rig.get(Options).current == before
    assert getattr(rig.options, name) != value


async def test_a_value_that_cannot_be_stops_the_start(make_rig: MakeRig) -> None:
    with pytest.raises(exceptions.OptionsError, match=r"^llm_ttl: .soon."):
        make_rig(llm_ttl="soon")


async def test_other_options_are_not_read_for(rig: Rig) -> None:
    before = rig.get(Options).current
    configured(rig.manager, rig.get(Options), "tcp_timeout")
    assert rig.get(Options).current is before
