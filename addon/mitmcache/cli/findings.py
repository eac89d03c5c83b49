"""What `doctor` looks at, short of running anything: each finding with its remedy."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from mitmcache.cache.policy import Mode
from mitmcache.launch.environment import LOOPBACK, excepted, without_proxy
from mitmcache.launch.find import shown
from mitmcache.launch.runtime import Kind, Runtime, Verdict, reads_proxies
from mitmcache.providers.catalogue import is_provider
from mitmcache.settings import Settings


class Level(StrEnum):
    """`BAD` keeps calls from being cached; `NOTE` may, or is worth knowing."""

    OK = "ok"
    NOTE = "note"
    BAD = "BAD"


@dataclass(frozen=True, slots=True)
class Finding:
    level: Level
    text: str
    remedy: str = ""


BASES = ("OPENAI_BASE_URL", "OPENAI_API_BASE", "ANTHROPIC_BASE_URL", "GOOGLE_GEMINI_BASE_URL", "OLLAMA_HOST")
HOSTS = ("api.openai.com", "api.anthropic.com", "generativelanguage.googleapis.com")


def host(name: str, settings: Settings) -> Finding:
    """`name` may have a port."""
    if is_provider(name.lower(), settings.hosts):
        return Finding(Level.OK, f"{name} is a host whose calls are cached")
    return Finding(
        Level.BAD,
        f"{name} is not in the catalogue: its connections pass through undecrypted",
        f"say which protocol it speaks, such as --set llm_hosts={name}=openai",
    )


def mode(value: str) -> Finding:
    if value == Mode.OFF:
        return Finding(Level.BAD, "llm_mode is off: nothing is cached", "start with llm_mode=live")
    if value == Mode.OFFLINE:
        text = "llm_mode is offline: what is not stored is answered with a 504"
        return Finding(Level.NOTE, text, "start with llm_mode=live to ask the provider")
    if value == Mode.REFRESH:
        text = "llm_mode is refresh: the provider is asked every time"
        return Finding(Level.NOTE, text, "start with llm_mode=live to use what is stored")
    return Finding(Level.OK, "llm_mode is live")


def exceptions(environ: Mapping[str, str], decrypted: Iterable[str], asked: str = "") -> list[Finding]:
    """Hosts of providers that NO_PROXY keeps from the proxy."""
    words = without_proxy(environ, decrypted)
    found = ((name, excepted(name, words)) for name in ([asked] if asked else [*HOSTS, *decrypted]))
    return [
        Finding(
            Level.BAD,
            f"NO_PROXY names {word}, so that calls to {name} go past the proxy",
            f"say which protocol it speaks, such as --set llm_hosts={name}=ollama"
            if word in LOOPBACK
            else f"take {word} out of NO_PROXY",
        )
        for name, word in found
        if word
    ]


def bases(environ: Mapping[str, str], settings: Settings) -> list[Finding]:
    """Where variables of the SDKs send calls to a host that is in no catalogue."""
    found = []
    for name in BASES:
        url = environ.get(name, "")
        try:
            parts = urlsplit(url if "://" in url else f"//{url}")
            place = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
        except ValueError:
            continue
        if place and not is_provider(place, settings.hosts):
            remedy = f"say which protocol it speaks, such as --set llm_hosts={place}=openai"
            found.append(Finding(Level.BAD, f"{name} sends calls to {place}, which is no known host", remedy))
    return found


def shell(environ: Mapping[str, str], url: str) -> Finding:
    """Does a program that is started from here, without `exec`, use the proxy?"""
    said = environ.get("HTTPS_PROXY") or environ.get("https_proxy") or ""
    if said and shown(said) == shown(url):
        return Finding(Level.OK, "HTTPS_PROXY of this shell is the proxy")
    return Finding(
        Level.NOTE,
        f"HTTPS_PROXY of this shell is {shown(said)}, not the proxy"
        if said
        else "HTTPS_PROXY is not set here",
        'start programs with `mitmcache exec -- ...`, or first `eval "$(mitmcache env)"`',
    )


def by_version(found: Runtime, version: tuple[int, ...]) -> Finding | None:
    """What is known without asking it to do anything; None if that is nothing."""
    if found.kind is not Kind.NODE or not version or reads_proxies(version):
        return None
    return Finding(
        Level.BAD,
        f"Node {'.'.join(map(str, version))} ignores HTTPS_PROXY in fetch and in the SDKs that use it",
        "use Node 22.21, 24.5 or newer; what brings its own, like Claude Code, is served",
    )


def runtime(found: Runtime, version: tuple[int, ...], verdict: Verdict, *, asked: bool) -> Finding:
    """`asked`: it is the runtime of the command in question, and not one that just happens to be here."""
    bad = Level.BAD if asked else Level.NOTE
    name = f"{found.kind} {'.'.join(map(str, version))}".strip()
    if found.kind is Kind.OTHER:
        return Finding(
            Level.NOTE,
            f"{found.program}: not known how it finds a proxy and its CA",
            "if its calls are not counted in `mitmcache exec`, see the README, Pointing clients at it",
        )
    if ignored := by_version(found, version):
        return replace(ignored, level=bad)
    match verdict:
        case Verdict.SERVED:
            return Finding(Level.OK, f"{name} reaches the proxy and trusts its CA")
        case Verdict.UNTRUSTED:
            return Finding(bad, f"{name} does not trust the proxy's CA", _TRUST.get(found.kind, _TRUST_ANY))
        case Verdict.IGNORED:
            return Finding(bad, f"{name} does not use the proxy", _USE.get(found.kind, _USE_ANY))
        case Verdict.UNKNOWN:
            return Finding(Level.NOTE, f"{name} could not be tried", _USE.get(found.kind, _USE_ANY))


def own_connections(kind: Kind) -> list[Finding]:
    """What is not served even where its runtime is."""
    if kind is not Kind.PYTHON:
        return []
    text = "in Python, aiohttp by itself, urllib3 and http.client do not look at HTTPS_PROXY"
    remedy = "aiohttp.ClientSession(trust_env=True), urllib3.ProxyManager; the SDKs of providers need nothing"
    return [Finding(Level.NOTE, text, remedy)]


_TRUST_ANY = "it must read SSL_CERT_FILE; or give it the file that `mitmcache env` prints for that"
_TRUST = {Kind.WGET: "ca_certificate in ~/.wgetrc, or --ca-certificate, with the file of SSL_CERT_FILE"}
_USE_ANY = "it must read HTTPS_PROXY; look for a proxy in its own settings (.curlrc, .npmrc, .wgetrc, ...)"
_USE = {
    Kind.JAVA: "it must be Java 11 or newer, and not set a proxy or a truststore of its own",
    Kind.GIT: "look at `git config --get-regexp 'http.*'`",
}

WHY = {
    "off": "llm_mode=off, or a header of the call",
    "policy": "a rule of llm_policy says so",
    "store": "a call with `store: true`: a rule with `skip: false` caches it all the same",
    "sigv4": "calls signed by AWS are cached only while the proxy listens on loopback alone",
    "too-large": "raise llm_max_body",
    "status": "the provider answered with an error",
    "error": "the provider answered with an error",
    "incomplete": "the answer was cut short",
    "content-filter": "the provider's filter stopped the answer",
    "queue-full": "the disk is slower than the answers come",
    "store-error": "the disk fails; the proxy's log says why",
}


def counted(stats: Mapping[str, Any]) -> list[Finding]:
    """What the running proxy has not cached since its start."""
    found = []
    for what, verb in (("bypassed", "not looked up"), ("dropped", "not kept")):
        for reason, number in dict(stats.get(what) or {}).items():
            text = f"since the proxy's start {number:,} x {verb}: {reason}"
            found.append(Finding(Level.NOTE, text, WHY.get(str(reason), "")))
    return found
