"""run.sh, with recorders in place of Python, mitmproxy and uv: quick, and without a network."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mitmproxy import options, optmanager
from mitmproxy.tools import cmdline
from mitmproxy.tools.dump import DumpMaster
from mitmproxy.tools.main import process_options
from mitmproxy.tools.web.master import WebMaster

ROOT = Path(__file__).parent.parent
LOCKS = ("requirements.txt", "requirements-dev.txt")
TOOLS = ("sh", "cat", "cmp", "cp", "dirname", "env", "flock", "mkdir", "perl", "readlink", "rm", "uname")
PROXY_VARIABLES = [
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"),
    *("NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
]
RECORDER = """
import json, os, sys
mask = os.umask(0)
print(json.dumps({"argv": sys.argv[1:], "env": dict(os.environ), "pid": os.getpid(), "cwd": os.getcwd(),
                  "umask": mask}))
if "--exit" in sys.argv:
    sys.exit(int(sys.argv[-1]))
if "--wait" in sys.argv:
    sys.stdout.flush()
    sys.stdin.read()
"""
# Does what run.sh asks of uv, and notes it. Fails at the install when $UV_FAILS is set.
UV = """#!/bin/sh
[ "$1" = --version ] && exit
echo "$*" >>"$UV_LOG"
if [ "$1" = venv ]; then
    for last; do :; done
    mkdir -p "$last/bin" && cp "$UV_PYTHON" "$last/bin/python"
else
    [ -z "$UV_FAILS" ]
