from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitmcache.cache import generations
from mitmcache.cache.generations import MOST_PURGES, Generations, merge
from mitmcache.selection import EVERYTHING, About, Selection

KEY = "0123456789abcdef" * 4
OTHER = "f" * 64
NONE = Generations()

WORDS = st.sampled_from(["a", "b"])
SELECTIONS = st.builds(
    Selection,
    provider=st.none() | WORDS,
    model=st.none() | WORDS | st.just("*"),
    tag=st.none() | WORDS,
    key=st.none() | st.sampled_from([KEY, OTHER]),
    before=st.none() | st.integers(1, 4),
)
ABOUTS = st.builds(
    About,
    provider=WORDS,
    model=WORDS,
    tags=st.lists(WORDS, max_size=2).map(tuple),
    created=st.floats(0, 5),
    generation=st.integers(0, 9),
)
KEYS = st.sampled_from([KEY, OTHER])
ANY = st.builds(Generations, st.dictionaries(SELECTIONS, st.integers(1, 9), max_size=12), st.integers(0, 4))
FEW = 3  # purges that are remembered where the folding is looked at


@pytest.fixture(params=[FEW, MOST_PURGES], ids=["folding", "not folding"], autouse=True, scope="module")
def most(request: pytest.FixtureRequest) -> Any:
    with patch.object(generations, "MOST_PURGES", request.param):
        yield request.param


def purges(*made: tuple[Selection, int]) -> Generations:
    return Generations(dict(made))


@given(st.data(), st.lists(ANY, max_size=3), SELECTIONS, KEYS, ABOUTS, st.floats(0, 1))
def test_what_a_purge_selects_stays_purged_whatever_is_merged_and_folded(
    data: st.DataObject, others: list[Generations], selection: Selection, key: str, about: About, now: float
) -> None:
    known = data.draw(ANY)
    about = replace(about, generation=data.draw(st.integers(0, known.latest)))
    after = known.purged(selection, now)
    for other in others:
        after = data.draw(
            st.sampled_from(
                [merge(after, other), merge(other, after), merge(other, after.above(other.latest))]
            )
        )
        after = after.purged(data.draw(SELECTIONS), now)
        after = Generations.from_json(after.to_json())
    if selection.matches(key, about):
        assert not after.valid(key, about)


@given(ANY, SELECTIONS, KEYS, ABOUTS, st.floats(0, 1))
def test_a_record_that_knows_the_newest_purge_is_valid(
    known: Generations, selection: Selection, key: str, about: About, now: float
) -> None:
    after = known.purged(selection, now)
    assert after.latest > known.latest
    assert after.valid(key, replace(about, generation=after.latest))


@given(ANY, SELECTIONS, KEYS, ABOUTS, st.floats(0, 1))
def test_without_folding_a_purge_takes_nothing_else(
    known: Generations, selection: Selection, key: str, about: About, now: float
) -> None:
    with patch.object(generations, "MOST_PURGES", MOST_PURGES):
        after = Generations(known.purges, known.floor).purged(selection, now)
    if known.valid(key, about) and not selection.matches(key, about):
        assert after.valid(key, about)


@given(st.dictionaries(SELECTIONS, st.integers(1, 9), max_size=12), KEYS, ABOUTS)
def test_leaving_out_what_is_implied_changes_no_answer(
    made: dict[Selection, int], key: str, about: About
) -> None:
    with patch.object(generations, "MOST_PURGES", MOST_PURGES):
        tidy = Generations(made)
    expected = not any(n > about.generation and s.matches(key, about) for s, n in made.items())
    assert tidy.valid(key, about) is expected


@given(ANY, ANY, ANY)
def test_the_order_and_number_of_merges_do_not_matter(a: Generations, b: Generations, c: Generations) -> None:
    assert merge(a, b) == merge(b, a)
    assert merge(merge(a, b), c) == merge(a, merge(b, c))
    assert merge(a, a) == a == merge(a, NONE)
    assert merge(a, merge(a, b)) == merge(a, b)


@given(ANY)
def test_what_is_written_is_read(known: Generations) -> None:
    assert Generations.from_json(known.to_json()) == known


