import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mitmproxy import hooks, http
from mitmproxy.addonmanager import AddonManager
from mitmproxy.addons.script import ScriptLoader
from mitmproxy.test import taddons

from mitmcache import shortcuts
from mitmcache.addons.dispatcher import Dispatcher
from mitmcache.addons.options import Options
from mitmcache.dispatch import REPLACED


def fast(addons: AddonManager) -> bool:
    replaced = set(REPLACED) & vars(addons).keys()
    assert replaced in (set(), set(REPLACED))
    return bool(replaced)


@pytest.fixture
def context() -> Iterator[taddons.context]:
    """The options and the dispatcher; nothing of mitmproxy is replaced before it, or after."""
    shortcuts.uninstall()
    options = Options()
    with taddons.context(options, Dispatcher(options), loadcore=False) as made:
        yield made
        made.master.addons.clear()
    shortcuts.uninstall()


async def test_it_is_on_by_default_and_the_option_turns_it_off(context: taddons.context) -> None:
    slow = hooks.Hook.args
    context.configure(context.master.addons.get("options"), llm_fast_dispatch="true")
    dispatcher, addons = context.master.addons.get("dispatcher"), context.master.addons
    for text, expected in (("true", True), ("false", False), ("true", True)):
        context.options.update(llm_fast_dispatch=text)
        dispatcher.configure({"llm_fast_dispatch"})
        assert (fast(addons), hooks.Hook.args is not slow) == (expected, expected)
    dispatcher.configure({"llm_ttl"})
    assert fast(addons)


async def test_it_leaves_no_trace(context: taddons.context) -> None:
    before = http.MessageData.__post_init__, hooks.Hook.args
    dispatcher, addons = context.master.addons.get("dispatcher"), context.master.addons
    dispatcher.configure(set())
    assert fast(addons) and before[1] is not hooks.Hook.args
    dispatcher.done()
    dispatcher.done()
    assert not fast(addons) and before == (http.MessageData.__post_init__, hooks.Hook.args)


@pytest.mark.parametrize(
    ("owner", "name"), [(AddonManager, "trigger_event"), (http.MessageData, "__post_init__")]
)
async def test_it_stands_aside_with_one_warning_where_mitmproxy_is_another(
    context: taddons.context,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    owner: object,
    name: str,
) -> None:
    monkeypatch.setattr(owner, name, lambda *_: None)
    dispatcher, before = context.master.addons.get("dispatcher"), hooks.Hook.args
    for _ in range(3):
        dispatcher.configure({"llm_ttl"})
    assert not fast(context.master.addons) and hooks.Hook.args is before
    [record] = caplog.records
    assert record.levelname == "WARNING" and f"{name} is another" in record.getMessage()
    dispatcher.done()


async def test_a_second_one_stands_aside(context: taddons.context, caplog: pytest.LogCaptureFixture) -> None:
    addons, first = context.master.addons, context.master.addons.get("dispatcher")
    first.configure(set())
    second = Dispatcher(addons.get("options"))
    second.configure(set())
    second.done()
    assert fast(addons) and "replaced already" in caplog.text


SCRIPT = """
import sys
sys.path.insert(0, {folder!r})
from mitmcache.addons.dispatcher import Dispatcher
from mitmcache.addons.options import Options

options = Options()
addons = [options, Dispatcher(options)]
"""


async def test_a_reload_of_the_script_puts_it_in_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shortcuts.uninstall()
    package = Path(sys.modules[Dispatcher.__module__].__file__ or "").parents[2]
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(folder=str(package)))
    loader = ScriptLoader()
    with taddons.context(loader, loadcore=False) as context:
        addons = context.master.addons
        context.configure(loader, scripts=[str(script)])
        [manager] = loader.addons
        try:
            manager.loadscript()
            first = addons.get("dispatcher")
            assert fast(addons)
            manager.loadscript()
            assert fast(addons) and addons.get("dispatcher") is not first
            await addons.trigger_event(hooks.RunningHook())
            context.configure(loader, scripts=[])
            assert not fast(addons) and addons.get("dispatcher") is None
        finally:
            manager.done()
            shortcuts.uninstall()
    assert not [record for record in caplog.records if record.levelno > 20]
