import shutil
from pathlib import Path

import pytest

import ports
from e2e import certs
from launch.stubs import saying
from mitmcache.launch import find, note
from mitmcache.launch.environment import PROXY
from mitmcache.launch.find import Found, NotFound, shown
from mitmcache.launch.note import Note
from mitmcache.launch.proxy import Proxy

NONE = Path("/none")


@pytest.fixture(autouse=True)
def nobody_at_the_usual_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find, "DEFAULT", f"http://127.0.0.1:{ports.free()}")


def test_none_is_found_where_none_runs(tmp_path: Path) -> None:
    assert find.find({}, tmp_path, tmp_path, "") is None


def test_the_one_that_is_named_is_used(launched: Proxy, tmp_path: Path) -> None:
    found = find.find({PROXY: launched.url}, launched.confdir, tmp_path, "a=openai")
    assert found == Found(launched.url, launched.ca_file, "a=openai")


def test_the_one_that_noted_itself_is_used_with_its_own_folder_and_hosts(
    launched: Proxy, tmp_path: Path
) -> None:
    note.write(tmp_path, Note(launched.url, str(launched.confdir), "b=openai", "offline", 1))
    found = find.find({}, NONE, tmp_path, "a=openai")
    assert found == Found(launched.url, launched.ca_file, "b=openai", "offline")


def test_a_note_that_was_left_behind_is_passed_over(
    launched: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note.write(tmp_path, Note(f"http://127.0.0.1:{ports.free()}", "/none", "b=openai", "off", 1))
    assert find.find({}, launched.confdir, tmp_path, "") is None
    monkeypatch.setattr(find, "DEFAULT", launched.url)
    assert find.find({}, launched.confdir, tmp_path, "") == Found(launched.url, launched.ca_file, "")


def test_something_else_at_the_usual_port_is_no_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with saying(404, b"") as server:
        monkeypatch.setattr(find, "DEFAULT", server.url)
        assert find.find({}, tmp_path, tmp_path, "") is None


def test_one_that_noted_itself_and_asks_for_a_password_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with saying(407, b"") as server:
        monkeypatch.setattr(find, "DEFAULT", server.url)
        assert find.find({}, tmp_path, tmp_path, "") is None  # whose that is, nobody knows
        note.write(tmp_path, Note(server.url, str(tmp_path), "", "live", 1))
        with pytest.raises(NotFound, match="asks who you are: set MITMCACHE_PROXY=http://USER:PASSWORD@"):
            find.find({}, tmp_path, tmp_path, "")


def test_one_that_is_named_and_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no proxy listens at http"):
        find.find({PROXY: f"127.0.0.1:{ports.free()}"}, tmp_path, tmp_path, "")
    with pytest.raises(NotFound, match="HOST:PORT"):
        find.find({PROXY: "nonsense"}, tmp_path, tmp_path, "")


@pytest.mark.parametrize(("status", "words"), [(200, "not mitmcache"), (407, "USER:PASSWORD")])
def test_one_that_is_named_and_is_of_no_use_is_an_error(tmp_path: Path, status: int, words: str) -> None:
    with saying(status, b"") as server, pytest.raises(NotFound, match=words) as raised:
        find.find({PROXY: server.url.replace("//", "//me:secret@")}, tmp_path, tmp_path, "")
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("folder", ["no CA", "another CA"])
def test_the_ca_must_be_the_proxy_s_own(launched: Proxy, tmp_path: Path, folder: str, other_ca: Path) -> None:
    if folder == "another CA":
        shutil.copy(other_ca, tmp_path / launched.ca_file.name)
    with pytest.raises(NotFound, match="--confdir"):
        find.find({PROXY: launched.url}, tmp_path, tmp_path, "")


@pytest.fixture
def other_ca(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certs.make(tmp_path_factory.mktemp("other"), ["a.example"]).ca


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("127.0.0.1:1", "http://127.0.0.1:1"),
        ("http://a:b@[::1]:1/", "http://[::1]:1"),
        ("http://a:b@c", "(not an address)"),
    ],
)
def test_an_address_is_shown_without_its_password(url: str, expected: str) -> None:
    assert shown(url) == expected