fi
"""


@dataclass(frozen=True)
class Repo:
    root: Path

    def run(self, *args: str, script: Path | None = None, **kwargs: Any) -> subprocess.CompletedProcess[str]:
        command = [str(script or self.root / "run.sh"), *args]
        env = self.env() | kwargs.pop("env", {})
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, **kwargs)

    def record(self, *args: str, **kwargs: Any) -> dict[str, Any]:
        """What was started: argv, env, pid, cwd, umask."""
        done = self.run(*args, **kwargs)
        assert done.returncode == 0, done.stderr
        seen: dict[str, Any] = json.loads(done.stdout)
        return seen

    def env(self) -> dict[str, str]:
        """No Python and no uv but our own can be found."""
        at = self.root.parent
        return {
            **{"PATH": str(at / "bin"), "HOME": str(at), "DISPLAY": ":0", "UV_FAILS": ""},
            **{"UV_LOG": str(at / "uv.log"), "UV_PYTHON": str(at / "python")},
        }

    def uv_log(self) -> list[str]:
        log = self.root.parent / "uv.log"
        return log.read_text().splitlines() if log.exists() else []


@pytest.fixture
def bare(tmp_path: Path) -> Repo:
    """A clone without .venv, in a folder with a space, and a uv that is a stub."""
    root = tmp_path / "my repo"
    (root / "addon").mkdir(parents=True)
    (root / "addon" / "main.py").touch()
    for name in ("run.sh", *LOCKS):
        shutil.copy(ROOT / name, root / name)
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in TOOLS:
        if path := shutil.which(tool):
            (tools / tool).symlink_to(path)
    recorder = tmp_path / "recorder.py"
    recorder.write_text(RECORDER)
    for path, text in (
        (tmp_path / "python", f"#!/bin/sh\nexec {shlex.join([sys.executable, str(recorder)])} \"$@\"\n"),
        (tools / "uv", UV),
    ):
        path.write_text(text)
        path.chmod(0o755)
    return Repo(root)


@pytest.fixture
def repo(bare: Repo) -> Repo:
    """A clone whose .venv is complete, and whose uv is gone."""
    (bare.root / ".venv" / "bin").mkdir(parents=True)
    shutil.copy(bare.root.parent / "python", bare.root / ".venv" / "bin" / "python")
    for lock in LOCKS:
        shutil.copy(bare.root / lock, bare.root / ".venv" / lock)
    (bare.root.parent / "bin" / "uv").unlink()
    return bare


# --- which program, with what ---


@pytest.mark.parametrize(
    ("args", "program", "last"),
    [
        ([], ".venv/bin/mitmweb", None),
        (["web"], ".venv/bin/mitmweb", None),
        (["-p", "9000"], ".venv/bin/mitmweb", "9000"),
        (["--set", "llm_mode=off"], ".venv/bin/mitmweb", "llm_mode=off"),
        (["dump"], ".venv/bin/mitmdump", None),
        (["dump", "-q", "~u 'a b' & ~m POST"], ".venv/bin/mitmdump", "~u 'a b' & ~m POST"),
        (["bench", "--quick"], "tests/bench", "--quick"),
    ],
)
def test_the_first_word_names_the_program_and_the_rest_is_passed_on(
    repo: Repo, args: list[str], program: str, last: str | None
) -> None:
    argv = repo.record(*args)["argv"]
    assert argv[0] == str(repo.root / program)
    if last is not None:
        assert argv[-1] == last


def test_tests_run_in_the_clone(repo: Repo) -> None:
    seen = repo.record("test", "-k", "a b", env={"MITMCACHE_CORPUS": "there"}, cwd="/")
    assert (seen["argv"], seen["cwd"]) == (["-m", "pytest", "-k", "a b"], str(repo.root))
    assert seen["env"]["MITMCACHE_CORPUS"] == "there"


def test_the_demo_finds_the_package(repo: Repo) -> None:
    seen = repo.record("demo", "--slow", cwd="/")
    assert seen["argv"] == ["-m", "mitmcache.demo", "--slow"]
    assert seen["env"]["PYTHONPATH"] == str(repo.root / "addon")


@pytest.mark.parametrize("word", ["help", "--help", "-h"])
def test_help_is_given_without_an_environment(bare: Repo, word: str) -> None:
    done = bare.run(word)
    assert (done.returncode, done.stdout[:6], bare.uv_log()) == (0, "usage:", [])


@pytest.mark.parametrize("word", ["wbe", "", "web dump"])
def test_an_unknown_command_is_refused_before_anything_is_made(bare: Repo, word: str) -> None:
    done = bare.run(word)
    assert (done.returncode, done.stdout, bare.uv_log()) == (2, "", [])
    assert "usage:" in done.stderr


def test_the_exit_code_is_the_program_s_own(repo: Repo) -> None:
    assert repo.run("dump", "--exit", "7").returncode == 7


@pytest.mark.parametrize("relative", [False, True])
def test_a_symlink_leads_back_to_the_clone(repo: Repo, tmp_path: Path, relative: bool) -> None:
    (tmp_path / "a bin").mkdir()
    link, chained = tmp_path / "a bin" / "llm proxy", tmp_path / "again"
    link.symlink_to("../my repo/run.sh" if relative else repo.root / "run.sh")
    chained.symlink_to("a bin/llm proxy" if relative else link)
    seen = repo.record(script=chained, cwd="/")
    assert seen["argv"][0] == str(repo.root / ".venv/bin/mitmweb")
    assert seen["cwd"] == "/"


def test_signals_reach_the_proxy(repo: Repo) -> None:
    command = [str(repo.root / "run.sh"), "dump", "--wait"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=repo.env(), stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["pid"] == process.pid
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == -signal.SIGTERM


@pytest.mark.parametrize("command", ["web", "dump", "demo", "test"])
def test_the_proxy_does_not_inherit_its_own_client_s_settings(repo: Repo, command: str) -> None:
    seen = repo.record(command, env=dict.fromkeys(PROXY_VARIABLES, "http://127.0.0.1:8080"))
    assert not set(PROXY_VARIABLES) & set(seen["env"])


def test_what_the_proxy_writes_is_for_its_user_alone(repo: Repo) -> None:
    assert repo.record("dump")["umask"] == 0o077


# --- what mitmproxy makes of the arguments ---


async def effective(command: str, argv: Sequence[str], confdir: Path) -> options.Options:
    """The options as mitmproxy's own main() would have them."""
    opts = options.Options()
    master = WebMaster(opts, with_termlog=False) if command == "web" else DumpMaster(opts, with_termlog=False)
    try:
        parser = getattr(cmdline, f"mitm{command}")(opts)
        args = parser.parse_args(argv)
        opts.set(*args.setoptions, defer=True)
        optmanager.load_paths(opts, str(confdir / "config.yaml"))
        process_options(parser, opts, args)
    finally:
        master._legacy_log_events.uninstall()
    return opts


