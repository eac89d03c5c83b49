"""Secrets are known by their variables' names, taken out of text, and found in disguise."""

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitmcache.pytest_plugin import scrub

NAMES = [
    ("OPENAI_API_KEY", True),
    ("ANTHROPIC_APIKEY", True),
    ("AWS_SECRET_ACCESS_KEY", True),
    ("GITHUB_TOKEN", True),
    ("CLIENT_SECRET", True),
    ("secret_value", True),
    ("db_password", True),
    ("TOKENIZERS_PARALLELISM", False),
    ("KEYBOARD", False),
    ("MONKEY", False),
    ("HOME", False),
]


@pytest.mark.parametrize(("name", "secret"), NAMES)
def test_which_variables_hold_secrets(name: str, secret: bool) -> None:
    assert (name in scrub.secrets({name: "12345678"})) is secret


def test_what_is_short_or_known_is_no_secret() -> None:
    assert scrub.secrets({"A_KEY": "1234567", "B_KEY": "known-one"}, frozenset({"known-one"})) == {}


def test_the_longer_of_two_secrets_goes_whole() -> None:
    values = {"A_KEY": "12345678", "B_KEY": "12345678-and-more"}
    assert scrub.scrubbed(b"x 12345678-and-more y 12345678", values) == b"x REDACTED y REDACTED"


def test_what_is_no_text_is_left_alone_and_found() -> None:
    data = b"\xff\x00 12345678"
    assert scrub.scrubbed(data, {"A_KEY": "12345678"}) == data
    assert scrub.found(data, {"A_KEY": "12345678"}) == ["A_KEY"]


VALUES = st.text(st.characters(codec="utf-8"), min_size=scrub.SHORTEST)


@given(VALUES, st.binary(max_size=4), st.binary(max_size=4))
def test_a_secret_is_found_in_whatever_form(value: str, before: bytes, after: bytes) -> None:
    raw = value.encode()
    forms = [raw, json.dumps(value).encode(), quote(value, safe="").encode()]
    forms += [base64.b64encode(before + raw + after), base64.urlsafe_b64encode(before + raw + after)]
    assert [scrub.found(b"a" + form + b"z", {"X_KEY": value}) for form in forms] == [["X_KEY"]] * len(forms)


@given(st.text(st.sampled_from('abc+/="\\ é'), min_size=scrub.SHORTEST))
def test_json_stays_json(value: str) -> None:
    document = json.dumps({"text": f"Say {value}!"}).encode()
    told = json.loads(scrub.scrubbed(document, {"X_KEY": value}))
    assert value not in told["text"]
