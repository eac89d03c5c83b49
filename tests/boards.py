"""What the Grafana board and the rules for Prometheus ask."""

import json
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

FOLDER = Path(__file__).parents[1] / "addon" / "mitmcache" / "grafana"
BOARD = FOLDER / "mitmcache.json"
RULES = FOLDER / "mitmcache.rules.yaml"


def board() -> Any:
    return json.loads(BOARD.read_text(encoding="utf-8"))


def rules() -> list[dict[str, Any]]:
    document = YAML(typ="safe", pure=True).load(RULES.read_text(encoding="utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def board_queries(interval: str = "5m", span: str = "1h") -> dict[str, str]:
    """By the panel's title and the target's letter, with Grafana's variables filled in."""
    found: dict[str, str] = {}
    for panel in board()["panels"]:
        for target in panel.get("targets", []):
            text = target["expr"].replace("$__rate_interval", interval).replace("$__range", span)
            found[f"{panel['title']} {target['refId']}"] = text.replace("$instance", ".*")
    return found


def rule_queries() -> dict[str, str]:
    return {rule.get("alert") or rule["record"]: rule["expr"] for rule in rules()}
