import orjson

from mitmcache.alerts.message import NEVER, message
from mitmcache.alerts.rules import Rule, When
from mitmcache.alerts.watch import Notice

RULE = Rule("bad", When.ERROR_RATIO, threshold=0.2, window=600.0, min_calls=20)
NOW = 1_800_000_000.0


def test_a_firing_alert_has_alertmanagers_form() -> None:
    told = orjson.loads(message(Notice(RULE, "firing", "all failed", 0.5, lasted=60.0), NOW))
    labels = {"alertname": "bad", "when": "error_ratio", "service": "mitmcache"}
    notes = {"summary": "all failed", "value": "0.5"}
    [alert] = told["alerts"]
    assert len(alert["fingerprint"]) == 16
    assert alert == {
        "status": "firing",
        "labels": labels,
        "annotations": notes,
        "startsAt": "2027-01-15T07:59:00.000Z",
        "endsAt": NEVER,
        "generatorURL": "",
        "fingerprint": alert["fingerprint"],
    }
    assert told == {
        "version": "4",
        "groupKey": '{}:{alertname="bad"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "mitmcache",
        "groupLabels": {"alertname": "bad"},
        "commonLabels": labels,
        "commonAnnotations": notes,
        "externalURL": "",
        "alerts": [alert],
    }


def test_one_that_is_over_says_from_when_to_when_it_was_and_is_known_as_the_same() -> None:
    fired = orjson.loads(message(Notice(RULE, "firing", "x", 0.5, lasted=0.0), NOW))
    over = orjson.loads(message(Notice(RULE, "resolved", "x", 0.0, lasted=60.0, ended=60.0), NOW))
    [alert] = over["alerts"]
    assert (alert["startsAt"], alert["endsAt"]) == ("2027-01-15T07:58:00.000Z", "2027-01-15T07:59:00.000Z")
    assert alert["fingerprint"] == fired["alerts"][0]["fingerprint"]
    assert over["groupKey"] == fired["groupKey"]
