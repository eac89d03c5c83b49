import os
from pathlib import Path

import pytest

from addons.conftest import MakeRig
from addons.flows import Rig
from addons.listening import listening
from mitmcache.addons.note import RunningNote
from mitmcache.launch import note
from mitmcache.launch.note import TETHERED


def folder(rig: Rig) -> Path:
    return Path(rig.options.llm_data_dir)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::1", "[::1]")],
)
async def test_a_running_proxy_notes_how_it_is_reached_from_here(rig: Rig, host: str, expected: str) -> None:
    async with listening(rig, host) as port:
        rig.get(RunningNote).running()
    found = note.read(folder(rig))
    assert found and (found.url, found.pid) == (f"http://{expected}:{port}", os.getpid())
    assert (Path(found.confdir).is_absolute(), found.mode) == (True, "live")


async def test_an_option_that_changes_is_noted_and_the_note_goes_with_the_proxy(rig: Rig) -> None:
    async with listening(rig, "127.0.0.1"):
        rig.get(RunningNote).running()
        rig.options.update(llm_mode="off", llm_hosts="a.example=openai")
    found = note.read(folder(rig))
    assert found and (found.mode, found.hosts) == ("off", "a.example=openai")
    rig.get(RunningNote).done()
    assert note.read(folder(rig)) is None


async def test_one_that_ends_with_its_starter_leaves_none(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TETHERED, "1")
    async with listening(rig, "127.0.0.1"):
        rig.get(RunningNote).running()
        rig.options.update(llm_mode="off")
    assert note.read(folder(rig)) is None


async def test_a_folder_that_is_gone_stops_nothing(make_rig: MakeRig, tmp_path: Path) -> None:
    rig = make_rig()
    async with listening(rig, "127.0.0.1"):
        rig.options.update(llm_mode="off")
        for path in (tmp_path / "elsewhere", folder(rig)):
            path.exists() and path.rename(tmp_path / "gone")
        rig.get(RunningNote).running()
        rig.get(RunningNote).done()
