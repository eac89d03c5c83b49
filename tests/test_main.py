import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from mitmproxy.options import Options
from mitmproxy.tools.dump import DumpMaster
from mitmproxy.tools.web.master import WebMaster

import main
from mitmcache.addons import default_addons

ADDON = Path(main.__file__).parent


def test_the_script_loads_the_whole_pipeline() -> None:
    assert [type(addon) for addon in main.addons] == [type(addon) for addon in default_addons()]
    names = [type(addon).__name__ for addon in main.addons]
    assert names.index("Calls") < names.index("Lookup") < names.index("Capture") < names.index("Marks")
    assert names[0] == "Options"


def test_a_reload_gets_addons_that_nobody_has_used() -> None:
    """mitmproxy has called `done` of those before."""
    before = list(main.addons)
    again = importlib.reload(main).addons
    assert len(again) == len(before)
    assert not {id(addon) for addon in again} & {id(addon) for addon in before}


@pytest.mark.parametrize("tool", [DumpMaster, WebMaster])
async def test_addons_have_names_that_mitmproxys_own_have_not(tool: type[DumpMaster | WebMaster]) -> None:
    """An addon is named by its class in lower case, and mitmproxy refuses a name that is taken."""
    taken = set(tool(Options()).addons.lookup)
    names = [type(addon).__name__.lower() for addon in default_addons()]
    assert len(set(names)) == len(names) and not set(names) & taken


def test_the_scripts_folder_is_all_that_it_needs() -> None:
    """As in a bare clone: nothing of ours is installed."""
    code = f"import sys; sys.path.insert(0, {str(ADDON)!r}); import main; print(len(main.addons))"
    told = subprocess.run(
        [sys.executable, "-c", code], cwd="/", capture_output=True, text=True, check=True, timeout=100
    )
    assert int(told.stdout) == len(main.addons)