@given(ANY, ANY, KEYS, ABOUTS)
def test_purges_made_apart_can_be_put_above_all_others(
    shared: Generations, late: Generations, key: str, about: About
) -> None:
    about = replace(about, generation=min(about.generation, shared.latest))
    after = merge(shared, late.above(shared.latest))
    assert all(n > shared.latest for n in late.above(shared.latest).purges.values())
    assert merge(after, late) == after
    if not late.valid(key, replace(about, generation=0)):
        assert not after.valid(key, about)


@given(ANY, ANY)
def test_what_is_beyond_the_known_is_what_a_merge_adds(known: Generations, more: Generations) -> None:
    assert merge(known, more.beyond(known)) == merge(known, more)
    assert more.beyond(merge(known, more)) == NONE == more.beyond(more)
    assert more.beyond(NONE) == more


@given(ANY, SELECTIONS | st.just(EVERYTHING), st.floats(0, 1))
def test_a_purge_has_a_number(known: Generations, selection: Selection, now: float) -> None:
    after = known.purged(selection, now)
    assert after.number(selection) == after.latest


@given(ANY)
def test_it_never_grows_beyond_its_bounds(known: Generations) -> None:
    assert len(known.purges) <= 2 * generations.MOST_PURGES
    assert len({replace(s, before=None) for s in known.purges}) <= generations.MOST_PURGES
    assert known.latest == max([known.floor, *known.purges.values()])
    assert all(n > known.floor for n in known.purges.values())


M, T = Selection(model="m"), Selection(tag="t")
B7, B8 = replace(M, before=7), replace(M, before=8)
IMPLIED: list[tuple[str, Generations, Generations]] = [
    ("the same again", purges((M, 5)).purged(M, 0.009), purges((M, 9))),
    ("everything, newer", purges((M, 5)).purged(EVERYTHING, 0.009), Generations(floor=9)),
    ("everything, older", purges((EVERYTHING, 5), (M, 9)), Generations({M: 9}, 5)),
    ("an older before", purges((B7, 5), (B8, 9)), purges((B8, 9))),
    ("a before, of all", purges((B8, 5), (M, 9)), purges((M, 9))),
    ("a before of everything", purges((Selection(before=8), 5), (EVERYTHING, 9)), Generations(floor=9)),
]
KEPT: list[tuple[str, Generations]] = [
    ("a newer before of an older purge", purges((B8, 5), (B7, 9))),
    ("all, before a before", purges((M, 5), (B8, 9))),
    ("another condition", purges((M, 5), (T, 9))),
    ("everything before a time", purges((M, 5), (Selection(before=8), 9))),
]


@pytest.mark.parametrize(("made", "expected"), [pytest.param(*case[1:], id=case[0]) for case in IMPLIED])
def test_what_a_newer_purge_implies_is_forgotten(made: Generations, expected: Generations) -> None:
    assert made == expected


@pytest.mark.parametrize("made", [pytest.param(case[1], id=case[0]) for case in KEPT])
def test_what_is_not_implied_is_kept_with_the_newest_first(made: Generations) -> None:
    assert list(made.purges.values()) == [9, 5]


def test_beyond_the_limit_the_oldest_purges_become_the_floor(most: int) -> None:
    known = NONE
    for number in range(most + 2):
        known = known.purged(Selection(model=f"m{number}"), 1.0)
    assert (known.floor, len(known.purges), known.latest) == (1001, most, 1000 + most + 1)
    assert known.valid(KEY, About(model="other", generation=1001))
    assert not known.valid(KEY, About(model="other", generation=1000))


def test_purges_that_differ_in_before_alone_are_bounded_too(most: int) -> None:
    made = {Selection(model="m", before=10_000 - number): 1 + number for number in range(2 * most + 5)}
    known = Generations(made)
    assert (known.floor, len(known.purges)) == (5, 2 * most)


def test_a_purge_repeated_with_the_clock_leaves_one_behind() -> None:
    known = NONE
    for day in range(3 * FEW):
        known = known.purged(Selection(model="m", before=day * 86400), day * 86400 + 60)
    assert len(known.purges) == 1


@pytest.mark.parametrize(
    ("known", "now", "n"),
    [(NONE, 1.5, 1500), (Generations(floor=2000), 1.5, 2001), (purges((M, 1499)), 1.5, 1500)],
    ids=["the time in milliseconds", "a clock that is behind", "a clock that is ahead"],
)
def test_the_number_of_a_purge_is_beyond_all_known(known: Generations, now: float, n: int) -> None:
    assert known.purged(T, now).latest == n
