"""What is taken out of recordings, by us and by the project's own hook."""

from e2e.answers import Answer
from exchanges import openai
from exchanges.base import dump
from pytest_plugin.project import HELLO, Project

CHAT = "/v1/chat/completions"


def says(text: str) -> Answer:
    return Answer(body=dump(openai.completion({"content": text})))


def test_a_secret_of_the_environment_is_taken_out_of_an_answer(within: Project) -> None:
    within.monkeypatch.setenv("DEPLOY_TOKEN", "tok-12345-xyz")
    within.upstream.answer(openai.HOST, CHAT, says("Use tok-12345-xyz, quickly."))
    within.asking(HELLO.format("quickly"))
    said = within.run(passed=1)
    assert "the value of DEPLOY_TOKEN: REDACTED stands for it" in said
    assert "tok-12345" not in said
    within.elsewhere()
    within.asking(HELLO.format("Use REDACTED, quickly."))
    within.run(passed=1)


def test_a_recording_with_a_secret_is_refused_and_the_variable_named(within: Project) -> None:
    within.monkeypatch.setenv("DEPLOY_TOKEN", "tok-12345-xyz")
    within.upstream.answer(openai.HOST, CHAT, says("quickly: dG9rLTEyMzQ1LXh5eg=="))
    within.asking(HELLO.format("quickly"))
    said = within.run(failed=1)
    assert "nothing was recorded: an answer of api.openai.com holds the value of DEPLOY_TOKEN" in said
    assert "tok-12345" not in said
    assert within.recordings == []


def test_a_projects_own_hook_scrubs(within: Project) -> None:
    within.upstream.answer(openai.HOST, CHAT, says("Ask alice@corp.example."))
    within.write(
        """
        def pytest_mitmcache_scrub(item, data):
            assert item.name == "test_hello"
            return data.replace(b"alice@corp.example", b"somebody")
        """,
        "conftest",
    )
    within.asking(HELLO.format("Ask "))
    within.run(passed=1)
    within.asking(HELLO.format("Ask somebody."))
    within.run("--mitmcache=replay", passed=1)
