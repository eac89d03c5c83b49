import os
import shutil
import sys
from pathlib import Path

import pytest

from clones import program
from e2e import certs
from mitmcache.launch import environment, runtime, trust
from mitmcache.launch.proxy import Proxy
from mitmcache.launch.runtime import Kind, Runtime, Verdict

PROGRAMS = {
    Kind.PYTHON: sys.executable,
    Kind.NODE: shutil.which("node"),
    Kind.JAVA: shutil.which("java"),
    Kind.CURL: shutil.which("curl"),
    Kind.WGET: shutil.which("wget"),
    Kind.GIT: shutil.which("git"),
}
HERE = [Runtime(kind, path) for kind, path in PROGRAMS.items() if path]


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Java alone takes most of the usual time where others are at work, too."""
    monkeypatch.setattr(runtime, "SECONDS", 100.0)


def told(proxy: Proxy, folder: Path, ca: Path) -> dict[str, str]:
    plain = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    made = trust.make(folder, trust.gather(ca, {}))
    return plain | environment.variables(plain, proxy.url, made, proxy.confdir, wgetrc=True)


def reads(each: Runtime) -> bool:
    return each.kind is not Kind.NODE or runtime.reads_proxies(runtime.version(each, os.environ))


@pytest.mark.parametrize("each", HERE, ids=lambda each: each.kind.value)
def test_what_exec_says_is_enough_for_a_runtime(each: Runtime, launched: Proxy, tmp_path: Path) -> None:
    expected = Verdict.SERVED if reads(each) else Verdict.IGNORED
    assert runtime.probe(each, told(launched, tmp_path, launched.ca_file)) is expected


@pytest.mark.parametrize("each", [each for each in HERE if reads(each)], ids=lambda each: each.kind.value)
def test_a_runtime_that_trusts_another_ca_is_seen(each: Runtime, launched: Proxy, tmp_path: Path) -> None:
    other = certs.make(tmp_path, ["a.example"]).ca
    assert runtime.probe(each, told(launched, tmp_path, other)) is Verdict.UNTRUSTED


@pytest.mark.parametrize("kind", [Kind.PYTHON, Kind.CURL])
def test_a_runtime_that_goes_past_the_proxy_is_seen(kind: Kind) -> None:
    program = PROGRAMS[kind]
    if not program:
        pytest.skip("is not here")
    assert runtime.probe(Runtime(kind, program), {"PATH": os.environ["PATH"]}) is Verdict.IGNORED


@pytest.mark.parametrize("each", [Runtime(Kind.OTHER, "/bin/ls"), Runtime(Kind.CURL, "/none")])
def test_what_cannot_be_asked_is_not_known(each: Runtime) -> None:
    assert runtime.probe(each, {}) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("first", "kind", "name"),
    [
        ("#!/usr/bin/env node", Kind.NODE, "node"),
        ("#!/usr/bin/env -S A=b node --x", Kind.NODE, "node"),
        ("#!{bin}/python3.13 -I", Kind.PYTHON, "python3.13"),
        ("#!/bin/sh\n'''exec' {bin}/python3.13 \"$0\" \"$@\"\n' '''", Kind.PYTHON, "python3.13"),
        ('#!/bin/sh\n\'\'\'exec\' "{bin}/a b/python3.13" "$0" "$@"', Kind.PYTHON, "a b/python3.13"),
        ("#!/bin/sh\n'''exec' '{bin}/a b/python3.13' \"$0\" \"$@\"", Kind.PYTHON, "a b/python3.13"),
        ('#!/bin/sh\n\'\'\'exec\' "$(dirname -- "$0")/python" "$0"', Kind.OTHER, "tool"),
        ("#!/bin/sh", Kind.OTHER, "tool"),
        ("#!", Kind.OTHER, "tool"),
        ("\x7fELF", Kind.OTHER, "tool"),
        ("#!/usr/bin/env nothing-here", Kind.OTHER, "tool"),
    ],
)
def test_a_script_has_the_runtime_of_its_first_line(
    tmp_path: Path, first: str, kind: Kind, name: str
) -> None:
    (tmp_path / "a b").mkdir()
    for each in ("node", "python3.13", "a b/python3.13"):
        program(tmp_path / each, "")
    program(tmp_path / "tool", first.format(bin=tmp_path) + "\n")
    assert runtime.identify("tool", {"PATH": str(tmp_path)}) == Runtime(kind, str(tmp_path / name))


def test_a_program_is_known_by_its_name_or_that_of_what_it_is_linked_to(tmp_path: Path) -> None:
    program(tmp_path / "java", "")
    (tmp_path / "runner").symlink_to("java")
    environ = {"PATH": str(tmp_path)}
    assert runtime.identify("runner", environ) == Runtime(Kind.JAVA, str(tmp_path / "runner"))
    assert runtime.identify(str(tmp_path / "java"), environ) == Runtime(Kind.JAVA, str(tmp_path / "java"))
    assert runtime.identify("none", environ) is None


@pytest.mark.parametrize(
    ("said", "version", "reading"),
    [
        ("v20.20.2", (20, 20, 2), False),
        ("v22.20.0", (22, 20, 0), False),
        ("v22.21.0", (22, 21, 0), True),
        ("v23.11.1", (23, 11, 1), False),
        ("v24.4.9", (24, 4, 9), False),
        ("v24.5.0", (24, 5, 0), True),
        ("v25.0.0", (25, 0, 0), True),
        ("", (), False),
    ],
)
def test_node_reads_the_variables_since_some_version(
    tmp_path: Path, said: str, version: tuple[int, ...], reading: bool
) -> None:
    program(tmp_path / "node", f"#!/bin/sh\necho {said}\n")
    found = runtime.version(Runtime(Kind.NODE, str(tmp_path / "node")), {})
    assert (found, runtime.reads_proxies(found)) == (version, reading)
