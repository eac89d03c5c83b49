"""Marked tests in projects of their own: recorded once, and replayed from then on."""

from dataclasses import replace

import pytest

from e2e.answers import Answer, Seen
from exchanges import openai
from pytest_plugin.project import Project, echo

HELLO = """
@pytest.mark.mitmcache
def test_hello():
    assert ask("hello") == "You said hello."
"""
RECORDING = "mitmcache/test_it/test_hello.tar"


def signed(seen: Seen) -> Answer:
    """As a provider does, with what is the caller's alone."""
    headers = (("openai-organization", "org-of-the-upstream"), ("set-cookie", "session=a-cookie"))
    return replace(echo(seen), headers=(("content-type", "application/json"), *headers))


def test_what_was_recorded_needs_no_key_no_account_and_no_upstream(within: Project) -> None:
    within.monkeypatch.setenv("OPENAI_ORG_ID", "org-of-the-developer")
    within.upstream.answer(openai.HOST, "/v1/chat/completions", signed)
    within.asking(HELLO)
    within.run(passed=1)
    assert (within.recordings, within.calls) == ([RECORDING], 1)
    assert dict(within.upstream.last.headers)["openai-organization"] == "org-of-the-developer"
    recorded = within.recorded()
    assert b"You said hello." in recorded
    for word in (b"of-the-developer", b"org-of-the-upstream", b"a-cookie", b"Bearer", b'"hello"'):
        assert word not in recorded, word
    within.elsewhere()
    within.monkeypatch.delenv("OPENAI_ORG_ID")
    within.run(passed=1)
    within.monkeypatch.setenv("OPENAI_API_KEY", "sk-of-somebody-else")
    within.run(passed=1)
    assert within.calls == 0


def test_a_changed_request_fails_the_test_even_one_that_swallows_it(within: Project) -> None:
    text = """
    def test_told():
        ask({0!r})

    def test_swallowed():
        try:
            ask({0!r})
        except openai.APIError:
            pass

    @pytest.fixture
    def asked():
        ask({0!r})

    def test_of_a_fixture(asked):
        pass

    pytestmark = pytest.mark.mitmcache
    """
    within.asking(text.format("hello"))
    within.run(passed=3)
    within.asking(text.format("a secret plan"))
    said = within.run(failed=2, errors=1)
    assert said.count("POST api.openai.com/v1/chat/completions (gpt-4o-mini): differs") == 3
    assert said.count("differs from the nearest recorded call in: messages[0].content\n") == 3
    assert said.count("to record it: pytest --mitmcache=record") == 3
    assert within.calls == 3


MODES = [
    (("--mitmcache=replay",), {}, "errors", 0),
    ((), {"CI": "true"}, "errors", 0),
    ((), {}, "passed", 1),
    (("--mitmcache=replay",), {}, "passed", 0),
    ((), {"CI": "true"}, "passed", 0),
    (("--mitmcache=record",), {"CI": "true"}, "passed", 1),
]
"""One after another: arguments, environment, what becomes of the test, and how many calls go upstream."""


def test_the_modes_and_a_new_recording_of_the_same_is_the_same_file(within: Project) -> None:
    within.asking(HELLO)
    files = set()
    for arguments, environment, outcome, calls in MODES:
        case = (*arguments, *environment)
        with within.monkeypatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            said = within.run(*arguments, apart=False, **{outcome: 1})
        assert within.calls == calls, case
        assert ("there is no recording" in said) is (outcome == "errors"), case
        within.upstream.seen.clear()
        files |= {(within.pytester.path / name).read_bytes() for name in within.recordings}
    assert len(files) == 1


def test_live_is_as_if_there_were_no_mark(project: Project) -> None:
    project.asking(
        """
        import os

        @pytest.mark.mitmcache
        def test_nothing_is_set():
            assert "HTTPS_PROXY" not in os.environ
        """
    )
    project.monkeypatch.delenv("HTTPS_PROXY", raising=False)
    project.run("--mitmcache=live", passed=1)
    assert (project.recordings, list(project.temporary.iterdir())) == ([], [])


