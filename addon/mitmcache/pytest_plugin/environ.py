"""What a test's environment says, for whatever makes its calls to go through the proxy and to trust it."""

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path

from mitmcache.pytest_plugin import scrub

PROXIES = ("HTTPS_PROXY", "HTTP_PROXY")
TRUST = (
    *("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE", "GIT_SSL_CAINFO"),
    *("NODE_EXTRA_CA_CERTS", "CODEX_CA_CERTIFICATE", "DENO_CERT", "CARGO_HTTP_CAINFO"),
)
"""Each names a file that holds all CAs a program trusts; the bundle has the public ones too."""
DUMMY = "mitmcache-replay"
"""Stands for an API key that the recorded test had, and this machine has not: clients insist on one."""


def variables(environ: Mapping[str, str], proxy: str, ca_bundle: Path) -> dict[str, str]:
    """Those to set for a test, by name. What NO_PROXY names is left out of the proxy, but not everything."""
    told = dict.fromkeys(TRUST, str(ca_bundle)) | {"NODE_USE_ENV_PROXY": "1"}
    for name in PROXIES:
        told |= {name: proxy, name.lower(): proxy}
    for name in ("NO_PROXY", "no_proxy"):
        if "*" in environ.get(name, ""):
            told[name] = ",".join(host for host in environ[name].split(",") if host.strip() != "*")
    return told


def used(environ: Mapping[str, str], digests: Collection[str]) -> list[str]:
    """The variables whose values were the credentials of calls, of which the proxy tells digests alone."""

    def sent(kind: str, value: str) -> bool:  # as cache/scope.py makes them
        return hashlib.sha256(f"{kind} {value}".encode("utf-8", "surrogateescape")).hexdigest() in digests

    names = {name for name, value in scrub.secrets(environ).items() if sent("secret", value)}
    if sent("sigv4", environ.get("AWS_ACCESS_KEY_ID", "")):
        names |= {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    return sorted(names)


def stand_ins(environ: Mapping[str, str], names: list[str]) -> dict[str, str]:
    """For variables that were there when the test was recorded, and are not now."""
    return {name: DUMMY for name in names if not environ.get(name)}
