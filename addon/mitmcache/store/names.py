"""What objects are called in the bucket, below the location's prefix.

    v1/entries/<provider>/<model>/<key>     a record
    v1/sealed/<hh>/<64 hex digits>          a record, sealed: of provider, model and key nothing is told
    v1/control/generations                  what has been purged, sealed or not

Provider and model are slugs: names that are safe in a path, which are the name itself wherever that is so.
"""

import hashlib
import re
from fnmatch import fnmatchcase
from typing import NamedTuple

from mitmcache.selection import About, Selection
from mitmcache.store.seal import Seal

CONTROL = "v1/control/generations"
ENTRIES = "v1/entries/"
SEALED = "v1/sealed/"
LONGEST = 64

_KEY = re.compile(r"[0-9a-f]{64}")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_MARKED = re.compile(r".*__[0-9a-f]{8}", re.DOTALL)
_KEPT = LONGEST - len("__") - 8
_NONE = "_"
_GLOB = re.compile(r"[*?\[]")


class Parts(NamedTuple):
    """What a name tells of its record. Provider and model are slugs."""

    provider: str
    model: str
    key: str


class Names:
    """With a seal for the sealed names, without one for the others."""

    __slots__ = ("_seal",)

    control = CONTROL

    def __init__(self, seal: Seal | None = None) -> None:
        self._seal = seal

    @property
    def root(self) -> str:
        """Every record's name begins with it."""
        return SEALED if self._seal else ENTRIES

    def entry(self, key: str, about: About) -> str:
        """Raises ValueError for what is no key."""
        if not is_key(key):
            raise ValueError("not a key")
        if self._seal is None:
            return f"{ENTRIES}{slug(about.provider)}/{slug(about.model)}/{key}"
        digest = self._seal.digest(key)
        return f"{SEALED}{digest[:2]}/{digest}"

    def is_entry(self, name: str) -> bool:
        """False for what is not ours, or of the other kind."""
        if self._seal is None:
            return self.parse(name) is not None
        start, _, digest = name.rpartition("/")
        return is_key(digest) and start == f"{SEALED}{digest[:2]}"

    def parse(self, name: str) -> Parts | None:
        """None also for a sealed name: it tells nothing."""
        if not name.startswith(ENTRIES):
            return None
        match name.removeprefix(ENTRIES).split("/"):
            case [provider, model, key] if is_key(key) and _is_slug(provider) and _is_slug(model):
                return Parts(provider, model, key)
        return None

    def prefix(self, selection: Selection) -> str:
        """Every record that is selected has a name that begins so."""
        if self._seal:
            return self.entry(selection.key, About()) if selection.key and is_key(selection.key) else SEALED
        if selection.provider is None:
            return ENTRIES
        provider = f"{ENTRIES}{slug(selection.provider)}/"
        if selection.model is None:
            return provider
        special = _GLOB.search(selection.model)
        if special is None:
            whole = f"{provider}{slug(selection.model)}/"
            return whole + (selection.key or "")
        literal = selection.model[: special.start()]
        # dots alone are no slug, and a longer start may have been cut
        return provider + _UNSAFE.sub("_", literal)[:_KEPT] if literal.strip(".") else provider

    def told(self, name: str, selection: Selection) -> bool | None:
        """Whether the record of a name is selected, `before` apart; None: the name alone does not say."""
        parts = self.parse(name)
        if self._seal:
            if selection.key is not None and name != self.prefix(Selection(key=selection.key)):
                return False
            given = (selection.provider, selection.model)
            answers = [None if condition is not None else True for condition in given]
        elif parts:
            answers = [selection.key in (None, parts.key), _provider(parts.provider, selection.provider)]
            answers.append(_model(parts.model, selection.model))
        else:
            return False
        answers += [None if condition is not None else True for condition in (selection.host, selection.tag)]
        return False if False in answers else None if None in answers else True


def slug(text: str) -> str:
    """At most 64 of [A-Za-z0-9._-], and never `.` or `..`. Different texts have different slugs: one that had
    to be changed ends in `__` and eight digits of its digest."""
    safe = _UNSAFE.sub("_", text)
    if safe == text and 0 < len(text) <= LONGEST and text.strip(".") and not _is_changed(text):
        return text
    if not text:
        return _NONE
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{safe[:_KEPT] if safe.strip('.') else '_'}__{digest}"


def _is_changed(safe: str) -> bool:
    """Whether a slug does not stand for itself."""
    return safe == _NONE or bool(_MARKED.fullmatch(safe))


def _is_slug(text: str) -> bool:
    return 0 < len(text) <= LONGEST and not _UNSAFE.search(text) and bool(text.strip("."))


def is_key(text: str) -> bool:
    return bool(_KEY.fullmatch(text))


def _provider(found: str, wanted: str | None) -> bool | None:
    if wanted is None:
        return True
    if slug(wanted) != found:
        return False
    return None if _MARKED.fullmatch(found) else True


def _model(found: str, wanted: str | None) -> bool | None:
    if wanted is None:
        return True
    if _MARKED.fullmatch(found):
        return False if not _GLOB.search(wanted) and slug(wanted) != found else None
    return fnmatchcase("" if found == _NONE else found, wanted)
