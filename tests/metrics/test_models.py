import pytest

from mitmcache.metrics.models import LONGEST, MOST, NONE, OTHER, Models

NEVER = [
    ("longer than a name is", "m" * (LONGEST + 1)),
    ("with a line break", "gpt\n4"),
    ("with half a character", "gpt\ud800"),
]


def test_a_model_is_named_once_an_answer_came_from_it() -> None:
    models = Models()
    assert models.label("gpt-4o", proven=False) == OTHER
    assert models.label("gpt-4o", proven=True) == "gpt-4o"
    assert models.label("gpt-4o", proven=False) == "gpt-4o"


@pytest.mark.parametrize("model", [pytest.param(case[1], id=case[0]) for case in NEVER])
def test_what_is_no_name_is_other(model: str) -> None:
    assert Models().label(model, proven=True) == OTHER


def test_a_request_without_a_model_has_none() -> None:
    assert Models(most=0).label("", proven=False) == NONE


def test_only_so_many_are_named_and_those_that_are_stay() -> None:
    models = Models()
    labels = [models.label(f"m{n}", proven=True) for n in range(10_000)]
    assert labels[:MOST] == [f"m{n}" for n in range(MOST)]
    assert set(labels[MOST:]) == {OTHER}
    assert models.label("m0", proven=True) == "m0"
