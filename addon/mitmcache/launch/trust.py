"""Makes the files by which programs trust the proxy, and all that they trusted before.

Variables such as SSL_CERT_FILE replace what a program trusts. So the files hold the public CAs, those of this
machine, those that the user's own variables name, and the proxy's.
"""

import base64
import hashlib
import os
import re
import secrets
import shutil
import ssl
import stat
import warnings
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12
from OpenSSL import crypto

from mitmcache.launch.environment import ALSO, BUNDLES, Trust

VERSION = b"1"
PASSWORD = "changeit"
"""No secret: what is in the truststore is public, but Java wants one."""
MOST = 16 << 20
"""Bytes of PEM that are read of any one file."""
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")


def gather(ca: Path, environ: Mapping[str, str]) -> list[bytes]:
    """Certificates in DER, ours first, each once. Raises OSError and ValueError where `ca` cannot be read."""
    ours = certificates(ca.read_bytes())
    if not ours:
        raise ValueError(f"{ca} holds no certificate")
    found = dict.fromkeys(ours)
    system = ssl.get_default_verify_paths().openssl_cafile
    given = [environ[name] for name in (*BUNDLES, *ALSO) if environ.get(name)]
    for path in (certifi.where(), system, *given):
        found |= dict.fromkeys(_readable(Path(path)))
    return list(found)


def certificates(pem: bytes) -> list[bytes]:
    """Those of a PEM file, in DER."""
    found = []
    for block in _PEM.findall(pem):
        with suppress(ValueError):
            found.append(base64.b64decode(b"".join(block.split()), validate=True))
    return found


def make(folder: Path, certificates: list[bytes]) -> Trust:
    """Below `folder`, under a name that tells what they hold; what is there already is whole.

    Raises OSError."""
    digest = hashlib.sha256(b"".join([VERSION, os.fsencode(folder), *certificates])).hexdigest()[:16]
    place = folder / f"trust-{digest}"
    if not place.is_dir():
        part = folder / f".{place.name}.{secrets.token_hex(4)}"
        try:
            _fill(part, place, certificates)
            part.rename(place)
        except OSError:
            if not place.is_dir():  # another was faster
                raise
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return _at(place)


def _at(place: Path) -> Trust:
    return Trust(
        bundle=place / "ca-bundle.pem",
        folder=place / "hashed",
        truststore=place / "truststore.p12",
        password=PASSWORD,
        wgetrc=place / "wgetrc",
    )


def _fill(place: Path, final: Path, found: list[bytes]) -> None:
    hashed = _at(place).folder
    for each in (place, hashed):
        each.mkdir()
        each.chmod(0o755)
    names: Counter[str] = Counter()
    good = [(der, certificate) for der in found if (certificate := _certificate(der))]
    for der, certificate in good:
        # OpenSSL looks for a CA in a folder by a hash of its name
        name = f"{crypto.X509.from_cryptography(certificate).subject_name_hash():08x}"
        _write(hashed / f"{name}.{names[name]}", _pem(der))
        names[name] += 1
    _write(_at(place).wgetrc, b"ca_certificate = " + os.fsencode(_at(final).bundle) + b"\n")
    _write(_at(place).bundle, b"".join(_pem(der) for der, _ in good))
    entries = [
        pkcs12.PKCS12Certificate(certificate, f"ca-{number}".encode())
        for number, (_, certificate) in enumerate(good)
    ]
    encryption = BestAvailableEncryption(PASSWORD.encode())
    _write(_at(place).truststore, pkcs12.serialize_java_truststore(entries, encryption))


def _certificate(der: bytes) -> x509.Certificate | None:
    """None for what programs would choke on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some old CAs have a serial number that is no longer allowed
        try:
            certificate = x509.load_der_x509_certificate(der)
            certificate.subject  # noqa: B018  # read late
        except ValueError:
            return None
    return certificate


def _pem(der: bytes) -> bytes:
    return ssl.DER_cert_to_PEM_cert(der).encode()


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    path.chmod(0o644)


def _readable(path: Path) -> list[bytes]:
    """Nothing where it is missing, a folder, a pipe, or not PEM: it is the user's, and no failure of ours."""
    try:
        with path.open("rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return []
            return certificates(file.read(MOST))
    except OSError:
        return []
