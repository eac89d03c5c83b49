"""Where the options come from, and which of two wins."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from clones import ROOT
from mitmcache.cli import places
from mitmcache.cli.places import gather
from mitmcache.settings import BadOption


@pytest.fixture
def confdir(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text("llm_ttl: 7d\nllm_disk: 1g\nlisten_port: 9090\n")
    return tmp_path


def test_config_yaml_counts_and_the_command_line_wins(confdir: Path) -> None:
    found = gather(str(confdir), ["llm_ttl=1d", "llm_store=s3://b/p=q", "llm_store="], {})
    assert found == {"llm_ttl": "1d", "llm_disk": "1g", "llm_store": ""}


def test_the_folder_may_be_named_in_three_ways(confdir: Path, tmp_path: Path) -> None:
    environ = {"MITMCACHE_CONFDIR": str(confdir)}
    assert gather(str(confdir), [], {})["llm_ttl"] == "7d"
    assert gather(None, [f"confdir={confdir}"], {})["llm_ttl"] == "7d"
    assert gather(None, [], environ)["llm_ttl"] == "7d"
    (tmp_path / "other").mkdir()
    assert gather(str(tmp_path / "other"), [], environ) == {}


def test_in_a_checkout_it_is_certs_and_elsewhere_mitmproxy_s_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert places._default() == ROOT / "certs"
    monkeypatch.setattr(places, "__file__", str(tmp_path / "lib/mitmcache/cli/places.py"))
    assert places._default() == "~/.mitmproxy"


@pytest.mark.parametrize("text", ["", "# nothing\n", "listen_port: 1\n"])
def test_a_file_without_options_of_ours_has_none(tmp_path: Path, text: str) -> None:
    assert gather(str(tmp_path), [], {}) == {}
    (tmp_path / "config.yaml").write_text(text)
    assert gather(str(tmp_path), [], {}) == {}


@pytest.mark.parametrize(
    ("said", "config", "words"),
    [
        (["llm_ttl"], "", "NAME=VALUE"),
        (["llm_tll=1d"], "", "did you mean llm_ttl?"),
        (["listen_port=1"], "", "unknown option listen_port"),
        ([], "llm_stroe: x", "did you mean llm_store?"),
        ([], "llm_ttl: 0", "write llm_ttl: '0'"),
        ([], "- llm_ttl", "is not a list of"),
        ([], "a: [", "line 1: is not YAML"),
        ([], "\x00", "is not YAML"),
    ],
)
def test_a_wrong_word_is_named(tmp_path: Path, said: Sequence[str], config: str, words: str) -> None:
    (tmp_path / "config.yaml").write_text(config)
    with pytest.raises(BadOption) as raised:
        gather(str(tmp_path), said, {})
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadOption, match="confdir"):
        gather(str(tmp_path / "nowhere"), [], {})


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(BadOption, match=r"config\.yaml: is not text"):
        gather(str(tmp_path), [], {})
