"""What programs look at to learn of a proxy and of a CA. Pure: variables in, variables out."""

import ipaddress
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

PROXY, CONFDIR = "MITMCACHE_PROXY", "MITMCACHE_CONFDIR"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
BUNDLES = (
    *("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO"),
    *("AWS_CA_BUNDLE", "CODEX_CA_CERTIFICATE", "DENO_CERT", "CARGO_HTTP_CAINFO"),
)
"""Each names a file in PEM. All but NODE_EXTRA_CA_CERTS and DENO_CERT replace what a program trusts."""
ALSO = ("NIX_SSL_CERT_FILE", "HTTPLIB2_CA_CERTS")
"""Of the same kind, and they win over others: replaced where the user has set them."""
JAVA = "JAVA_TOOL_OPTIONS"


@dataclass(frozen=True, slots=True)
class Trust:
    """The public CAs and the proxy's own: as one PEM file, as OpenSSL's folder, as Java's truststore, and
    wget's settings that name the first."""

    bundle: Path
    folder: Path
    truststore: Path
    password: str
    wgetrc: Path


def variables(
    environ: Mapping[str, str],
    url: str,
    trust: Trust,
    confdir: Path,
    decrypted: Iterable[str] = (),
    *,
    wgetrc: bool = False,
) -> dict[str, str]:
    """What to set for a program whose environment is `environ`, so that it uses the proxy at `url`.

    `decrypted`: hosts of the user's own, which must go through the proxy even on this machine. `wgetrc`: the
    user has no settings for wget, which ours would replace.
    """
    no_proxy = ",".join(without_proxy(environ, decrypted))
    names = ["HTTPS_PROXY", "HTTP_PROXY"]
    if environ.get("ALL_PROXY") or environ.get("all_proxy"):  # else what it stands for would go past us
        names.append("ALL_PROXY")
    proxies = {**dict.fromkeys(names, url), "NO_PROXY": no_proxy}
    return {
        **proxies,
        # curl reads http_proxy in lower case alone
        **{name.lower(): value for name, value in proxies.items()},
        **dict.fromkeys([*BUNDLES, *(name for name in ALSO if environ.get(name))], str(trust.bundle)),
        "SSL_CERT_DIR": str(trust.folder),
        "NODE_USE_ENV_PROXY": "1",
        # wget with GnuTLS, as in Debian, knows no variable for a CA
        **({"WGETRC": str(trust.wgetrc)} if wgetrc and not environ.get("WGETRC") else {}),
        JAVA: _java(environ.get(JAVA, ""), url, trust, no_proxy.split(",") if no_proxy else []),
        # for a mitmcache that the program itself starts
        PROXY: url,
        CONFDIR: str(confdir),
    }


def unproxied(environ: Mapping[str, str]) -> dict[str, str]:
    """For the proxy itself, which must not use itself, or trust only its own CA."""
    ours = {*BUNDLES, *ALSO, "SSL_CERT_DIR", PROXY}
    return {
        name: value
        for name, value in environ.items()
        if name not in ours and not name.lower().endswith("_proxy")
    }


def without_proxy(environ: Mapping[str, str], decrypted: Iterable[str] = ()) -> list[str]:
    """The user's own exceptions and this machine, but for the hosts that are to go through the proxy."""
    said = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    through = {bare(host) for host in decrypted}
    if through.intersection(LOOPBACK):  # they are one host, and clients differ in the name they use
        through.update(LOOPBACK)
    given = [word for word in said.replace(" ", ",").split(",") if word]
    return [word for word in dict.fromkeys([*given, *LOOPBACK]) if not _names(word, through)]


def bare(host: str) -> str:
    """`LocalHost:11434` -> `localhost`, `[::1]:80` -> `::1`."""
    try:
        return (
            urlsplit(f"//{host if host.count(':') < 2 or host.startswith('[') else f'[{host}]'}").hostname
            or ""
        )
    except ValueError:
        return host.lower()


def excepted(host: str, exceptions: Iterable[str]) -> str:
    """The exception that keeps `host` from the proxy, "" if there is none: as most programs read NO_PROXY."""
    return next((word for word in exceptions if word == "*" or _names(word, {bare(host)})), "")


def _names(word: str, hosts: set[str]) -> bool:
    name = bare(word.removeprefix("*").removeprefix("."))
    if any(host == name or host.endswith(f".{name}") for host in hosts if name):
        return True
    try:
        network = ipaddress.ip_network(word, strict=False)
    except ValueError:
        return False
    return any(_within(host, network) for host in hosts)


def _within(host: str, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    try:
        return ipaddress.ip_address(host) in network
    except ValueError:
        return False


def _java(given: str, url: str, trust: Trust, exceptions: Iterable[str]) -> str:
    """Ours come last, and so win. The JVM takes quotes as a shell does, but knows no backslash."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    options = {
        "http.proxyHost": host,
        "http.proxyPort": str(port),
        "https.proxyHost": host,
        "https.proxyPort": str(port),
        "http.nonProxyHosts": "|".join(_java_host(word) for word in exceptions if "/" not in word),
        "javax.net.ssl.trustStore": str(trust.truststore),
        "javax.net.ssl.trustStoreType": "PKCS12",
        "javax.net.ssl.trustStorePassword": trust.password,
    }
    ours = (_java_quoted(f"-D{name}={value}") for name, value in options.items())
    return " ".join([*([given] if given else []), *ours])


def _java_host(word: str) -> str:
    if word.startswith("."):
        return f"*{word}"
    return f"[{word}]" if word.count(":") > 1 and not word.startswith("[") else word


def _java_quoted(word: str) -> str:
    if shlex.quote(word) == word:
        return word
    # a quote of one kind is put between two of the other
    return "'" + word.replace("'", "'\"'\"'") + "'"
