from pathlib import Path

import pytest

from mitmcache.alerts.rules import Alerts
from mitmcache.cache.rules import Rule
from mitmcache.journal.rates import Rate
from mitmcache.policy_file import PolicyFile, read


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "policy.yaml"


def test_where_there_is_none_there_is_nothing_in_it() -> None:
    assert read("") == PolicyFile((), (), Alerts())


def test_an_empty_one_has_nothing_in_it(file: Path) -> None:
    file.write_text("# none yet\n")
    assert read(str(file)) == PolicyFile()


def test_rules_prices_and_alerts_stand_beside_each_other(file: Path) -> None:
    file.write_text(
        'rules:\n  - match: {model: "m-*"}\n    ttl: 7d\n  - skip: true\n'
        'prices:\n  - match: {model: "m-*"}\n    input: 0.5\n  - host: llm.example\n    like: azure\n'
        "alerts:\n  rules:\n    - when: store_down\n"
    )
    found = read(str(file))
    assert found.rules == (Rule(model="m-*", ttl=604800), Rule(skip=True))
    assert found.prices == (Rate(model="m-*", input=0.5), Rate(host="llm.example", like="azure"))
    assert [rule.name for rule in found.alerts.rules] == ["store_down"]


def test_a_list_is_the_rules(file: Path) -> None:
    file.write_text("- skip: true\n")
    assert read(str(file)) == PolicyFile((Rule(skip=True),))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(b"rules: [", "is not YAML", id="no YAML"),
        pytest.param(b"rules:\n  - skip: true\n    skip: false\n", "is not YAML", id="a key twice"),
        pytest.param(b"rules:\n  - ttl: soon\n", "rule 1: 'soon' is not a duration", id="a bad rule"),
        pytest.param(b"prices:\n  - input: dear\n", "price 1: input must be US dollars", id="a bad price"),
        pytest.param(b"price: []", "unknown field 'price'", id="a field that nobody knows"),
        pytest.param(b"alerts:\n  rule: []\n", "alerts: unknown field 'rule'", id="a bad alert"),
        pytest.param(b"? [1]\n: x\nrules: []", "unknown field", id="a key that is no text"),
    ],
)
def test_what_is_wrong_is_told_with_the_files_name(file: Path, text: bytes, told: str) -> None:
    file.write_bytes(text)
    with pytest.raises(ValueError) as caught:
        read(str(file))
    assert str(caught.value).startswith(str(file)) and told in str(caught.value)


def test_what_is_no_utf8_is_told(file: Path) -> None:
    file.write_bytes(b"\xff")
    with pytest.raises(ValueError, match="utf-8"):
        read(str(file))
