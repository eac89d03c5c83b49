"""The board and the rules as files; addons/test_metrics.py knows whether what they ask for is exported."""

import pytest

from boards import board, board_queries, rule_queries, rules
from queries import labels_of, names_of

QUERIES = [
    ("a name alone", "mitmcache_a", {"mitmcache_a"}, set()),
    ("matchers", 'rate(mitmcache_a{x=~"y|mitmcache_b",z!="="}[5m])', {"mitmcache_a"}, {"x", "z"}),
    (
        "what is summed by",
        "sum by (p, q) (mitmcache_a) / on (r) mitmcache_b",
        {"mitmcache_a", "mitmcache_b"},
        {*"pqr"},
    ),
    ("what was recorded", "mitmcache:hit_ratio:rate5m < 0.5", {"mitmcache:hit_ratio:rate5m"}, set()),
]


@pytest.mark.parametrize(
    ("query", "names", "labels"), [pytest.param(*case[1:], id=case[0]) for case in QUERIES]
)
def test_what_a_query_asks_for(query: str, names: set[str], labels: set[str]) -> None:
    assert (names_of(query), labels_of(query)) == (names, labels)


def test_every_panel_asks_the_source_that_the_user_has_chosen() -> None:
    panels = [panel for panel in board()["panels"] if panel["type"] != "row"]
    sources = [each["datasource"] for panel in panels for each in (panel, *panel["targets"])]
    assert sources and all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)
    assert len({panel["id"] for panel in board()["panels"]}) == len(board()["panels"])


def test_no_variable_of_grafanas_is_left_in_a_query() -> None:
    assert board_queries() and not [query for query in board_queries().values() if "$" in query]


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in board()["panels"]:
        place = panel["gridPos"]
        across, down = (range(place[a], place[a] + place[b]) for a, b in (("x", "w"), ("y", "h")))
        cells = {(x, y) for x in across for y in down}
        assert max(across) < 24 and not taken & cells, panel["title"]
        taken |= cells


def test_an_alert_says_what_it_is_about_and_how_bad_it_is() -> None:
    alerts = [rule for rule in rules() if "alert" in rule]
    assert len(rule_queries()) == len(rules())
    assert all(rule["annotations"]["summary"] and rule["labels"]["severity"] for rule in alerts)
