"""One test after another through one proxy: clients of every kind, secrets, and what goes wrong."""

import os
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from e2e.answers import Answer
from e2e.client import answer_of
from exchanges import openai
from exchanges.base import dump
from pytest_plugin.project import Project

CHAT = "/v1/chat/completions"
HELLO = """
@pytest.mark.mitmcache
def test_hello():
    assert "{}" in ask("hello")
"""
RECORDING = "mitmcache/test_it/test_hello.tar"


CLIENTS = {
    "the async client in an async test": """
        import openai, pytest

        @pytest.mark.mitmcache
        @pytest.mark.asyncio
        async def test_it():
            async with openai.AsyncOpenAI(max_retries=0, timeout=15) as client:
                message = [{"role": "user", "content": "hello"}]
                reply = await client.chat.completions.create(model="gpt-4o-mini", messages=message)
            assert reply.choices[0].message.content == "You said hello."
        """,
    "anthropic, with a client of a fixture that other tests use too": """
        import anthropic, pytest

        @pytest.fixture(scope="module")
        def client():
            with anthropic.Anthropic(max_retries=0, timeout=15) as client:
                yield client

        @pytest.mark.mitmcache
        @pytest.mark.parametrize("text", ["one", "two"])
        def test_it(client, text):
            message = [{"role": "user", "content": text}]
            reply = client.messages.create(model="claude-sonnet-4-5", max_tokens=64, messages=message)
            assert reply.content
        """,
    "requests, in a unittest": """
        import os, unittest, pytest, requests

        class TestIt(unittest.TestCase):
            @pytest.mark.mitmcache
            def test_it(self):
                reply = requests.post(
                    "https://api.openai.com/v1/chat/completions",
                    json={"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]},
                    headers={"authorization": "Bearer " + os.environ["OPENAI_API_KEY"]},
                    timeout=15,
                )
                assert reply.json()["choices"], reply.text
        """,
    "a program that the test starts": """
        import subprocess, sys, pytest

        PROGRAM = '''
        import openai
        message = [{"role": "user", "content": "hello"}]
        client = openai.OpenAI(max_retries=0, timeout=15)
        reply = client.chat.completions.create(model="gpt-4o-mini", messages=message)
        print(reply.choices[0].message.content)
        '''

        @pytest.mark.mitmcache
        def test_it():
            program = "\\n".join(line.strip() for line in PROGRAM.splitlines())
            said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
            assert said.stdout == "You said hello.\\n", said.stderr
        """,
}


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_is_recorded_and_replayed(client: str, project: Project) -> None:
    project.write(CLIENTS[client])
    tests = 2 if "fixture" in client else 1
    project.run(passed=tests)
    assert project.calls == len(project.recordings) == tests
    project.elsewhere()
    project.run(passed=tests)


def test_a_stream_is_recorded_and_replayed(project: Project) -> None:
    project.upstream.answer(openai.HOST, CHAT, answer_of(openai.CHAT_STREAM))
    project.write(
        """
        import openai, pytest

        @pytest.mark.mitmcache
        def test_it():
            client = openai.OpenAI(max_retries=0, timeout=15)
            message = [{"role": "user", "content": "hello"}]
            stream = client.chat.completions.create(model="gpt-4o-mini", messages=message, stream=True)
            text = "".join(piece.choices[0].delta.content or "" for piece in stream if piece.choices)
            assert text == "Héllo there."
        """
    )
    project.run(passed=1)
    project.elsewhere()
    project.run(passed=1)


def test_what_cannot_be_replayed_is_not_recorded(project: Project) -> None:
    project.upstream.answer(openai.HOST, CHAT, Answer(status=429, body=b'{"error":{"message":"slow down"}}'))
    project.asking(
        """
        @pytest.mark.mitmcache
        def test_hello():
            with pytest.raises(openai.RateLimitError):
                ask("hello")
        """
    )
    said = project.run(failed=1)
    assert "it cannot be replayed" in said
    assert "(gpt-4o-mini): could not be kept: status 429" in said
    assert project.recordings == []


def test_a_call_made_twice_is_what_it_will_be_in_the_replay(project: Project) -> None:
    project.asking(
        """
        @pytest.mark.mitmcache
        def test_hello():
            assert ask("hello") == ask("hello")
        """
    )
    project.run(passed=1)
    assert project.calls == 1
    project.elsewhere()
    project.run(passed=1)


def test_a_test_that_asks_nothing_is_warned_of(project: Project) -> None:
    project.write("import pytest\n\n@pytest.mark.mitmcache\ndef test_hello(): pass\n")
    said = project.run(passed=1, warnings=1)
    assert "no LLM call was recorded" in said
    assert "no LLM call was recorded" not in project.run(passed=1)


def says(text: str) -> Answer:
    return Answer(body=dump(openai.completion({"content": text})))


def test_a_secret_of_the_environment_is_taken_out_of_an_answer(project: Project) -> None:
    project.monkeypatch.setenv("DEPLOY_TOKEN", "tok-12345-xyz")
    project.upstream.answer(openai.HOST, CHAT, says("Use tok-12345-xyz, quickly."))
    project.asking(HELLO.format("quickly"))
    project.run(passed=1)
    project.elsewhere()
    project.asking(HELLO.format("Use REDACTED, quickly."))
    project.run(passed=1)


