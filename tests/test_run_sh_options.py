"""run.sh's own settings give way to the user's, however said: asked of mitmproxy's own parser."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from mitmproxy import options, optmanager
from mitmproxy.tools import cmdline
from mitmproxy.tools.dump import DumpMaster
from mitmproxy.tools.main import process_options
from mitmproxy.tools.web.master import WebMaster

from clones import Clone, with_venv


@pytest.fixture
def repo(tmp_path: Path) -> Clone:
    return with_venv(tmp_path)


async def parsed(command: str, argv: Sequence[str], confdir: Path) -> options.Options:
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
    ("scripts in config.yaml do not hide ours", [], "scripts: [../x.py]", {}),
]


@pytest.mark.parametrize("command", ["web", "dump"])
@pytest.mark.parametrize(
    ("args", "config", "changed"), [c[1:] for c in DEFAULTS], ids=[c[0] for c in DEFAULTS]
)
def test_what_the_user_says_wins(
    repo: Clone,
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
    opts = asyncio.run(parsed(command, argv, repo.root / "certs"))
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
def test_a_browser_is_opened_where_there_is_one(
    repo: Clone, name: str, args: list[str], env: dict[str, str], opens: bool
) -> None:
    _program, *argv = repo.record("web", *args, env=env)["argv"]
    opts = asyncio.run(parsed("web", argv, repo.root))
    assert opts.web_open_browser is opens, name
