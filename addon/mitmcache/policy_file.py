"""The user's policy file, of which each section is somebody else's."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from mitmcache.alerts import rules as alerts
from mitmcache.alerts.rules import Alerts
from mitmcache.cache import rules
from mitmcache.cache.rules import Rule
from mitmcache.journal import rates
from mitmcache.journal.prices import LIKE
from mitmcache.journal.rates import Rate


class PolicyFile(NamedTuple):
    rules: tuple[Rule, ...] = ()
    prices: tuple[Rate, ...] = ()
    alerts: Alerts = Alerts()


def read(text: str) -> PolicyFile:
    """Of the file that `text` names; nothing where it names none. Raises OSError, and ValueError, which names
    the file, and in it the section and the field."""
    if not text:
        return PolicyFile()
    path = Path(text).expanduser()
    try:
        document = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except YAMLError as error:
        raise ValueError(f"{path} is not YAML: {error}") from None
    sections = document if isinstance(document, Mapping) else {}
    try:
        return PolicyFile(
            rules.parse(document),
            rates.parse(sections.get("prices"), frozenset(LIKE)),
            alerts.parse(sections.get("alerts")),
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
