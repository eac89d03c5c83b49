"""A notice as Alertmanager's webhook JSON, version 4, so that what takes its messages takes ours."""

import hashlib
from datetime import UTC, datetime

import orjson

from mitmcache.alerts.watch import Notice

RECEIVER = "mitmcache"
NEVER = "0001-01-01T00:00:00Z"
"""Alertmanager's word for an alert that has not ended."""


def message(notice: Notice, now: float) -> bytes:
    """`now` in Unix seconds."""
    rule = notice.rule
    labels = {"alertname": rule.name, "when": rule.when.value, "service": "mitmcache"}
    notes = {"summary": notice.summary, "value": f"{notice.value:g}"}
    ended = now - notice.ended
    alert = {
        "status": notice.status,
        "labels": labels,
        "annotations": notes,
        "startsAt": _time(ended - notice.lasted),
        "endsAt": _time(ended) if notice.status == "resolved" else NEVER,
        "generatorURL": "",
        "fingerprint": hashlib.sha256(rule.name.encode()).hexdigest()[:16],
    }
    return orjson.dumps(
        {
            "version": "4",
            "groupKey": f'{{}}:{{alertname="{rule.name}"}}',
            "truncatedAlerts": 0,
            "status": notice.status,
            "receiver": RECEIVER,
            "groupLabels": {"alertname": rule.name},
            "commonLabels": labels,
            "commonAnnotations": notes,
            "externalURL": "",
            "alerts": [alert],
        }
    )


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
