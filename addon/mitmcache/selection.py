"""Which stored answers are meant: the words of `purge` and `ls`, and of what a purge leaves behind."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a stored answer without reading it. `created` in Unix seconds.

    `generation` is the newest purge that was known when its request began (see cache/generations.py).
    """

    provider: str = ""
    host: str = ""
    model: str = ""
    tags: tuple[str, ...] = ()
    created: float = 0.0
    generation: int = 0


UNKNOWN = About()


@dataclass(frozen=True, slots=True)
class Selection:
    """Every condition given must hold; none given selects everything.

    `model` is a shell glob, all else is compared as it is. `before`: created earlier than that Unix time.
    """

    provider: str | None = None
    host: str | None = None
    model: str | None = None
    tag: str | None = None
    key: str | None = None
    before: float | None = None

    def matches(self, key: str, about: About) -> bool:
        return (
            (self.key is None or key == self.key)
            and (self.provider is None or about.provider == self.provider)
            and (self.host is None or about.host == self.host)
            and (self.tag is None or self.tag in about.tags)
            and (self.before is None or about.created < self.before)
            and (self.model is None or fnmatchcase(about.model, self.model))
        )

    def as_json(self) -> dict[str, str | float]:
        """The conditions given, by name."""
        given = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in given if value is not None}

    @staticmethod
    def from_json(document: Mapping[str, object]) -> "Selection":
        """Raises ValueError for a condition that this version does not know, or of another type: to leave
        one out would select more."""
        kinds: dict[str, type | tuple[type, ...]] = {
            "provider": str,
            "host": str,
            "model": str,
            "tag": str,
            "key": str,
            "before": (int, float),
        }
        for name, value in document.items():
            if name not in kinds or not isinstance(value, kinds[name]) or isinstance(value, bool):
                raise ValueError(f"no such condition: {name!r}")
        return Selection(**document)  # type: ignore[arg-type]


EVERYTHING = Selection()
