"""Marked tests in projects of their own: recorded once, and replayed from then on."""

import pytest

from pytest_plugin.project import KEYS, Project

HELLO = """
@pytest.mark.mitmcache
def test_hello():
    assert ask("hello") == "You said hello."
"""
RECORDING = "mitmcache/test_it/test_hello.tar"


def test_what_was_recorded_needs_no_key_no_account_and_no_upstream(within: Project) -> None:
    within.monkeypatch.setenv("OPENAI_ORG_ID", "org-of-the-developer")
    within.asking(HELLO)
    within.run(passed=1)
    assert (within.recordings, within.calls) == ([RECORDING], 1)
    assert dict(within.upstream.last.headers)["openai-organization"] == "org-of-the-developer"
    data = (within.pytester.path / RECORDING).read_bytes()
    for word in ("of-the-developer", *(f"sk-{key.lower()}" for key in KEYS)):
        assert word.encode() not in data
    assert b"hello" not in data.replace(b"test_hello", b"")
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
    pytest.param(("--mitmcache=replay",), {}, "errors", 0, id="replay never asks"),
    pytest.param((), {"CI": "true"}, "errors", 0, id="in CI nothing is recorded"),
    pytest.param((), {}, "passed", 1, id="by default what was not recorded is recorded"),
    pytest.param(("--mitmcache=replay",), {}, "passed", 0, id="replay takes the recording"),
    pytest.param((), {"CI": "true"}, "passed", 0, id="in CI what was recorded is replayed"),
    pytest.param(("--mitmcache=record",), {"CI": "true"}, "passed", 1, id="record always asks"),
]


def test_the_modes_and_a_new_recording_of_the_same_is_the_same_file(within: Project) -> None:
    within.asking(HELLO)
    files = set()
    for mode in MODES:
        arguments, environment, outcome, calls = mode.values
        with within.monkeypatch.context() as patch:
            for name, value in environment.items():  # type: ignore[attr-defined]
                patch.setenv(name, value)
            said = within.run(*arguments, **{outcome: 1})  # type: ignore[arg-type, misc]
        assert within.calls == calls, mode.id
        assert ("there is no recording" in said) is (outcome == "errors"), mode.id
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


def test_what_a_wider_fixture_asks_is_in_the_recording_of_each_of_its_tests(within: Project) -> None:
    within.asking(
        """
        @pytest.fixture(scope="module")
        def summary():
            return ask("of the module")

        class TestIt:
            @pytest.fixture(scope="class")
            def both(self, summary):
                return summary + ask("of the class")

            @pytest.mark.parametrize("text", ["one", "two"])
            def test_it(self, both, text):
                assert both == "You said of the module.You said of the class."
                assert ask(text) == f"You said {text}."

        def test_of_the_module(summary):
            assert summary == "You said of the module."

        def test_of_neither():
            ask("three")

        pytestmark = pytest.mark.mitmcache
        """
    )
    within.run(passed=4)
    assert within.calls == 5
    assert [within.answers(name) for name in within.recordings] == [3, 3, 1, 1]
    within.elsewhere()
    for alone in ("two", "test_of_the_module"):
        within.run("-k", alone, passed=1)
    # the fixtures are replayed here, and what they were told is recorded with the test that uses them
    within.keys()
    within.answering()
    (within.pytester.path / within.recordings[1]).unlink()
    within.run(passed=4)
    assert (within.calls, within.answers(within.recordings[1])) == (1, 3)
