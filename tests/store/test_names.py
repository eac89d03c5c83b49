from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitmcache.selection import EVERYTHING, About, Selection
from mitmcache.store.names import CONTROL, ENTRIES, LONGEST, SEALED, Names, Parts, slug
from mitmcache.store.seal import Seal

KEY = "0123456789abcdef" * 4
PLAIN = Names()
CLOSED = Names(Seal(b"a secret of the tests", "bucket"))
ALPHABET = "abAB019._-/ \0\u00e9\udc80*?[]~"
TEXTS = st.text(ALPHABET, max_size=6) | st.text(ALPHABET, min_size=60, max_size=70) | st.text(max_size=5)
GLOBS = TEXTS | st.builds(lambda a, b: a + "*" + b, TEXTS, TEXTS)

SLUGS: list[tuple[str, str, str]] = [
    ("a plain name is itself", "gpt-4o-2024-08-06", "gpt-4o-2024-08-06"),
    ("capitals stay", "Llama-3.1", "Llama-3.1"),
    ("a slash", "meta-llama/Llama-3", "meta-llama_Llama-3__94ea668b"),
    ("an underscore is another name than a slash", "meta-llama_Llama-3", "meta-llama_Llama-3"),
    ("none", "", "_"),
    ("what looks like none", "_", "___d2e2adf7"),
    ("a dot", ".", "___cdb4ee2a"),
    ("two dots", "..", "___5ec1f7e7"),
    ("a path upwards", "../../x", ".._.._x__9cdf6a50"),
    ("what looks like a changed one", "a__00000000", "a__00000000__de148b9a"),
    ("the longest", "m" * LONGEST, "m" * LONGEST),
    ("a longer one", "m" * 65, "m" * 54 + "__676fc2b5"),
]


@pytest.mark.parametrize(("text", "expected"), [pytest.param(*case[1:], id=case[0]) for case in SLUGS])
def test_a_name_in_a_path_is_this(text: str, expected: str) -> None:
    assert slug(text) == expected


@given(st.lists(TEXTS, unique=True, max_size=20))
def test_slugs_are_safe_in_a_path_and_distinct(texts: list[str]) -> None:
    slugs = [slug(text) for text in texts]
    assert len(set(slugs)) == len(texts)
    for made in slugs:
        assert 0 < len(made) <= LONGEST
        assert made.strip(".")
        assert all(letter.isascii() and (letter.isalnum() or letter in "._-") for letter in made)


ABOUTS = st.builds(About, provider=TEXTS, model=TEXTS)


@given(ABOUTS)
def test_the_name_of_a_record_is_read_again(about: About) -> None:
    name = PLAIN.entry(KEY, about)
    assert PLAIN.parse(name) == Parts(slug(about.provider), slug(about.model), KEY)
    assert PLAIN.is_entry(name)
    assert name.startswith(PLAIN.root)
    assert not CLOSED.is_entry(name)
    assert len(name) < 256


def test_a_sealed_name_tells_nothing() -> None:
    name = CLOSED.entry(KEY, About("openai", "h", "gpt-4o"))
    assert name == CLOSED.entry(KEY, About())
    start, hh, digest = name.removeprefix("v1/").split("/")
    assert (start, hh, len(digest)) == ("sealed", digest[:2], 64)
    assert KEY not in name
    assert CLOSED.is_entry(name)
    assert not PLAIN.is_entry(name)
    assert PLAIN.parse(name) is None


@pytest.mark.parametrize("key", ["", KEY[:-1], KEY.upper(), "../" * 20 + "abcd", KEY + "\n"])
@pytest.mark.parametrize("names", [PLAIN, CLOSED], ids=["plain", "sealed"])
def test_nothing_but_a_key_makes_a_name(names: Names, key: str) -> None:
    with pytest.raises(ValueError):
        names.entry(key, About())


@pytest.mark.parametrize(
    "name",
    [
        CONTROL,
        "v1/control/conditions",
        "",
        f"v1/entries/openai/{KEY}",
        f"v1/entries/a/b/c/{KEY}",
        f"v1/entries/a/../{KEY}",
        f"v1/entries//m/{KEY}",
        f"v1/entries/a/b c/{KEY}",
        f"v1/entries/a/b/{KEY.upper()}",
        f"v1/entries/a/b/{KEY}\n",
        f"v2/entries/a/b/{KEY}",
        f"v1/sealed/00/{KEY[1:]}",
        f"v1/sealed/ff/{KEY}",
        f"v1/sealed/{KEY}",
    ],
)
def test_what_is_not_ours_is_no_record(name: str) -> None:
    assert PLAIN.parse(name) is None
    assert not PLAIN.is_entry(name)
    assert not CLOSED.is_entry(name)
    assert PLAIN.told(name, EVERYTHING) is False


