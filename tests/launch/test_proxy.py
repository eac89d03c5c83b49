"""A proxy for a lifetime, and `python launch/__main__.py`, which is what runs."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mitmcache.launch import running
from mitmcache.launch.proxy import SCRIPT, Proxy, ProxyError
from mitmcache.launch.running import Health

ADDON = Path(__file__).parents[2] / "addon"
STARTER = """
import sys, time
from pathlib import Path
from mitmcache.launch.proxy import Proxy
proxy = Proxy(Path(sys.argv[1]), {"llm_data_dir": sys.argv[2]}).start()
print(proxy.pid, flush=True)
time.sleep(600)
"""


def made(confdir: Path, folder: Path, **options: str) -> Proxy:
    return Proxy(confdir, {"llm_data_dir": str(folder / "data"), **options})


def gone(pid: int, seconds: float = 100) -> bool:
    end = time.monotonic() + seconds
    while Path(f"/proc/{pid}").exists():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def test_it_runs_on_a_free_port_and_leaves_no_note(launched: Proxy) -> None:
    assert launched.running and launched.port and running.health(launched.url) is Health.UP
    assert not launched.ended_within(0)
    assert not (launched.confdir.parent / "data" / "proxy.json").exists()
    assert launched.ca_file.is_file()
    assert os.getsid(launched.pid) != os.getsid(0)


def test_it_ends_when_it_is_stopped(confdir: Path, tmp_path: Path) -> None:
    with made(confdir, tmp_path) as proxy:
        pid, url = proxy.pid, proxy.url
    proxy.stop()
    assert not proxy.running and proxy.ended_within(0) and gone(pid) and running.health(url) is Health.DOWN


def test_what_a_package_has_instead_of_the_checkout_s_script_loads_the_same(
    confdir: Path, tmp_path: Path
) -> None:
    with Proxy(confdir, {"llm_data_dir": str(tmp_path)}, main=SCRIPT) as proxy:
        assert running.health(proxy.url) is Health.UP


def test_it_ends_with_a_starter_that_is_killed(confdir: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", STARTER, str(confdir), str(tmp_path)]
    environ = {**os.environ, "PYTHONPATH": str(ADDON)}
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE) as starter:
        assert starter.stdout
        pid = int(starter.stdout.readline())
        starter.kill()
    assert gone(pid)


def test_who_waits_for_its_end_is_told_of_one_that_was_not_asked_for(confdir: Path, tmp_path: Path) -> None:
    told = threading.Event()
    with made(confdir, tmp_path) as proxy:
        proxy.ended = told.set
        os.kill(proxy.pid, signal.SIGKILL)
        assert told.wait(100)
        assert not proxy.running


def test_its_end_is_not_told_when_it_was_stopped(confdir: Path, tmp_path: Path) -> None:
    told = threading.Event()
    with made(confdir, tmp_path) as proxy:
        proxy.ended = told.set
    assert not told.is_set()


def test_config_yaml_cannot_move_it(confdir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "confdir"
    folder.mkdir()
    for file in confdir.glob("mitmproxy-*"):
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "config.yaml").write_text("listen_host: 0.0.0.0\nlisten_port: 1\nmode: [socks5]\n")
    with made(folder, tmp_path) as proxy:
        assert running.health(proxy.url) is Health.UP


def test_its_environment_has_no_proxies_and_no_cas_of_its_clients(
    confdir: Path, tmp_path: Path, launched: Proxy
) -> None:
    script = tmp_path / "script" / "show.py"
    script.parent.mkdir()
    script.write_text("import os\nopen(os.environ['SHOW'], 'w').write('\\n'.join(sorted(os.environ)))\n")
    environ = {**os.environ, "HTTPS_PROXY": "http://a", "SSL_CERT_FILE": "/a", "SHOW": str(tmp_path / "show")}
    with Proxy(confdir, {"llm_data_dir": str(tmp_path)}, scripts=[script], environ=environ):
        seen = (tmp_path / "show").read_text().split()
    assert not {"HTTPS_PROXY", "SSL_CERT_FILE"} & set(seen) and "SHOW" in seen


@pytest.mark.parametrize(
    ("options", "words"),
    [({"llm_tll": "1"}, "did you mean llm_ttl"), ({"llm_ttl": "soon"}, "llm_ttl")],
)
def test_one_that_cannot_start_says_why(
    confdir: Path, tmp_path: Path, options: dict[str, str], words: str
) -> None:
    proxy = made(confdir, tmp_path, **options)
    with pytest.raises(ProxyError, match=words) as raised:
        proxy.start()
    assert "ended before it was ready" in str(raised.value) and not proxy.running


def test_a_port_that_is_taken_is_named(confdir: Path, tmp_path: Path, launched: Proxy) -> None:
    with pytest.raises(ProxyError, match=str(launched.port)):
        made(confdir, tmp_path, listen_port=str(launched.port)).start()


def test_one_that_is_never_ready_is_given_up_and_ended(confdir: Path, tmp_path: Path) -> None:
    (tmp_path / "silent.py").write_text("")
    proxy = Proxy(confdir, main=tmp_path / "silent.py", deadline=1)
    with pytest.raises(ProxyError, match="not ready within 1 s"):
        proxy.start()
    assert not proxy.running


def test_a_folder_that_cannot_be_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ProxyError, match="file"):
        Proxy(tmp_path / "file" / "confdir").start()


def test_two_that_start_at_once_make_one_ca(tmp_path: Path) -> None:
    proxies = [made(tmp_path / "confdir", tmp_path / name) for name in "ab"]
    threads = [threading.Thread(target=proxy.start) for proxy in proxies]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(100)
        assert all(running.trusted(proxy.url, proxy.ca_file) for proxy in proxies)
    finally:
        for proxy in proxies:
            proxy.stop()
