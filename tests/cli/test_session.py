from pathlib import Path

import click
import pytest

from e2e import certs
from mitmcache.cli.session import session
from mitmcache.cli.where import Failed, Wrong
from mitmcache.launch.find import Found


def test_our_options_are_told_from_mitmproxy_s(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("llm_hosts: a.example=openai\nllm_ttl: 1h\n")
    at = session(None, [f"confdir={tmp_path}", "llm_ttl=2h", "anticomp=true"], {})
    assert at.given == {"llm_hosts": "a.example=openai", "llm_ttl": "2h"}
    assert (at.others, at.hosts, at.confdir) == ({"anticomp": "true"}, "a.example=openai", tmp_path)
    assert at.settings.ttl == 7200


@pytest.mark.parametrize(
    ("config", "said", "expected"),
    [
        ("", [], ""),
        ("", ["proxyauth=any"], "any"),
        ("proxyauth: anna:x\nllm_ttl: 1h\n", ["proxyauth=any"], "anna:x"),
    ],
)
def test_whom_a_proxy_would_ask_for_is_what_the_proxy_itself_would_read(
    tmp_path: Path, config: str, said: list[str], expected: str
) -> None:
    (tmp_path / "config.yaml").write_text(config)
    assert session(str(tmp_path), said, {}).proxyauth == expected


def test_a_folder_that_is_not_there_yet_is_made_by_the_proxy(tmp_path: Path) -> None:
    at = session(str(tmp_path / "new"), [], {})
    assert (at.confdir, at.given) == (tmp_path / "new", {})


@pytest.mark.parametrize("said", ["llm_tll=1h", "llm_ttl", "llm_ttl=soon", "nonsense"])
def test_a_wrong_option_ends_it(tmp_path: Path, said: str) -> None:
    with pytest.raises(Wrong, match=said.partition("=")[0]):
        _ = session(str(tmp_path), [said], {}).settings


def test_a_program_is_told_of_hosts_on_this_machine_and_of_wget(tmp_path: Path) -> None:
    found = Found("http://127.0.0.1:1", certs.make(tmp_path, ["a.example"]).ca, "localhost:1=ollama")
    at = session(str(tmp_path), [], {"HOME": str(tmp_path)})
    told = at.told(found, tmp_path)
    assert told["NO_PROXY"] == ""
    assert Path(told["SSL_CERT_FILE"]).is_file() and Path(told["WGETRC"]).is_file()
    (tmp_path / ".wgetrc").touch()
    assert "WGETRC" not in at.told(found, tmp_path)


def test_a_ca_that_cannot_be_read_ends_it(tmp_path: Path) -> None:
    at = session(str(tmp_path), [], {})
    with pytest.raises(Failed, match="cannot be made") as raised:
        at.told(Found("http://127.0.0.1:1", tmp_path / "none", ""), tmp_path)
    assert isinstance(raised.value, click.ClickException)
