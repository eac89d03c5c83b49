"""Somebody's tests, by a pytest of its own: recorded by two workers, replayed where there is nothing."""

from pytest_plugin.conftest import dialling, project
from pytest_plugin.project import Project

__all__ = ["dialling", "project"]

ASKING = """
@pytest.mark.mitmcache
@pytest.mark.parametrize("text", ["one", "two", "three"])
def test_it(text):
    assert ask(text) == f"You said {text}."
"""


def test_what_two_workers_have_recorded_needs_no_key_and_no_network_and_a_changed_prompt_fails(
    project: Project,
) -> None:
    project.asking(ASKING)
    project.run("-n", "2", apart=True, passed=3)
    assert (len(project.recordings), project.calls) == (3, 3)
    project.elsewhere()
    project.asking(ASKING.replace("ask(text)", "ask(text.replace('two', '2'))"))
    said = project.run(apart=True, passed=2, failed=1)
    assert "mitmcache: not in the recording:" in said
    assert "differs from the nearest recorded call in: messages[0].content" in said
    assert (project.calls, list(project.temporary.iterdir())) == (0, [])
