"""The policy file: what is decided for applications that cannot send headers.

    rules:
      - match: {host: api.openai.com, model: "gpt-4o*", path: "/v1/embeddings", user: alice}
        ttl: 7d
      - match: {model: "*-search-*"}
        skip: true
      - match: {user: ci}
        tags: [ci, nightly]
      - match: {host: llm.corp.example}
        volatile: [metadata.run, "messages[*].id"]
        variants: 5

Every condition is a shell glob, and one left out is met by all. The first rule that matches decides.
`skip: false` looks up even what its request says is never to be cached (`store: true`, say). `volatile`
names fields of the body that do not count, `[*]` standing for every element of a list.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from mitmcache.cache.directives import MAX_TAG, MAX_TAGS, MAX_VARIANTS, is_tag, united
from mitmcache.cache.prune import path_of
from mitmcache.cache.scope import Scope
from mitmcache.units import duration

OTHERS = frozenset({"alerts", "prices"})
"""What else the file may hold, for others to read."""
CONDITIONS = ("host", "model", "path", "user")
SETTINGS = ("ttl", "skip", "scope", "tags", "volatile", "variants")
MAX_VOLATILE = 64
FORM = frozenset({"stream"})
"""Fields that decide on the form of the answer: who asked for one form must not get the other."""


@dataclass(frozen=True, slots=True)
class Rule:
    """None in a setting: the rule says nothing of it. `ttl` in seconds, `math.inf` for ever.

    `tags` are given to the answer beside the caller's own (see directives.py). `volatile` are paths as a
    dialect writes them.
    """

    host: str = "*"
    model: str = "*"
    path: str = "*"
    user: str = "*"
    ttl: float | None = None
    skip: bool | None = None
    scope: Scope | None = None
    tags: tuple[str, ...] = ()
    volatile: tuple[str, ...] = ()
    variants: int | None = None

    def matches(self, host: str, model: str, path: str, user: str) -> bool:
        return (
            fnmatchcase(host, self.host.lower())
            and fnmatchcase(model, self.model)
            and fnmatchcase(path, self.path)
            and fnmatchcase(user, self.user)
        )


EVERYTHING_DEFAULT = Rule()


def parse(document: Any) -> tuple[Rule, ...]:
    """The rules of a parsed YAML document. Raises ValueError that names the rule and the field."""
    entries = document.get("rules") if isinstance(document, Mapping) else document
    if isinstance(document, Mapping) and (unknown := sorted(set(document) - {"rules"} - OTHERS, key=str)):
        raise ValueError(f"unknown field {unknown[0]!r}; there are `rules:` and {', '.join(sorted(OTHERS))}")
    if entries is None:
        return ()
    if not isinstance(entries, list):
        raise ValueError("the file must hold a list of rules under `rules:`")
    return tuple(_rule(index, entry) for index, entry in enumerate(entries, 1))


def first(rules: tuple[Rule, ...], host: str, model: str, path: str, user: str) -> Rule:
    """The rule that decides; one that says nothing where none matches."""
    return next((rule for rule in rules if rule.matches(host, model, path, user)), EVERYTHING_DEFAULT)


def _rule(index: int, entry: Any) -> Rule:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("match", {}), Mapping):
        raise ValueError(f"rule {index}: must be a mapping with `match` and settings")
    match = dict(entry.get("match", {}))
    settings = {name: value for name, value in entry.items() if name != "match"}
    match |= {name: settings.pop(name) for name in CONDITIONS if name in settings}
    for known, given in ((CONDITIONS, match), (SETTINGS, settings)):
        if unknown := [name for name in given if name not in known]:
            raise ValueError(f"rule {index}: unknown field {unknown[0]!r}; known are {', '.join(known)}")
    for name, value in match.items():
        if not isinstance(value, str):
            raise ValueError(f"rule {index}: {name} must be text, a glob, not {value!r}")
    skip = settings.get("skip")
    if skip is not None and not isinstance(skip, bool):
        raise ValueError(f"rule {index}: skip must be true or false, not {skip!r}")
    try:
        ttl = duration(str(settings["ttl"])) if "ttl" in settings else None
        scope = Scope(settings["scope"]) if "scope" in settings else None
        tags = _tags(settings.get("tags"))
        volatile = _volatile(settings.get("volatile"))
        variants = _variants(settings.get("variants"))
    except ValueError as error:
        raise ValueError(f"rule {index}: {error}") from None
    return Rule(**match, ttl=ttl, skip=skip, scope=scope, tags=tags, volatile=volatile, variants=variants)


def _tags(given: Any) -> tuple[str, ...]:
    tags = [given] if isinstance(given, str) else given or []
    if not isinstance(tags, list) or not all(isinstance(tag, str) and is_tag(tag) for tag in tags):
        raise ValueError(f"tags must be visible characters without a comma, at most {MAX_TAG}, not {given!r}")
    if len(tags) > MAX_TAGS:
        raise ValueError(f"tags: at most {MAX_TAGS}")
    return united(tags)


def _volatile(given: Any) -> tuple[str, ...]:
    paths = [given] if isinstance(given, str) else given or []
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise ValueError(f"volatile must be a list of paths such as metadata.run, not {given!r}")
    if len(paths) > MAX_VOLATILE:
        raise ValueError(f"volatile: at most {MAX_VOLATILE} paths")
    if FORM.intersection(paths):
        raise ValueError("volatile: stream decides on the form of the answer, and always counts")
    try:
        return tuple(dict.fromkeys(map(path_of, paths)))
    except ValueError as error:
        raise ValueError(f"volatile: {error}") from None


def _variants(given: Any) -> int | None:
    if given is None:
        return None
    if not isinstance(given, int) or isinstance(given, bool) or not 1 <= given <= MAX_VARIANTS:
        raise ValueError(f"variants must be a number from 1 to {MAX_VARIANTS}, not {given!r}")
    return given
