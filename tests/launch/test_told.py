"""What a program is told of a proxy: that the variables name files, and that the files hold the CA."""

import ssl
from pathlib import Path

import pytest

from mitmcache.demo import certificate
from mitmcache.launch.environment import BUNDLES
from mitmcache.launch.told import told
from mitmcache.launch.trust import certificates

URL = "http://127.0.0.1:1234"


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    file = tmp_path / "confdir" / "ca.pem"
    file.parent.mkdir()
    certificate.make(file, "api.openai.com")
    return file


def test_the_files_that_are_named_hold_the_ca(ca: Path, tmp_path: Path) -> None:
    variables = told({}, URL, ca, "", tmp_path)
    assert variables["HTTPS_PROXY"] == URL
    [bundle] = {variables[name] for name in BUNDLES}
    assert certificates(ca.read_bytes())[0] in certificates(Path(bundle).read_bytes())
    ssl.create_default_context(cafile=bundle)
    assert variables["MITMCACHE_CONFDIR"] == str(ca.parent)


def test_a_host_of_the_users_own_goes_through_the_proxy_though_it_is_here(ca: Path, tmp_path: Path) -> None:
    assert "localhost" in told({}, URL, ca, "", tmp_path)["NO_PROXY"].split(",")
    hosts = "localhost:8000=openai, llm.corp.example=openai"
    assert "localhost" not in told({}, URL, ca, hosts, tmp_path)["NO_PROXY"].split(",")


@pytest.mark.parametrize("has", [False, True])
def test_wget_s_settings_of_the_user_stay(has: bool, ca: Path, tmp_path: Path) -> None:
    if has:
        (tmp_path / ".wgetrc").touch()
    assert ("WGETRC" in told({"HOME": str(tmp_path)}, URL, ca, "", tmp_path)) is not has


def test_a_ca_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("rubbish")
    with pytest.raises(ValueError, match=r"ca\.pem holds no certificate"):
        told({}, URL, tmp_path / "ca.pem", "", tmp_path)
