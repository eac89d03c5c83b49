"""`mitmcache exec`: programs unchanged, through a proxy for their lifetime or the one that runs."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from e2e.client import register
from e2e.programs import DEADLINE, User, user
from e2e.proxy import ProxyProcess
from e2e.upstream import ScriptedUpstream
from exchanges import openai

PYTHON = """
import sys, openai
client = openai.OpenAI(max_retries=0, timeout=60)
asked = [{"role": "user", "content": sys.argv[1]}]
reply = client.chat.completions.create(model="gpt-4o-mini", messages=asked)
print(reply.choices[0].message.content)
"""
JAVA = """
import java.net.URI;
import java.net.http.*;
public class Ask {
    public static void main(String[] words) throws Exception {
        String body = "{\\"model\\":\\"gpt-4o-mini\\","
            + "\\"messages\\":[{\\"role\\":\\"user\\",\\"content\\":\\"" + words[0] + "\\"}]}";
        HttpRequest request = HttpRequest.newBuilder(URI.create("https://api.openai.com/v1/chat/completions"))
            .header("content-type", "application/json").header("authorization", "Bearer test-key")
            .POST(HttpRequest.BodyPublishers.ofString(body)).build();
        HttpResponse<String> reply =
            HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
        System.out.println(reply.statusCode());
    }
}
"""
BODY = '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"%s"}]}'
HEADERS = {"content-type": "application/json", "authorization": "Bearer test-key"}
URL = "https://api.openai.com/v1/chat/completions"


@pytest.fixture
def anna(tmp_path: Path, confdir: Path, upstream: ScriptedUpstream) -> User:
    register(upstream, openai.CHAT)
    return user(tmp_path / "anna", confdir, upstream)


def asking(client: str, folder: Path, word: str) -> list[str]:
    """A command that makes one call."""
    fields = [f"{name}: {value}" for name, value in HEADERS.items()]
    match client:
        case "python":
            return [sys.executable, "-c", PYTHON, word]
        case "java":
            (folder / "Ask.java").write_text(JAVA)
            return ["java", str(folder / "Ask.java"), word]
        case "wget":
            headers = [f"--header={text}" for text in fields]
            return ["wget", "-q", "-O-", *headers, f"--post-data={BODY % word}", URL]
        case _:
            headers = [part for text in fields for part in ("-H", text)]
            return ["curl", "-sS", "--fail", *headers, "-d", BODY % word, URL]


def told(stderr: str) -> str:
    """What exec itself says at the end."""
    return [line for line in stderr.splitlines() if line.startswith("mitmcache: ")][-1]


SAVED = "12 tokens and $0.0000031 saved"
CLIENTS = ["python", *filter(shutil.which, ["curl", "wget", "java"])]


@pytest.mark.parametrize("client", CLIENTS)
def test_the_second_run_of_a_program_is_a_hit(anna: User, client: str, word: str) -> None:
    command = asking(client, anna.home, word)
    runs = [anna.run("exec", *anna.options, "--", *command) for _ in range(2)]
    assert [done.returncode for done in runs] == [0, 0], [done.stderr for done in runs]
    assert [told(done.stderr) for done in runs] == [
        "mitmcache: 0 hits, 1 miss",
        f"mitmcache: 1 hit, 0 misses, {SAVED}",
    ]
    assert runs[0].stdout == runs[1].stdout != ""
    assert len(anna.upstream.seen) == 1
    if client != "java":  # the JVM tells that it has picked up its options
        assert runs[1].stderr.splitlines() == [f"mitmcache: 1 hit, 0 misses, {SAVED}"]
    assert not anna.processes() and not list((anna.home / "tmp").iterdir())


def test_git_goes_through_untouched(anna: User) -> None:
    """To a host in no catalogue, whose own certificate it sees: it does not trust this one."""
    done = anna.run("exec", *anna.options, "--", "git", "ls-remote", "https://plain.example/a.git")
    assert done.returncode == 128 and "certificate" in done.stderr
    trusting = User(anna.home, anna.confdir, anna.upstream, {"GIT_SSL_CAINFO": str(anna.upstream.ca_file)})
    done = trusting.run("exec", *anna.options, "--", "git", "ls-remote", "https://plain.example/a.git")
    assert "not found" in done.stderr and anna.upstream.last.host == "plain.example"


def test_the_proxy_that_runs_is_used_and_stays(anna: User, word: str) -> None:
    options = {"llm_data_dir": str(anna.data)}
    with ProxyProcess(anna.upstream, anna.home / "proxy", anna.confdir, options) as proxy:
        command = ["sh", "-c", 'echo $HTTPS_PROXY; exec "$@"', "sh", *asking("curl", anna.home, word)]
        runs = [anna.run("exec", "--", *command) for _ in range(2)]
        assert [told(done.stderr) for done in runs] == [
            "mitmcache: 0 hits, 1 miss",
            f"mitmcache: 1 hit, 0 misses, {SAVED}",
        ]
        assert {done.stdout.splitlines()[0] for done in runs} == {proxy.url}
        offline = anna.run("exec", "--mode", "offline", "--", *command)
        assert offline.stdout.splitlines()[0] != proxy.url
        assert told(offline.stderr) == f"mitmcache: 1 hit, 0 misses, {SAVED}"
        assert proxy.stats()["hits"] == 1
    assert anna.run("env").returncode == 1
    spent = anna.run("stats", "--since", "1h", "--set", f"llm_data_dir={anna.data}").stdout.splitlines()
    # of all three runs, and of both proxies, which have ended
    assert spent[0] == "in the last 1h: 3 calls served, 66.7% hits"
    assert spent[3].startswith("saved   2 calls") and "unknown" not in "".join(spent)


def test_offline_never_dials(anna: User, word: str) -> None:
    done = anna.run("exec", "--mode", "offline", *anna.options, "--", *asking("curl", anna.home, word))
    assert done.returncode == 22 and "504" in done.stderr and not anna.upstream.seen


def test_one_inside_another_uses_the_outer_proxy(anna: User) -> None:
    inner = [*anna.command("exec", "--"), "sh", "-c", "echo $HTTPS_PROXY"]
    done = anna.run("exec", *anna.options, "--", "sh", "-c", 'echo $HTTPS_PROXY; exec "$@"', "sh", *inner)
    first, second = done.stdout.split()
    assert first == second, done.stderr


def test_two_at_the_same_time_do_not_mind_each_other(tmp_path: Path, upstream: ScriptedUpstream) -> None:
    """Not even when neither has a CA yet."""
    both = user(tmp_path / "both", tmp_path / "confdir", upstream)
    command = ["exec", *both.options, "--", "sh", "-c", "curl -sS https://llm.cache/healthz; echo; read x"]
    with both.started(*command) as one, both.started(*command) as two:
        for process in (one, two):
            assert process.stdout and process.stdout.readline() == '{"status":"ok"}\n'
        assert [len(process.communicate("\n", DEADLINE)) for process in (one, two)] == [2, 2]
        assert (one.returncode, two.returncode) == (0, 0)


def test_a_runner_that_is_killed_leaves_nobody(anna: User) -> None:
    with anna.started("exec", *anna.options, "--", "sh", "-c", "echo up; exec sleep 600") as process:
        assert process.stdout and process.stdout.readline() == "up\n"
        assert anna.processes()
        process.kill()
        process.wait(DEADLINE)
    end = time.monotonic() + DEADLINE
    while anna.processes():
        assert time.monotonic() < end, anna.processes()
        time.sleep(0.05)


def test_a_program_that_is_killed_is_told_by_the_exit_code(anna: User) -> None:
    done = anna.run("exec", *anna.options, "--", "sh", "-c", "kill -9 $$")
    assert (done.returncode, told(done.stderr)) == (128 + 9, "mitmcache: 0 hits, 0 misses")
    assert not anna.processes()


def test_a_proxy_that_is_killed_is_told_and_the_program_goes_on(anna: User) -> None:
    with anna.started("exec", *anna.options, "--", "sh", "-c", "echo up; read x; exit 5") as process:
        assert process.stdout and process.stdout.readline() == "up\n"
        [proxy] = [pid for pid, line in anna.running().items() if "launch/__main__.py" in line]
        os.kill(proxy, signal.SIGKILL)
        assert process.stderr and "the proxy has ended" in process.stderr.readline()
        _, err = process.communicate("\n", DEADLINE)
    assert process.returncode == 5 and "not known" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--set", "llm_tll=1h"], "llm_ttl"),
        (["--set", "llm_ttl=soon"], "llm_ttl"),
        (["--store", "ftp://a"], "llm_store"),
        (["--confdir", "/dev/null/x", "--mode", "live"], "/dev/null/x"),
    ],
)
def test_what_cannot_be_is_said_and_is_125(anna: User, words: list[str], said: str) -> None:
    done = anna.run("exec", *words, "--", "echo", "never")
    assert (done.returncode, done.stdout) == (125, ""), done.stderr
    assert said in done.stderr and "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_said_and_is_125(anna: User) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        done = anna.run("exec", "--set", f"listen_port={port}", "--", "echo", "never")
    assert (done.returncode, done.stdout) == (125, "") and re.search(
        rf"Error: .*\n(.*\n)*.*{port}", done.stderr
    )


def test_a_proxy_that_was_named_and_is_not_there_is_said_and_is_125(anna: User) -> None:
    lost = User(anna.home, anna.confdir, anna.upstream, {"MITMCACHE_PROXY": "http://127.0.0.1:9"})
    done = lost.run("exec", "--", "echo", "never")
    assert (done.returncode, done.stdout) == (125, "") and "MITMCACHE_PROXY" in done.stderr


def test_env_makes_a_shell_use_the_proxy_that_runs(anna: User, word: str) -> None:
    options = {"llm_data_dir": str(anna.data)}
    with ProxyProcess(anna.upstream, anna.home / "proxy", anna.confdir, options) as proxy:
        done = anna.run("env", "--shell", "bash")
        assert done.returncode == 0, done.stderr
        command = ["bash", "-c", f'{done.stdout}\nexec "$@"', "sh", *asking("curl", anna.home, word)]

        for _ in range(2):
            subprocess.run(command, env=anna.environ, check=True, capture_output=True, timeout=DEADLINE)
        assert proxy.stats()["hits"] == 1


def test_doctor_finds_a_runtime_that_is_served_and_one_that_is_not(anna: User) -> None:
    assert anna.run("doctor").returncode == 1
    options = {"llm_data_dir": str(anna.data)}
    with ProxyProcess(anna.upstream, anna.home / "proxy", anna.confdir, options):
        good = anna.run("doctor", "--host", "api.openai.com", "--", "curl")
        bad = anna.run("doctor", "--host", "a.example", "--", "no-such-command")
    assert (good.returncode, good.stdout.count("BAD")) == (0, 0), good.stdout
    assert (bad.returncode, bad.stdout.count("BAD")) == (1, 2), bad.stdout
