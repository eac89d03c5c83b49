"""One test after another through one proxy: clients of every kind, secrets, and what goes wrong."""

import tarfile

import pytest

from e2e.answers import Answer
from e2e.client import answer_of
from exchanges import openai
from exchanges.base import dump
from pytest_plugin.project import HELLO, Project

CHAT = "/v1/chat/completions"
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


def test_options_of_the_proxy_are_in_the_projects_settings(project: Project) -> None:
    project.upstream.answer("llm.corp.example", CHAT, says("hello from within"))
    project.pytester.makeini("[pytest]\nmitmcache_options =\n    llm_hosts=llm.corp.example=openai\n")
    project.asking(HELLO.format("within"))
    project.monkeypatch.setenv("OPENAI_BASE_URL", "https://llm.corp.example/v1")
    project.run(passed=1)
    project.elsewhere()
    project.run(passed=1)


def test_a_recording_holds_the_same_in_whatever_order_it_was_asked(project: Project) -> None:
    project.asking(HELLO.format("hello") + "    ask('two')\n    ask('three')\n")
    project.run(passed=1)
    with tarfile.open(project.pytester.path / RECORDING) as archive:
        names = archive.getnames()
    assert names[:-2] == sorted(names[:-2])
    assert names[-2:] == ["test.json", "manifest.json"]
