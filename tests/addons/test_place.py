import logging
from pathlib import Path

import pytest
from mitmproxy.addons.view import View

from addons.flows import Rig, flow_of, reply_of
from exchanges.openai import CHAT
from mitmcache.addons.gateway import Gateway
from mitmcache.addons.place import HIDDEN, ProxyPlace
from mitmcache.gateway import token
from mitmcache.selection import Selection
from mitmcache.store.base import StoreError

SECRET = "sk-a-secret"


def place_of(rig: Rig) -> ProxyPlace:
    return rig.get(Gateway).place


async def test_it_has_the_token_of_its_folder(rig: Rig) -> None:
    place = place_of(rig)
    assert place.token == ""
    await place.open()
    assert place.token == token.read(Path(rig.options.llm_data_dir)) != ""


async def test_where_it_can_have_no_token_it_can_be_looked_at(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(folder: Path) -> str:
        raise PermissionError(13, "not allowed")

    monkeypatch.setattr(token, "ensure", fail)
    await place_of(rig).open()
    assert place_of(rig).token == "" and "can only be looked at" in caplog.text


async def test_it_counts_what_a_purge_would_take_and_then_takes_it(rig: Rig) -> None:
    for words in ("a", "b"):
        await rig.call(flow_of(CHAT.saying(words)), reply_of(CHAT))
    assert (await rig.stored())["entries"] == 2
    place = place_of(rig)
    nothing = await place.count(Selection(model="no-such"))
    assert nothing == {"entries": 0, "bytes": 0, "models": [], "more_models": 0}
    found = await place.count(Selection(provider="openai"))
    assert found["entries"] == 2 and found["bytes"]
    assert found["models"] == [{"provider": "openai", "model": found["models"][0]["model"], "entries": 2}]  # type: ignore[index]
    assert await place.purge(Selection(provider="openai")) == 2
    assert (await place.store())["entries"] == 0


async def test_without_a_disk_it_counts_nothing(rig: Rig) -> None:
    disk, rig.storage.stores.disk = rig.storage.stores.disk, None
    with pytest.raises(StoreError, match="memory alone"):
        await place_of(rig).count(Selection())
    rig.storage.stores.disk = disk


async def test_the_mode_is_the_proxys(rig: Rig) -> None:
    place = place_of(rig)
    place.set_mode("offline")
    assert rig.options.llm_mode == "offline" and place.about()["mode"] == "offline"
    with pytest.raises(ValueError, match=r"^'on' is none of live,"):
        place.set_mode("on")
    assert rig.options.llm_mode == "offline"


async def test_it_knows_where_mitmweb_is(rig: Rig) -> None:
    assert place_of(rig).about()["mitmweb"] == ""
    rig.options.add_option("web_host", str, "127.0.0.1", "")
    rig.options.add_option("web_port", int, 8081, "")
    assert place_of(rig).about()["mitmweb"] == "http://127.0.0.1:8081"


async def test_it_is_ready_once_it_is_known_what_was_purged(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await place_of(rig).ready() == ""

    async def never() -> None:
        raise TimeoutError

    monkeypatch.setattr(rig.storage.stores.purger, "loaded", never)
    assert "purged" in await place_of(rig).ready()


async def test_headers_are_shown_and_no_secret_in_them(rig: Rig) -> None:
    view = View()
    rig.manager.add(view)
    asked = flow_of(CHAT, authorization=f"Bearer {SECRET}", x_unheard_of=SECRET)
    await rig.call(asked, reply_of(CHAT, ("set-cookie", SECRET)))
    view.add([asked])
    found = await place_of(rig).headers(asked.id)
    request = {name.lower(): value for name, value in found["request"]}
    assert request["authorization"] == request["x-unheard-of"] == HIDDEN
    assert dict(found["response"])["x-cache"] == "MISS"
    assert SECRET not in str(found)
    assert await place_of(rig).headers("no-such") == {}


async def test_without_mitmwebs_list_there_are_no_headers(rig: Rig) -> None:
    assert await place_of(rig).headers("any") == {}


async def test_finished_calls_are_told_live(rig: Rig) -> None:
    with place_of(rig).live.reader() as reader:
        await rig.call(flow_of(CHAT), reply_of(CHAT))
        messages = reader.messages()
        assert b'"verdict":"MISS"' in [await anext(messages) for _ in range(2)][1]


async def test_a_purge_is_said_in_the_log(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await place_of(rig).purge(Selection())
    assert "purged from the dashboard: 0 answers" in caplog.text
