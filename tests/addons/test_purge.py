import asyncio

import pytest
from mitmproxy import exceptions

from addons.conftest import Clock, MakeRig
from addons.flows import Rig, flow_of, reply_of, word
from exchanges.anthropic import MESSAGES
from exchanges.openai import CHAT
from made import NOW
from mitmcache.addons.purge import Purge, parse
from mitmcache.selection import Selection
from mitmcache.store.base import StoreError


async def purge(rig: Rig, *conditions: str) -> None:
    """As typed into mitmproxy's or mitmweb's command line, and waited for."""
    rig.context.master.commands.execute(" ".join(["llm.purge", *conditions]))
    addon = rig.get(Purge)
    await asyncio.gather(*addon.running)


@pytest.mark.parametrize(
    ("conditions", "selection"),
    [
        (("all",), Selection()),
        (("model=gpt-4*",), Selection(model="gpt-4*")),
        (("provider=openai", "tag=a=b"), Selection(provider="openai", tag="a=b")),
        (("host=h", "key=k"), Selection(host="h", key="k")),
        (("older=1h", "model=*"), Selection(model="*", before=NOW - 3600)),
        (("older=0",), Selection(before=NOW)),
    ],
)
def test_conditions_are_read(conditions: tuple[str, ...], selection: Selection) -> None:
    assert parse(conditions, NOW) == selection


@pytest.mark.parametrize(
    ("conditions", "named"),
    [
        ((), "which answers"),
        (("modell=x",), "'modell=x' is no condition"),
        (("gpt-4",), "'gpt-4' is no condition"),
        (("model=",), "'model=' is no condition"),
        (("all", "model=x"), "'all' is no condition"),
        (("older=soon",), "'soon' is not a duration"),
    ],
)
def test_what_is_no_condition_is_named(conditions: tuple[str, ...], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        parse(conditions, NOW)


async def test_what_is_purged_is_a_miss_and_then_kept_anew(rig: Rig, clock: Clock) -> None:
    assert await rig.repeat(CHAT) == ["MISS", "HIT"]
    assert await rig.repeat(MESSAGES) == ["MISS", "HIT"]
    await purge(rig, "provider=openai")
    assert await rig.repeat(CHAT) == ["MISS", "HIT"]
    assert await rig.repeat(MESSAGES, 1) == ["HIT"]


async def test_a_purge_outlives_the_proxy(make_rig: MakeRig) -> None:
    first = make_rig()
    await first.repeat(CHAT)
    await purge(first, "all")
    await first.close()
    assert await make_rig().repeat(CHAT) == ["MISS", "HIT"]


async def test_an_answer_whose_call_began_before_the_purge_is_purged_too(rig: Rig) -> None:
    asked = await rig.ask(flow_of(CHAT))
    await purge(rig, "all")
    await rig.reply(asked, reply_of(CHAT))
    assert word(await rig.call(flow_of(CHAT), reply_of(CHAT))) == "MISS"


async def test_a_word_that_is_no_condition_purges_nothing(rig: Rig) -> None:
    await rig.repeat(CHAT)
    with pytest.raises(exceptions.CommandError, match=r"llm\.purge: 'modle=x'"):
        rig.context.master.commands.execute("llm.purge modle=x")
    assert await rig.repeat(CHAT, 1) == ["HIT"]


async def test_what_others_could_not_be_told_is_said(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails(selection: Selection) -> int:
        raise StoreError("the bucket is away")

    monkeypatch.setattr(rig.storage.stores, "purge", fails)
    await purge(rig, "all")
    assert "not for others: the bucket is away" in caplog.text
