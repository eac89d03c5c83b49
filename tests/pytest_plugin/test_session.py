"""One test after another through one proxy: clients of every kind, and what comes of their calls."""

import tarfile
from collections.abc import Mapping

import pytest

from e2e.answers import Answer
from e2e.client import answer_of
from exchanges import google, openai
from mitmcache.pytest_plugin import session
from mitmcache.pytest_plugin.launch import ProxyFailed
from pytest_plugin.project import HELLO, Project

CHAT = "/v1/chat/completions"
RECORDING = "mitmcache/test_it/test_hello.tar"
CLIENTS = """
import os, subprocess, sys, unittest
import anthropic, openai, pytest, requests

pytestmark = pytest.mark.mitmcache
HELLO = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]}

@pytest.mark.asyncio
async def test_the_async_client():
    async with openai.AsyncOpenAI(max_retries=0, timeout=60) as client:
        reply = await client.chat.completions.create(**HELLO)
    assert reply.choices[0].message.content == "You said hello."

@pytest.fixture(scope="module")
def client():
    with anthropic.Anthropic(max_retries=0, timeout=60) as client:
        yield client

@pytest.mark.parametrize("text", ["one", "two"])
def test_a_client_that_tests_share(client, text):
    message = [{"role": "user", "content": text}]
    assert client.messages.create(model="claude-sonnet-4-5", max_tokens=64, messages=message).content

class TestIt(unittest.TestCase):
    def test_requests_in_a_unittest(self):
        url, key = "https://api.openai.com/v1/chat/completions", os.environ["OPENAI_API_KEY"]
        reply = requests.post(url, json=HELLO, headers={"authorization": f"Bearer {key}"}, timeout=60)
        assert reply.json()["choices"], reply.text

def test_a_key_in_the_query():
    host = "generativelanguage.googleapis.com"
    url = f"https://{host}/v1beta/models/gemini-2.5-flash:generateContent?key={os.environ['GEMINI_API_KEY']}"
    reply = requests.post(url, json={"contents": [{"parts": [{"text": "hello"}]}]}, timeout=60)
    assert reply.json()["candidates"], reply.text

PROGRAM = '''
import json, os, sys, urllib.request
headers = {"authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "content-type": "application/json"}
asked = urllib.request.Request("https://api.openai.com/v1/chat/completions", sys.argv[1].encode(), headers)
print(json.load(urllib.request.urlopen(asked, timeout=60))["choices"][0]["message"]["content"])
'''

def test_a_program_that_the_test_starts():
    import json
    command = [sys.executable, "-c", PROGRAM, json.dumps(HELLO)]
    said = subprocess.run(command, capture_output=True, text=True)
    assert said.stdout == "You said hello.\\n", said.stderr

def test_a_stream():
    with openai.OpenAI(max_retries=0, timeout=60, base_url="https://api.groq.com/openai/v1") as client:
        stream = client.chat.completions.create(**HELLO, stream=True)
        text = "".join(piece.choices[0].delta.content or "" for piece in stream if piece.choices)
    assert text == "Héllo there."
"""


def test_clients_of_every_kind_are_recorded_and_replayed(within: Project) -> None:
    within.upstream.answer("api.groq.com", f"/openai{CHAT}", answer_of(openai.CHAT_STREAM))
    path = "/v1beta/models/gemini-2.5-flash:generateContent"
    within.upstream.answer(google.GEMINI, path, Answer(body=google.GENERATE.reply))
    within.write(CLIENTS)
    within.run(passed=7)
    assert within.calls == len(within.recordings) == 7
    assert b"of-the-developer" not in within.recorded()
    within.elsewhere()
    within.run(passed=7)
    assert within.calls == 0


def test_what_cannot_be_replayed_is_not_recorded(within: Project) -> None:
    within.upstream.answer(openai.HOST, CHAT, Answer(status=429, body=b'{"error":{"message":"slow down"}}'))
    within.asking(
        """
        @pytest.mark.mitmcache
        def test_hello():
            with pytest.raises(openai.RateLimitError):
                ask("hello")
        """
    )
    said = within.run(failed=1)
    assert "it cannot be replayed" in said
    assert "(gpt-4o-mini): could not be kept: status 429" in said
    assert within.recordings == []


def test_a_call_made_twice_is_what_it_will_be_in_the_replay(within: Project) -> None:
    within.asking(
        """
        @pytest.mark.mitmcache
        def test_hello():
            assert ask("hello") == ask("hello")
            ask("two")
            ask("three")
        """
    )
    within.run(passed=1)
    assert within.calls == 3
    with tarfile.open(within.pytester.path / RECORDING) as archive:
        names = archive.getnames()
    assert names[:3] == sorted(names[:3])
    assert names[3:] == ["test.json", "manifest.json"]


def test_a_test_that_asks_nothing_is_warned_of(within: Project) -> None:
    within.write("import pytest\n\n@pytest.mark.mitmcache\ndef test_hello(): pass\n")
    assert "no LLM call was recorded" in within.run(passed=1)
    assert "no LLM call was recorded" not in within.run(passed=1)
    within.write(
        """
        import pytest

        @pytest.mark.filterwarnings("error")
        @pytest.mark.mitmcache
        def test_hello():
            pass
        """
    )
    said = within.run("--mitmcache=record", failed=1)
    assert "\nmitmcache: no LLM call was recorded" in said


def test_options_of_the_proxy_are_in_the_projects_settings(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Mapping[str, str]] = []

    def launched(options: Mapping[str, str]) -> None:
        seen.append(options)
        raise ProxyFailed("not here")

    monkeypatch.setattr(session, "Launched", launched)
    project.pytester.makeini("[pytest]\nmitmcache_options =\n  llm_hosts=a.example=openai\n  llm_disk = 1g\n")
    project.asking(HELLO.format("hello"))
    assert "mitmcache: not here" in project.run(errors=1)
    assert seen == [{"llm_hosts": "a.example=openai", "llm_disk": "1g"}]


def test_an_option_that_is_no_pair_is_named(project: Project) -> None:
    project.pytester.makeini("[pytest]\nmitmcache_options = llm_hosts\n")
    project.asking(HELLO.format("hello"))
    assert "mitmcache_options: 'llm_hosts' is not name=value" in project.run()
