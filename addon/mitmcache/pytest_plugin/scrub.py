"""Keeps secrets out of recordings: takes them out of the text, and finds what is left of them."""

import base64
import json
import re
from collections.abc import Mapping
from urllib.parse import quote

SHORTEST = 8
"""Characters; a shorter value may well stand in an answer by chance."""
REDACTED = b"REDACTED"
_SECRET = re.compile(
    r"(^|_)(KEY|APIKEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?)$|(^|_)SECRET_", re.IGNORECASE
)


def secrets(environ: Mapping[str, str], known: frozenset[str] = frozenset()) -> dict[str, str]:
    """Variables whose names say that they hold a secret, with their values. `known` are no secrets."""
    return {
        name: value
        for name, value in environ.items()
        if _SECRET.search(name) and len(value) >= SHORTEST and value not in known
    }


def scrubbed(data: bytes, values: Mapping[str, str]) -> bytes:
    """Text in which REDACTED stands for each secret. What is not UTF-8 comes back as it is: a change would
    break its framing."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return data
    for value in sorted(values.values(), key=len, reverse=True):
        for form in _text_forms(value):
            data = data.replace(form, REDACTED)
    return data


def found(data: bytes, values: Mapping[str, str]) -> list[str]:
    """The names of variables whose values are in there, as they are, escaped, or in base64."""
    return sorted(
        name
        for name, value in values.items()
        if any(
            form in data for form in (*_text_forms(value), *_base64_forms(value.encode("utf-8", "replace")))
        )
    )


def _text_forms(value: str) -> list[bytes]:
    forms = (
        value,
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        quote(value, safe=""),
    )
    return sorted({form.encode("utf-8", "replace") for form in forms}, key=len, reverse=True)


def _base64_forms(value: bytes) -> list[bytes]:
    """What a text that holds the value has in common in base64, whichever of its three alignments it has."""
    forms: list[bytes] = []
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + value)
        whole = (before + len(value)) // 3 * 4
        forms.append(encoded[(0, 2, 3)[before] : whole])
    return forms + [form.translate(bytes.maketrans(b"+/", b"-_")) for form in forms]