PREFIXES: list[tuple[str, Selection, str]] = [
    ("everything", EVERYTHING, ENTRIES),
    ("a provider", Selection(provider="openai"), f"{ENTRIES}openai/"),
    ("a model of any provider", Selection(model="gpt-4o"), ENTRIES),
    ("a model of a provider", Selection("openai", model="gpt-4o"), f"{ENTRIES}openai/gpt-4o/"),
    ("a glob", Selection("openai", model="gpt-4*-mini"), f"{ENTRIES}openai/gpt-4"),
    ("a glob from the start", Selection("openai", model="*mini"), f"{ENTRIES}openai/"),
    ("a glob of dots", Selection("openai", model=".*"), f"{ENTRIES}openai/"),
    ("a class", Selection("openai", model="gpt-[34]"), f"{ENTRIES}openai/gpt-"),
    ("a glob with a slash", Selection("hf", model="meta/*"), f"{ENTRIES}hf/meta_"),
    ("a long start", Selection("p", model="m" * 60 + "*"), f"{ENTRIES}p/{'m' * 54}"),
    ("a key alone", Selection(key=KEY), ENTRIES),
    ("a key of a model", Selection("openai", model="m", key=KEY), f"{ENTRIES}openai/m/{KEY}"),
    ("a tag", Selection(tag="t", host="h", before=1.0), ENTRIES),
]


@pytest.mark.parametrize(
    ("selection", "expected"), [pytest.param(*case[1:], id=case[0]) for case in PREFIXES]
)
def test_a_selection_is_looked_for_below(selection: Selection, expected: str) -> None:
    assert PLAIN.prefix(selection) == expected


def test_sealed_records_are_found_by_their_key_alone() -> None:
    assert CLOSED.prefix(Selection("openai", model="m")) == SEALED
    assert CLOSED.prefix(Selection("openai", key=KEY)) == CLOSED.entry(KEY, About())
    assert CLOSED.prefix(Selection(key="no key")) == SEALED
    assert CLOSED.told(CLOSED.entry(KEY, About()), Selection(key=KEY)) is True
    assert CLOSED.told(CLOSED.entry("f" * 64, About()), Selection(key=KEY)) is False
    assert CLOSED.told(CLOSED.entry(KEY, About()), Selection(key="no key")) is False
    assert CLOSED.told(CLOSED.entry(KEY, About()), Selection(model="*")) is None
    assert CLOSED.told(CLOSED.entry(KEY, About()), EVERYTHING) is True


SELECTIONS = st.builds(
    Selection,
    provider=st.none() | TEXTS,
    model=st.none() | GLOBS,
    key=st.none() | st.sampled_from([KEY, "f" * 64]),
    tag=st.none() | st.just("t"),
    host=st.none() | st.just("h"),
)


@given(st.data(), ABOUTS, SELECTIONS, st.sampled_from([PLAIN, CLOSED]))
def test_what_a_name_tells_is_right_and_below_the_prefix(
    data: st.DataObject, about: About, selection: Selection, names: Names
) -> None:
    if data.draw(st.booleans()):  # else hardly any would be selected
        selection = replace(selection, provider=about.provider)
    if data.draw(st.booleans()):
        selection = replace(selection, model=about.model[: data.draw(st.integers(0, 70))] + "*")
    if data.draw(st.booleans()):
        selection = replace(selection, model=about.model)
    about = replace(about, tags=("t",), host="h")
    name = names.entry(KEY, about)
    selected = selection.matches(KEY, about)
    assert names.told(name, selection) in (selected, None)
    assert name.startswith(names.prefix(selection)) or not selected


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection("openai", model="gpt-*"), True),
        (Selection("openai", model="gpt-4o"), True),
        (Selection("azure"), False),
        (Selection(model="o*"), False),
        (Selection(key=KEY), True),
        (Selection(key="f" * 64), False),
        (Selection("openai", tag="t"), None),
        (Selection("azure", tag="t"), False),
        (Selection(host="h"), None),
        (Selection(before=1.0), True),
    ],
    ids=str,
)
def test_a_plain_name_tells_provider_model_and_key(selection: Selection, expected: bool | None) -> None:
    assert PLAIN.told(PLAIN.entry(KEY, About("openai", model="gpt-4o")), selection) is expected


def test_a_changed_model_tells_only_what_it_is_not() -> None:
    name = PLAIN.entry(KEY, About("hf", model="meta/llama"))
    assert PLAIN.told(name, Selection(model="meta/llama")) is None
    assert PLAIN.told(name, Selection(model="meta/other")) is False
    assert PLAIN.told(name, Selection(model="meta/*")) is None
    assert PLAIN.told(PLAIN.entry(KEY, About("a/b")), Selection("a/b")) is None
    assert PLAIN.told(PLAIN.entry(KEY, About("a/b")), Selection("a/c")) is False
