import pytest

from mitmcache.cache.suspects import MOST_GROUPS, MOST_PATHS, SURE, Suspects

HOST, MODEL = "api.made.example", "m-1"


def suspects(*calls: list[str]) -> list[object]:
    """The paths under suspicion after these misses, each of which differs in these places."""
    made = Suspects()
    for changed in calls:
        made.note(HOST, MODEL, changed)
    return [each["path"] for each in made.as_json()]


def test_what_differs_on_every_call_is_a_suspect() -> None:
    assert suspects(*[["metadata.run", "messages[0].content"]] * SURE) == ["metadata.run"]


def test_a_few_calls_prove_nothing() -> None:
    assert suspects(*[["metadata.run"]] * (SURE - 1)) == []


def test_what_once_did_not_differ_is_none() -> None:
    calls = [["a", "b"]] * SURE
    assert suspects(*calls, ["b"], *calls) == ["b"]


def test_when_none_is_left_all_begins_anew() -> None:
    assert suspects(["a"], *[["b"]] * (SURE - 1)) == []
    assert suspects(["a"], *[["b"]] * SURE) == ["b"]


def test_an_element_is_any_element() -> None:
    assert suspects(*[[f"items[{number}].id"] for number in range(SURE)]) == ["items[*].id"]


@pytest.mark.parametrize(
    "place",
    [
        *("messages[3].content", "input", "input[2]", "contents[0].parts[1].text", "temperature"),
        *("header anthropic-beta", "path", "query", "custom", "raw", "body", "..."),
        *("a name with spaces", "file#0[0]"),
    ],
)
def test_what_is_asked_and_what_no_rule_can_name_is_none(place: str) -> None:
    found = suspects(*[[place, "trace"]] * SURE)
    assert found == ["trace"] or place == "file#0[0]"


def test_a_list_whose_elements_differ_is_one_as_a_whole() -> None:
    assert suspects(*[["tags[0]", "tags[1]"]] * SURE) == ["tags"]


def test_hosts_and_models_are_told_apart() -> None:
    made = Suspects()
    for _ in range(SURE):
        made.note(HOST, "m-1", ["a"])
        made.note(HOST, "m-2", ["b"])
    assert made.as_json() == [
        {"host": HOST, "model": "m-1", "path": "a", "misses": SURE},
        {"host": HOST, "model": "m-2", "path": "b", "misses": SURE},
    ]


def test_it_is_bounded() -> None:
    made = Suspects()
    for _ in range(SURE):
        for number in range(MOST_GROUPS + 10):
            made.note(HOST, f"m-{number}", [f"f{at}" for at in range(MOST_PATHS * 2)])
    assert made.as_json() == []
    for _ in range(SURE):
        made.note(HOST, "m", [f"f{at}" for at in range(MOST_PATHS * 2)])
    assert len(made.as_json()) == MOST_PATHS
