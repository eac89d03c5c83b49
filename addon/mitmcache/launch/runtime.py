"""Which runtime a command has, and whether it is served through the proxy: asked of the runtime itself."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from mitmcache.launch.running import CONTROL

SECONDS = 20.0
URL = f"https://{CONTROL}/healthz"
"""Answered by the proxy alone, which decrypts it as it does a provider's host."""
UNTRUSTED, UNREACHED = 60, 7
"""Exit codes of the probes; curl's own."""


class Kind(StrEnum):
    PYTHON = "Python"
    NODE = "Node"
    JAVA = "Java"
    CURL = "curl"
    WGET = "wget"
    GIT = "git"
    OTHER = ""


class Verdict(StrEnum):
    """`IGNORED`: it does not use the proxy. `UNKNOWN`: it cannot be asked."""

    SERVED = "served"
    IGNORED = "ignored"
    UNTRUSTED = "untrusted"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Runtime:
    """`program` is the path of what is to be asked."""

    kind: Kind
    program: str


_KINDS = (
    (re.compile(r"(python|pypy)[0-9.]*"), Kind.PYTHON),
    (re.compile(r"node(js)?"), Kind.NODE),
    (re.compile(r"java"), Kind.JAVA),
    (re.compile(r"curl"), Kind.CURL),
    (re.compile(r"wget"), Kind.WGET),
    (re.compile(r"git"), Kind.GIT),
)
_EXEC = re.compile(r"""'{3}exec' (?P<quote>["']?)(?P<path>.+?)(?P=quote) "\$0\"""")
"""The second line of what pip and uv install where the path of Python is too long for a first line, or has a
space in it."""
_PYTHON = f"""
import ssl, sys, urllib.request
try:
    body = urllib.request.urlopen({URL!r}, timeout=5).read()
except Exception as error:
    reason = getattr(error, "reason", error)
    sys.exit({UNTRUSTED} if isinstance(reason, ssl.SSLError) else {UNREACHED})
sys.exit(0 if b'"ok"' in body else {UNREACHED})
"""
_NODE = f"""
const untrusted = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ISSUER/;
fetch("{URL}").then(async r => process.exit((await r.text()).includes('"ok"') ? 0 : {UNREACHED}),
  e => process.exit(untrusted.test(String(e.cause && e.cause.code)) ? {UNTRUSTED} : {UNREACHED}));
"""
_JAVA = f"""
import java.net.URI;
import java.net.http.*;
public class Probe {{
    public static void main(String[] arguments) {{
        try {{
            HttpRequest request = HttpRequest.newBuilder(URI.create("{URL}")).build();
            HttpResponse<String> reply =
                HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
            System.exit(reply.body().contains("ok") ? 0 : {UNREACHED});
        }} catch (javax.net.ssl.SSLException error) {{
            System.exit({UNTRUSTED});
        }} catch (Exception error) {{
            System.exit({UNREACHED});
        }}
    }}
}}
"""
_CODES = {
    Kind.WGET: {0: Verdict.SERVED, 5: Verdict.UNTRUSTED, 4: Verdict.IGNORED},
    Kind.CURL: {
        0: Verdict.SERVED,
        **dict.fromkeys((35, 60, 77), Verdict.UNTRUSTED),
        **dict.fromkeys((5, 6, 7, 28), Verdict.IGNORED),
    },
}
_PROBES = {0: Verdict.SERVED, UNTRUSTED: Verdict.UNTRUSTED, UNREACHED: Verdict.IGNORED}


def identify(command: str, environ: Mapping[str, str]) -> Runtime | None:
    """By its name, or the first line of a script; None if there is no such command."""
    path = shutil.which(command, path=environ.get("PATH"))
    if path is None:
        return None
    for program in dict.fromkeys([path, str(Path(path).resolve())]):
        if kind := _kind(program):
            return Runtime(kind, path)
    interpreter = _interpreter(Path(path))
    found = shutil.which(interpreter, path=environ.get("PATH")) if interpreter else None
    kind = _kind(interpreter)
    return Runtime(kind, found) if found and kind else Runtime(Kind.OTHER, path)


def version(runtime: Runtime, environ: Mapping[str, str]) -> tuple[int, ...]:
    """`v22.21.0` -> (22, 21, 0); () where it does not say."""
    done = _run([runtime.program, "--version"], environ)
    found = re.search(rb"(\d+)\.(\d+)(?:\.(\d+))?", done.stdout + done.stderr) if done else None
    return tuple(int(part) for part in found.groups() if part) if found else ()


def reads_proxies(node: tuple[int, ...]) -> bool:
    """Node's own fetch and http do so since 22.21 and 24.5, if NODE_USE_ENV_PROXY is set."""
    return node >= (24, 5) or (22, 21) <= node < (23,)


def probe(runtime: Runtime, environ: Mapping[str, str]) -> Verdict:
    """Has the runtime ask the proxy over TLS, with what `environ` tells it. Bounded in time."""
    with tempfile.TemporaryDirectory(prefix="mitmcache-") as folder:
        command = _probe(runtime, Path(folder))
        done = _run(command, environ, folder) if command else None
    if done is None:
        return Verdict.UNKNOWN
    if runtime.kind is Kind.GIT:
        # the proxy has no repository, which git says only if it got as far as to hear it
        said = done.stderr.lower()
        if b"not found" in said:
            return Verdict.SERVED
        return Verdict.UNTRUSTED if b"certificate" in said else Verdict.IGNORED
    return _CODES.get(runtime.kind, _PROBES).get(done.returncode, Verdict.UNKNOWN)


def _probe(runtime: Runtime, folder: Path) -> list[str]:
    program = runtime.program
    match runtime.kind:
        case Kind.PYTHON:
            return [program, "-I", "-c", _PYTHON]
        case Kind.NODE:
            return [program, "-e", _NODE]
        case Kind.JAVA:
            source = folder / "Probe.java"
            source.write_text(_JAVA, encoding="ascii")
            return [program, str(source)]
        case Kind.CURL:
            return [program, "--silent", "--fail", "--max-time", "5", URL]
        case Kind.WGET:
            return [program, "--quiet", "--tries=1", "--timeout=5", "--output-document=-", URL]
        case Kind.GIT:
            return [program, "ls-remote", f"https://{CONTROL}/none.git"]
        case Kind.OTHER:
            return []


def _run(
    command: Sequence[str], environ: Mapping[str, str], folder: str | None = None
) -> "subprocess.CompletedProcess[bytes] | None":
    told = {**environ, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"}
    try:
        return subprocess.run(
            command,
            env=told,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None


def _kind(program: str) -> Kind | None:
    name = Path(program).name
    return next((kind for pattern, kind in _KINDS if pattern.fullmatch(name)), None)


def _interpreter(script: Path) -> str:
    """`#!/usr/bin/env -S node --x` -> `node`; "" where it is no script."""
    try:
        with script.open("rb") as file:
            first, second, *_ = [*os.fsdecode(file.read(4096)).split("\n"), ""]
    except OSError:
        return ""
    if not first.startswith("#!"):
        return ""
    if found := _EXEC.match(second):
        return found["path"]
    words = first[2:].split()
    if words and Path(words[0]).name == "env":
        words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
    return words[0] if words else ""
