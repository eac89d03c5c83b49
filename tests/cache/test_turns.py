from mitmcache.cache.turns import LEASE, Turns


def unknown(turns: Turns, variants: int = 3, now: float = 0.0) -> list[int]:
    return list(turns.unknown(variants, now))


def test_at_first_nothing_is_known() -> None:
    assert unknown(Turns()) == [0, 1, 2]
    assert Turns().next(3) is None


def test_what_is_stored_or_being_made_is_not_asked_for_again() -> None:
    turns = Turns()
    turns.stored(0)
    turns.take(1, 0.0)
    assert unknown(turns) == [2]
    turns.release(1)
    assert unknown(turns) == [1, 2]


def test_one_found_while_they_are_gone_through_does_not_hide_the_next() -> None:
    turns = Turns()
    seen = []
    for number in turns.unknown(3, 0.0):
        seen.append(number)
        turns.stored(number)
    assert (seen, unknown(turns)) == ([0, 1, 2], [])


def test_who_never_comes_back_does_not_keep_one_for_ever() -> None:
    turns = Turns()
    turns.take(0, 0.0)
    assert unknown(turns, now=LEASE - 1) == [1, 2]
    assert unknown(turns, now=LEASE) == [0, 1, 2]


def test_the_stored_ones_take_turns() -> None:
    turns = Turns()
    for number in (2, 0, 1, 7):
        turns.stored(number)
    assert [turns.next(3) for _ in range(5)] == [0, 1, 2, 0, 1]


def test_one_that_is_made_anew_has_no_turn() -> None:
    turns = Turns()
    turns.stored(0)
    turns.stored(1)
    turns.take(0, 0.0)
    assert [turns.next(2) for _ in range(2)] == [1, 1]


def test_for_whom_none_is_left_there_is_the_first_taken() -> None:
    turns = Turns()
    assert turns.shared(3) is None
    for number in (5, 2, 1):
        turns.take(number, 0.0)
    assert turns.shared(3) == 2


def test_after_a_loss_all_are_looked_for_again() -> None:
    turns = Turns()
    turns.stored(0)
    turns.stored(1)
    turns.lost()
    assert unknown(turns) == [0, 1, 2]


def test_they_are_made_anew_in_turns() -> None:
    turns = Turns()
    assert [turns.any(2) for _ in range(3)] == [0, 1, 0]
