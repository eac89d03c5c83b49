import shutil
import ssl
import subprocess
from pathlib import Path

import certifi
import pytest

from e2e import certs
from mitmcache.launch import trust


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    (tmp_path / "ours").mkdir()
    return certs.make(tmp_path / "ours", ["a.example"]).ca


def der(pem: Path) -> set[bytes]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(pem)
    return set(context.get_ca_certs(binary_form=True))


def test_the_bundle_holds_ours_the_public_cas_and_what_the_user_trusted(ca: Path, tmp_path: Path) -> None:
    (tmp_path / "corp").mkdir()
    corp = certs.make(tmp_path / "corp", ["b.example"]).ca
    made = trust.make(tmp_path, trust.gather(ca, {"SSL_CERT_FILE": str(corp)}))
    found = der(made.bundle)
    assert der(ca) | der(corp) | der(Path(certifi.where())) <= found
    assert made.bundle.read_text().count("BEGIN CERTIFICATE") >= len(found)


@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl here")
def test_a_program_that_looks_into_the_folder_finds_ours(ca: Path, tmp_path: Path) -> None:
    made = trust.make(tmp_path, trust.gather(ca, {}))
    subprocess.run(["openssl", "verify", "-no-CAfile", "-CApath", made.folder, ca], check=True, timeout=30)
    assert not list(made.folder.parent.glob(".*"))


@pytest.mark.skipif(not shutil.which("keytool"), reason="no Java here")
def test_java_finds_every_one_of_them_as_trusted(ca: Path, tmp_path: Path) -> None:
    made = trust.make(tmp_path, trust.gather(ca, {}))
    command = ["keytool", "-list", "-keystore", str(made.truststore), "-storepass", made.password]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.count("trustedCertEntry") == len(list(made.folder.iterdir()))


def test_wget_is_told_where_the_bundle_is(ca: Path, tmp_path: Path) -> None:
    made = trust.make(tmp_path, trust.gather(ca, {}))
    assert made.wgetrc.read_text() == f"ca_certificate = {made.bundle}\n"


def test_the_same_is_made_once_and_another_ca_makes_another(ca: Path, tmp_path: Path) -> None:
    first = trust.make(tmp_path, trust.gather(ca, {}))
    inode = first.bundle.stat().st_ino
    again = trust.make(tmp_path, trust.gather(ca, {"CURL_CA_BUNDLE": str(first.bundle)}))
    assert (again, again.bundle.stat().st_ino) == (first, inode)
    (tmp_path / "new").mkdir()
    other = certs.make(tmp_path / "new", ["a.example"]).ca
    assert trust.make(tmp_path, trust.gather(other, {})) != first


def test_everybody_may_read_it(ca: Path, tmp_path: Path) -> None:
    made = trust.make(tmp_path, trust.gather(ca, {}))
    modes = {path.stat().st_mode & 0o777 for path in (made.bundle, made.truststore, made.wgetrc)}
    assert (modes, made.folder.stat().st_mode & 0o777) == ({0o644}, 0o755)


@pytest.mark.parametrize("given", ["none", "folder", "text"])
def test_what_a_user_s_variable_names_may_be_anything(ca: Path, tmp_path: Path, given: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    found = trust.gather(ca, {"SSL_CERT_FILE": str(tmp_path / given)})
    bundle = trust.make(tmp_path, found).bundle
    assert der(bundle) == der(trust.make(tmp_path, trust.gather(ca, {})).bundle)


def test_a_ca_file_with_no_certificate_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "ca").write_text("")
    with pytest.raises(ValueError, match="holds no certificate"):
        trust.gather(tmp_path / "ca", {})
    with pytest.raises(OSError):
        trust.gather(tmp_path / "none", {})
