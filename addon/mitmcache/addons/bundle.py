"""Writes a CA bundle for clients: the public CAs and the proxy's own.

`SSL_CERT_FILE` and its like replace a program's list of CAs. With our CA alone, every host that is tunnelled
untouched would fail for it.
"""

import logging
import secrets
from pathlib import Path

import certifi
from mitmproxy import ctx

logger = logging.getLogger(__name__)

CA = "mitmproxy-ca-cert.pem"
BUNDLE = "ca-bundle.pem"


class CaBundle:
    def running(self) -> None:
        """mitmproxy has made its CA by now, if there was none."""
        folder = Path(ctx.options.confdir).expanduser()
        try:
            write(folder / BUNDLE, folder / CA)
        except OSError as error:
            # open: whoever trusts the CA by itself needs no bundle
            logger.warning("mitmcache: no %s was written: %s", BUNDLE, error.strerror)


def write(bundle: Path, ca: Path) -> None:
    """Puts the bundle in its place at once, for programs that are reading it, and only if it has changed."""
    text = f"{certifi.contents().rstrip()}\n\n# mitmproxy, on this machine\n{ca.read_text(encoding='ascii')}"
    if bundle.is_file() and bundle.read_text(encoding="utf-8") == text:
        return
    temporary = bundle.with_name(f"{bundle.name}.{secrets.token_hex(4)}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.chmod(0o644)
        temporary.replace(bundle)
    finally:
        temporary.unlink(missing_ok=True)
