"""Fixtures that outlive the test they were made for."""

from pytest_plugin.project import Project


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
    within.asking(
        """
        @pytest.fixture(scope="module")
        def summary():
            return "of the same name"

        @pytest.mark.mitmcache
        def test_it(summary):
            ask("four")
        """,
        "test_then",
    )
    within.run(passed=5)
    assert within.calls == 6
    assert [within.answers(name) for name in within.recordings] == [3, 3, 1, 1, 1]
    within.elsewhere()
    for alone in ("two", "test_of_the_module"):
        within.run("-k", alone, passed=1)
    # the fixtures are replayed here, and what they were told is recorded with the test that uses them
    within.keys()
    within.answering()
    (within.pytester.path / within.recordings[1]).unlink()
    within.run(passed=5)
    assert (within.calls, within.answers(within.recordings[1])) == (1, 3)