OURS = {"listen_host": "127.0.0.1", "confdir": "certs", "scripts": ["addon/main.py"]}
DEFAULTS: list[tuple[str, list[str], str, dict[str, Any]]] = [
    ("nothing said", [], "", {}),
    ("flag", ["--listen-host", "0.0.0.0"], "", {"listen_host": "0.0.0.0"}),
    ("flag with =", ["--listen-host=0.0.0.0"], "", {"listen_host": "0.0.0.0"}),
    ("flag cut short", ["--listen-h", "0.0.0.0"], "", {"listen_host": "0.0.0.0"}),
    ("--set", ["--set", "listen_host=0.0.0.0"], "", {"listen_host": "0.0.0.0"}),
    ("--set with =", ["--set=listen_host=0.0.0.0"], "", {"listen_host": "0.0.0.0"}),
    ("--set to nothing", ["--set", "listen_host="], "", {"listen_host": ""}),
    ("config.yaml", [], "listen_host: 0.0.0.0", {"listen_host": "0.0.0.0"}),
    ("a name that only begins alike", ["--set", "listen_hosts=x"], "", {}),
    ("a value that names the option", ["--set", "onboarding_host=listen_host"], "", {}),
    ("another option first", ["-q", "-p", "9000", "--set", "confdir=mine"], "", {"confdir": "mine"}),
    ("confdir with =", ["--set=confdir=my certs"], "", {"confdir": "my certs"}),
    ("a script", ["-s", "x.py"], "", {"scripts": ["addon/main.py", "x.py"]}),
    ("a script, joined", ["-sx.py"], "", {"scripts": ["addon/main.py", "x.py"]}),
    ("a script by --set", ["--set", "scripts=x.py"], "", {"scripts": ["addon/main.py", "x.py"]}),
    (
        "scripts in every way, in order",
        ["--set=scripts=x.py", "-s", "y.py", "--set", "scripts=z z.py"],
        "",
        {"scripts": ["addon/main.py", "x.py", "y.py", "z z.py"]},
    ),
    ("scripts in config.yaml do not hide ours", [], "scripts: [x.py]", {}),
]


@pytest.mark.parametrize("command", ["web", "dump"])
@pytest.mark.parametrize(("args", "config", "changed"), [c[1:] for c in DEFAULTS], ids=[c[0] for c in DEFAULTS])
async def test_what_the_user_says_wins(
    repo: Repo,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    args: list[str],
    config: str,
    changed: dict[str, Any],
) -> None:
    monkeypatch.chdir(repo.root)
    for script in ("x.py", "y.py", "z z.py"):
        Path(script).touch()
    Path("certs").mkdir()
    Path("certs/config.yaml").write_text(config)
    _program, *argv = repo.record(command, *args)["argv"]
    opts = await effective(command, argv, repo.root / "certs")
    seen = {
        "listen_host": opts.listen_host,
        "confdir": opts.confdir.removeprefix(f"{repo.root}/"),
        "scripts": [script.removeprefix(f"{repo.root}/") for script in opts.scripts],
    }
    assert seen == OURS | changed


@pytest.mark.parametrize(
    ("name", "args", "env", "opens"),
    [
        ("a desktop", [], {}, True),
        ("Wayland", [], {"DISPLAY": "", "WAYLAND_DISPLAY": "wayland-0"}, True),
        ("no display", [], {"DISPLAY": ""}, sys.platform == "darwin"),
        ("CI", [], {"CI": "true"}, False),
        ("CI, but asked for by flag", ["--web-open-browser"], {"CI": "true"}, True),
        ("CI, but asked for by --set", ["--set", "web_open_browser=true"], {"CI": "true"}, True),
    ],
)
async def test_a_browser_is_opened_where_there_is_one(
    repo: Repo, name: str, args: list[str], env: dict[str, str], opens: bool
) -> None:
    _program, *argv = repo.record("web", *args, env=env)["argv"]
    opts = await effective("web", argv, repo.root)
    assert opts.web_open_browser is opens, name


# --- the environment ---


def calls(repo: Repo) -> list[str]:
    """What uv was asked for: `venv`, or the name of a lock file."""
    return [line.split()[0] if line.startswith("venv") else line.split("my repo/")[-1].split()[0]
            for line in repo.uv_log()]


def test_the_first_call_makes_the_environment_and_later_calls_do_not(bare: Repo) -> None:
    assert bare.record("dump")["argv"][0].endswith("mitmdump")
    assert bare.uv_log()[1].endswith("--quiet --require-hashes --only-binary :all:")
    for _ in range(2):
        bare.record("demo")
    assert [line.split()[0] for line in bare.uv_log()] == ["venv", "pip"]
