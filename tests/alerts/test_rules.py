import math
from typing import Any

import pytest

from mitmcache.alerts.rules import LASTING, MIN_CALLS, MOST, REPEAT, Alerts, Rule, When, parse

HOOK = "https://alerts.example:8443/hook?token=x"
RULES = [
    (
        "spending",
        {"when": "spend_per_hour", "above": 20},
        Rule("spend_per_hour", When.SPEND_PER_HOUR, threshold=20.0, window=3600.0),
    ),
    (
        "errors",
        {"name": "bad", "when": "error_ratio", "above": 0.2, "window": "5m", "min_calls": 7},
        Rule("bad", When.ERROR_RATIO, threshold=0.2, window=300.0, min_calls=7),
    ),
    (
        "hits",
        {"when": "hit_ratio", "below": 1},
        Rule("hit_ratio", When.HIT_RATIO, threshold=1.0, window=3600.0, min_calls=MIN_CALLS),
    ),
    ("a store", {"when": "store_down"}, Rule("store_down", When.STORE_DOWN, lasting=LASTING)),
    ("a store, soon", {"when": "store_down", "for": "5s"}, Rule("store_down", When.STORE_DOWN, lasting=5.0)),
]


@pytest.mark.parametrize(("entry", "rule"), [pytest.param(*case[1:], id=case[0]) for case in RULES])
def test_a_rule_is_read(entry: dict[str, Any], rule: Rule) -> None:
    assert parse({"rules": [entry]}) == Alerts((rule,))


def test_nothing_is_no_alerts() -> None:
    assert parse(None) == parse({}) == parse({"rules": None}) == Alerts((), "", REPEAT)


def test_webhook_and_repeat_are_read_and_the_webhook_is_not_shown() -> None:
    found = parse({"webhook": HOOK, "repeat": "30m"})
    assert (found.webhook, found.repeat) == (HOOK, 1800.0)
    assert "alerts.example" not in repr(found)
    assert parse({"repeat": 0}).repeat == math.inf


ERRORS = {"when": "error_ratio", "above": 0.2}
WRONG = [
    ("a list", [], "alerts: must be a mapping"),
    ("an unknown field", {"webhok": HOOK}, "alerts: unknown field 'webhok'"),
    ("rules that are none", {"rules": {"when": "store_down"}}, "alerts: rules must be a list"),
    ("too many rules", {"rules": [ERRORS] * (MOST + 1)}, f"at most {MOST}"),
    ("two of one name", {"rules": [ERRORS, ERRORS]}, "two rules have the name 'error_ratio'"),
    ("a repeat that is no time", {"repeat": "often"}, "alerts: repeat: 'often'"),
    ("a rule that is none", {"rules": [ERRORS, "x"]}, "alerts: rule 2: must be a mapping"),
    ("nothing to look at", {"rules": [{"above": 1}]}, "rule 1: when must be one of spend_per_hour"),
    ("something else to look at", {"rules": [{"when": []}]}, "rule 1: when must be one of"),
    ("another rule's field", {"rules": [{**ERRORS, "below": 1}]}, "rule 1: unknown field 'below'"),
    ("no threshold", {"rules": [{"when": "hit_ratio"}]}, "rule 1: below must be a number from 0 to 1"),
    ("a ratio above 1", {"rules": [{**ERRORS, "above": 20}]}, "above must be a number from 0 to 1, not 20"),
    ("a threshold of truth", {"rules": [{**ERRORS, "above": True}]}, "above must be a number"),
    ("endless spending", {"rules": [{"when": "spend_per_hour", "above": math.inf}]}, "above must be dollars"),
    ("negative spending", {"rules": [{"when": "spend_per_hour", "above": -1}]}, "above must be dollars"),
    ("no number", {"rules": [{**ERRORS, "above": math.nan}]}, "above must be"),
    ("an endless window", {"rules": [{**ERRORS, "window": 0}]}, "window must be from 10s to 24h"),
    ("a short window", {"rules": [{**ERRORS, "window": "1s"}]}, "window must be from 10s to 24h"),
    ("a window that is no time", {"rules": [{**ERRORS, "window": "x"}]}, "rule 1: window: 'x' is not"),
    ("no calls", {"rules": [{**ERRORS, "min_calls": 0}]}, "min_calls must be a number from 1"),
    ("calls that are text", {"rules": [{**ERRORS, "min_calls": "9"}]}, "min_calls must be"),
    ("a name with a line break", {"rules": [{**ERRORS, "name": "a\nb"}]}, "rule 1: name must be"),
    ("an endless for", {"rules": [{"when": "store_down", "for": 0}]}, "for must be from 0s to 24h"),
    ("a webhook that is no URL", {"webhook": "secret"}, "webhook must be a URL"),
    ("a webhook that is a list", {"webhook": ["x"]}, "webhook must be a URL"),
    ("a webhook by mail", {"webhook": "mailto:secret@x.example"}, "webhook must be a URL"),
    ("a webhook at no port", {"webhook": "https://x.example:secret/"}, "webhook must be a URL"),
    ("a webhook of two lines", {"webhook": "https://x.example/secret\r\nX: y"}, "webhook must be a URL"),
]


@pytest.mark.parametrize(("section", "told"), [pytest.param(*case[1:], id=case[0]) for case in WRONG])
def test_what_is_wrong_is_told_with_its_field(section: Any, told: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse(section)
    assert told in str(caught.value) and str(caught.value).startswith("alerts: ")
    assert "secret" not in str(caught.value)
