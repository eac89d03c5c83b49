"""What a test's environment says, for whatever makes its calls to go through the proxy and to trust it."""

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path

from mitmcache.launch.told import told
from mitmcache.pytest_plugin import scrub

DUMMY = "mitmcache-replay"
"""Stands for an API key that the recorded test had, and this machine has not: clients insist on one."""


def variables(environ: Mapping[str, str], proxy: str, ca: Path, hosts: str, folder: Path) -> dict[str, str]:
    """Those to set for a test, by name. What NO_PROXY names is left out of the proxy, but not everything.

    The arguments are those of `told`, which also says what is raised.
    """
    limited = dict(environ)
    for name in ("NO_PROXY", "no_proxy"):
        if "*" in environ.get(name, ""):
            limited[name] = ",".join(host for host in environ[name].split(",") if host.strip() != "*")
    return told(limited, proxy, ca, hosts, folder)


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
