"""Marked tests in projects of their own: recorded once, and replayed from then on."""

import pytest

from pytest_plugin.project import KEYS, Project

HELLO = """
@pytest.mark.mitmcache
def test_hello():
    assert ask("hello") == "You said hello."
"""
RECORDING = "mitmcache/test_it/test_hello.tar"


def test_what_was_recorded_runs_with_no_key_and_no_network(project: Project) -> None:
    project.asking(HELLO)
    project.run(passed=1)
    assert (project.recordings, project.calls) == ([RECORDING], 1)
    project.elsewhere()
    project.run(passed=1)
    assert project.calls == 0


def test_another_key_replays_too(project: Project) -> None:
    project.asking(HELLO)
    project.run(passed=1)
    project.elsewhere()
    project.monkeypatch.setenv("OPENAI_API_KEY", "sk-of-somebody-else")
    project.run(passed=1)


def test_a_changed_request_fails_and_says_where_it_differs(project: Project) -> None:
    project.asking(HELLO)
    project.run(passed=1)
    project.asking(HELLO.replace('ask("hello")', 'ask("a secret plan")'))
    said = project.run(failed=1)
    assert "mitmcache" in said
    assert "POST api.openai.com/v1/chat/completions (gpt-4o-mini): differs" in said
    assert "in: messages[0].content" in said
    assert project.calls == 1


def test_a_miss_fails_also_a_test_that_swallows_it(project: Project) -> None:
    project.asking(HELLO)
    project.run(passed=1)
    swallowing = """
    @pytest.mark.mitmcache
    def test_hello():
        try:
            ask("another")
        except openai.APIError:
            pass
    """
    project.asking(swallowing)
    said = project.run(failed=1)
    assert "in: messages[0].content" in said
    assert "--mitmcache=record" in said


MODES = [
    pytest.param((), {}, False, (1, 1), id="by default what was not recorded is recorded"),
    pytest.param((), {"CI": "true"}, False, (0, 0), id="in CI nothing is recorded"),
    pytest.param((), {"CI": "true"}, True, (1, 0), id="in CI what was recorded is replayed"),
    pytest.param(("--mitmcache=record",), {}, True, (1, 1), id="record always asks"),
    pytest.param(("--mitmcache=replay",), {}, True, (1, 0), id="replay takes the recording"),
]


@pytest.mark.parametrize(("arguments", "environment", "recorded", "expected"), MODES)
def test_the_modes(
    arguments: tuple[str, ...],
    environment: dict[str, str],
    recorded: bool,
    expected: tuple[int, int],
    project: Project,
) -> None:
    project.asking(HELLO)
    if recorded:
        project.run(passed=1)
        project.upstream.seen.clear()
    for name, value in environment.items():
        project.monkeypatch.setenv(name, value)
    passed, calls = expected
    said = project.run(*arguments, **({"passed": 1} if passed else {"errors": 1}))
    assert project.calls == calls
    assert ("there is no recording" in said) is not passed


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


def test_a_failing_test_leaves_its_recording_as_it_was(project: Project) -> None:
    project.asking(HELLO)
    project.run(passed=1)
    before = (project.pytester.path / RECORDING).read_bytes()
    project.asking(HELLO.replace("You said", "You did not say"))
    project.run("--mitmcache=record", failed=1)
    assert (project.pytester.path / RECORDING).read_bytes() == before


def test_the_environment_is_that_of_before_after_the_test(project: Project) -> None:
    project.asking(
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
    project.run(passed=2)


def test_each_test_has_its_own_recording_whatever_its_parameters(project: Project) -> None:
    project.asking(
        """
        @pytest.mark.parametrize("text", ["a", "../b", "A", "ü/*", "x" * 300])
        class TestIt:
            @pytest.mark.mitmcache
            def test_says(self, text):
                assert ask(text) == f"You said {text}."
        """
    )
    project.run(passed=5)
    assert len(project.recordings) == 5
    assert all(name.startswith("mitmcache/test_it/TestIt.test_says") for name in project.recordings)
    project.elsewhere()
    project.run(passed=5)


def test_a_test_is_not_answered_from_anothers_recording(project: Project) -> None:
    project.asking(HELLO + "\n\n@pytest.mark.mitmcache\ndef test_two():\n    ask('hello')\n    ask('two')\n")
    project.run(passed=2)
    project.asking(HELLO + "\n\n@pytest.mark.mitmcache\ndef test_two():\n    ask('hello')\n    ask('two')\n")
    (project.pytester.path / RECORDING).replace(project.pytester.path / "mitmcache/test_it/test_two.tar")
    project.monkeypatch.setenv("CI", "1")
    project.run(failed=1, errors=1)


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
    project.run("-p", "no:asyncio", "-p", "no:anyio", "-p", "no:hypothesispytest", passed=1)
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


def test_a_mark_names_its_recording_and_its_mode(project: Project) -> None:
    project.asking(HELLO.replace(".mitmcache", ".mitmcache(path='kept/one.tar', mode='record')"))
    project.run(passed=1)
    project.run(passed=1)
    assert (project.recordings, project.calls) == (["kept/one.tar"], 2)


@pytest.mark.parametrize("key", KEYS)
def test_no_key_is_in_a_recording(key: str, project: Project) -> None:
    project.asking(HELLO)
    project.run(passed=1)
    data = (project.pytester.path / RECORDING).read_bytes()
    assert f"sk-{key.lower()}-of-the-developer".encode() not in data
    assert b"hello" not in data.replace(b"test_hello", b"")