def test_a_recording_with_a_secret_is_refused_and_the_variable_named(project: Project) -> None:
    project.monkeypatch.setenv("DEPLOY_TOKEN", "tok-12345-xyz")
    project.upstream.answer(openai.HOST, CHAT, says("quickly: dG9rLTEyMzQ1LXh5eg=="))
    project.asking(HELLO.format("quickly"))
    said = project.run(failed=1)
    assert "nothing was recorded: an answer of api.openai.com holds the value of DEPLOY_TOKEN" in said
    assert "tok-12345" not in said
    assert project.recordings == []


def test_a_projects_own_hook_scrubs(project: Project) -> None:
    project.upstream.answer(openai.HOST, CHAT, says("Ask alice@corp.example."))
    project.write(
        """
        def pytest_mitmcache_scrub(item, data):
            assert item.name == "test_hello"
            return data.replace(b"alice@corp.example", b"somebody")
        """,
        "conftest",
    )
    project.asking(HELLO.format("Ask "))
    project.run(passed=1)
    project.asking(HELLO.format("Ask somebody."))
    project.run("--mitmcache=replay", passed=1)


def test_options_of_the_proxy_are_in_the_projects_settings(project: Project) -> None:
    project.upstream.answer("llm.corp.example", CHAT, says("hello from within"))
    project.pytester.makeini("[pytest]\nmitmcache_options =\n    llm_hosts=llm.corp.example=openai\n")
    project.asking(HELLO.format("within"))
    project.monkeypatch.setenv("OPENAI_BASE_URL", "https://llm.corp.example/v1")
    project.run(passed=1)
    project.elsewhere()
    project.run(passed=1)


@pytest.mark.parametrize(
    ("option", "complaint"),
    [
        ("llm_hosts", "'llm_hosts' is not name=value"),
        ("llm_hostz=x", "unknown option llm_hostz; did you mean llm_hosts?"),
    ],
)
def test_a_bad_option_is_named(option: str, complaint: str, project: Project) -> None:
    project.pytester.makeini(f"[pytest]\nmitmcache_options = {option}\n")
    project.asking(HELLO.format("hello"))
    assert complaint in project.run()


DAMAGES = {
    "no tar at all": lambda data: b"rubbish" * 200,
    "cut short": lambda data: data[:700],
    "empty": lambda data: b"",
    "a flipped bit": lambda data: data[:900] + bytes([data[900] ^ 1]) + data[901:],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_recording_is_said_to_be_one(damage: str, project: Project) -> None:
    project.asking(HELLO.format("hello"))
    project.run(passed=1)
    path = project.pytester.path / RECORDING
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    said = project.run(errors=1)
    assert f"mitmcache: {path} " in said
    assert "damaged" in said or "cannot be read" in said


def test_a_folder_that_cannot_be_written_is_named(project: Project) -> None:
    (project.pytester.path / "mitmcache").write_text("a file, where the folder should be")
    project.asking(HELLO.format("hello"))
    said = project.run(failed=1)
    assert "nothing was recorded: " in said
    assert str(project.pytester.path / "mitmcache") in said


def test_no_folder_for_the_proxy_fails_each_test_with_the_reason(project: Project) -> None:
    project.write(
        """
        import tempfile
        tempfile.tempdir = "/nowhere/at/all"
        """,
        "conftest",
    )
    project.asking(HELLO.format("hello"))
    assert "no folder for the proxy: /nowhere/at/all" in project.run(errors=1)


def test_a_recording_holds_the_same_in_whatever_order_it_was_asked(project: Project) -> None:
    project.asking(HELLO.format("hello") + "    ask('two')\n    ask('three')\n")
    project.run(passed=1)
    with tarfile.open(project.pytester.path / RECORDING) as archive:
        names = archive.getnames()
    assert names[:-2] == sorted(names[:-2])
    assert names[-2:] == ["test.json", "manifest.json"]


STILL = """
import os, pathlib

@pytest.mark.mitmcache
def test_hello():
    ask("hello")
    proxy = [p for p in pathlib.Path("/proc").glob("[0-9]*") if is_proxy(p)]
    pathlib.Path("pid").write_text(proxy[0].name)
    os.kill(os.getpid(), {})

def is_proxy(process):
    try:
        return process.joinpath("stat").read_text().split(") ")[1].split()[1] == str(os.getpid())
    except OSError:
        return False
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_proxy_outlives_its_session(number: signal.Signals, project: Project) -> None:
    project.asking(STILL.format(int(number)))
    subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "mitmcache.pytest_plugin", "-p", "no:cacheprovider"],
        cwd=project.pytester.path,
        capture_output=True,
        timeout=60,
        check=False,
    )
    gone(int((project.pytester.path / "pid").read_text()))
    if number == signal.SIGINT:
        assert list(project.temporary.iterdir()) == []


def gone(pid: int) -> None:
    """Waits for the end of a process that is no child of ours."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    import select

    ready, _, _ = select.select([descriptor], [], [], 20)
    os.close(descriptor)
    assert ready or "Z" in Path(f"/proc/{pid}/stat").read_text()
