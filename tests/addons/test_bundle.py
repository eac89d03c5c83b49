import ssl
from pathlib import Path

import certifi
import pytest

from addons.conftest import MakeRig
from e2e import certs
from mitmcache.addons.bundle import BUNDLE, CA, CaBundle, write


@pytest.fixture
def confdir(tmp_path: Path) -> Path:
    certs.make(tmp_path, ["a.example"]).ca.rename(tmp_path / CA)
    return tmp_path


def trusted(file: Path) -> set[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(file)
    return {str(entry["subject"]) for entry in context.get_ca_certs()}


async def test_who_uses_the_bundle_trusts_the_public_cas_and_ours(make_rig: MakeRig, confdir: Path) -> None:
    make_rig(confdir=str(confdir)).get(CaBundle).running()
    assert trusted(confdir / BUNDLE) == trusted(Path(certifi.where())) | trusted(confdir / CA)


def test_a_bundle_that_is_right_is_left_alone(confdir: Path) -> None:
    write(confdir / BUNDLE, confdir / CA)
    before = (confdir / BUNDLE).stat().st_ino
    write(confdir / BUNDLE, confdir / CA)
    assert (confdir / BUNDLE).stat().st_ino == before


def test_a_new_ca_takes_the_place_of_the_old(confdir: Path) -> None:
    (confdir / BUNDLE).write_text("old")
    write(confdir / BUNDLE, confdir / CA)
    assert trusted(confdir / CA) < trusted(confdir / BUNDLE)
    assert sorted(path.name for path in confdir.glob("ca-bundle*")) == [BUNDLE]


async def test_a_folder_that_has_no_ca_is_warned_of(
    make_rig: MakeRig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_rig(confdir=str(tmp_path / "none")).get(CaBundle).running()
    assert [line.levelname for line in caplog.records if BUNDLE in line.message] == ["WARNING"]