def test_a_failing_test_leaves_its_recording_as_it_was(within: Project) -> None:
    file = within.pytester.path / RECORDING
    file.parent.mkdir(parents=True)
    file.write_bytes(b"the old one")
    within.asking(HELLO.replace("You said", "You did not say"))
    within.run("--mitmcache=record", failed=1)
    assert file.read_bytes() == b"the old one"


def test_the_environment_is_that_of_before_after_the_test(within: Project) -> None:
    within.asking(
        """
        import os

        before = dict(os.environ)

        @pytest.mark.mitmcache
        def test_marked():
            assert os.environ["HTTPS_PROXY"].startswith("http://127.0.0.1:")
            assert ask("this") == "You said this."

        def test_unmarked():
            changed = {k for k in {*before, *os.environ} if before.get(k) != os.environ.get(k)}
            assert changed <= {"PYTEST_CURRENT_TEST"}
        """
    )
    within.run(passed=2)


def test_each_test_has_its_own_recording_whatever_its_parameters(within: Project) -> None:
    within.asking(
        """
        @pytest.mark.parametrize("text", ["a", "../b", "A", "ü/*", "x" * 300])
        class TestIt:
            @pytest.mark.mitmcache
            def test_says(self, text):
                assert ask(text) == f"You said {text}."
        """
    )
    within.run(passed=5)
    assert len(within.recordings) == 5
    assert all(name.startswith("mitmcache/test_it/TestIt.test_says") for name in within.recordings)
    within.elsewhere()
    within.run(passed=5)


def test_a_test_is_not_answered_from_anothers_recording(within: Project) -> None:
    within.asking(HELLO + "\n\n@pytest.mark.mitmcache\ndef test_two():\n    ask('hello')\n    ask('two')\n")
    within.run(passed=2)
    (within.pytester.path / RECORDING).replace(within.pytester.path / "mitmcache/test_it/test_two.tar")
    within.monkeypatch.setenv("CI", "1")
    within.run(failed=1, errors=1)


def test_a_session_with_no_marked_test_costs_nothing(project: Project) -> None:
    project.write(
        """
        import sys

        def test_nothing_of_it_is_loaded():
            assert "mitmcache.pytest_plugin" in sys.modules
            assert not {"mitmproxy", "boto3", "click", "orjson", "cryptography"} & set(sys.modules)
            ours = {name for name in sys.modules if name.startswith("mitmcache")}
            plugin = "mitmcache.pytest_plugin"
            assert ours == {"mitmcache", plugin, f"{plugin}.marks", f"{plugin}.hookspecs"}
        """
    )
    said = project.run("--mitmcache=record", apart=True, passed=1)
    assert "none of these tests is marked mitmcache, so --mitmcache=record does nothing" in said
    assert list(project.temporary.iterdir()) == []


BAD = [
    pytest.param(
        "('replay')", "takes mode=... and path=..., not 'replay' alone", id="an argument by position"
    ),
    pytest.param("(mode='never')", "mode='never' is none of record, replay, live", id="an unknown mode"),
    pytest.param("(modus='live')", "has no option 'modus'; there are mode and path", id="an unknown option"),
    pytest.param("(path=3)", "path=3 is no path", id="a path that is none"),
]


@pytest.mark.parametrize(("options", "complaint"), BAD)
def test_a_bad_mark_is_a_usage_error(options: str, complaint: str, project: Project) -> None:
    project.asking(HELLO.replace(".mitmcache", f".mitmcache{options}"))
    said = project.run()
    assert "ERROR: test_it.py::test_hello: mitmcache " + complaint in said
    assert "INTERNALERROR" not in said


def test_two_tests_with_one_recording_are_a_usage_error(project: Project) -> None:
    marked = "@pytest.mark.mitmcache(path='one.tar')\ndef test_{}(): pass\n"
    project.asking("\n" + marked.format("a") + marked.format("b"))
    assert "test_b and test_it.py::test_a have one recording" in project.run()


def test_a_mark_names_its_recording_and_its_mode(within: Project) -> None:
    within.asking(HELLO.replace(".mitmcache", ".mitmcache(path='kept/one.tar', mode='record')"))
    within.run(passed=1)
    within.run(passed=1)
    assert (within.recordings, within.calls) == (["kept/one.tar"], 2)
