import asyncio

from mitmcache.cache.shape import Near
from mitmcache.cache.suspects import SURE
from mitmcache.misses import Misses
from mitmcache.store.base import StoreError
from mitmcache.store.misses import KEPT, Miss

NEAR = Near("b" * 64, ["trace", "messages[0].content"], ("trace",))
DEADLINE = 60.0


class Shelf:
    """A disk that keeps what it is given, in the batches in which it comes."""

    def __init__(self) -> None:
        self.batches: list[list[Miss]] = []
        self.fails = False
        self.written = asyncio.Event()

    async def note(self, missed: list[Miss]) -> None:
        if self.fails:
            raise StoreError("full")
        self.batches.append(missed)
        self.written.set()


def note(noted: Misses, number: int = 0, near: Near | None = NEAR) -> None:
    noted.note(1000.0 + number, f"{number:064x}", "api.made.example", "m-1", "uri-miss", near)


async def test_what_was_noted_is_written_in_one_go() -> None:
    noted, shelf = Misses(), Shelf()
    noted.disk = shelf
    for number in range(3):
        note(noted, number, NEAR if number else None)
    await noted.flush(DEADLINE)
    [batch] = shelf.batches
    assert batch[0] == Miss(1000.0, "0" * 64, "api.made.example", "m-1", "uri-miss")
    assert batch[2] == Miss(
        1002.0, f"{2:064x}", "api.made.example", "m-1", "uri-miss", NEAR.key, tuple(NEAR.places)
    )


async def test_it_is_written_without_being_asked() -> None:
    noted, shelf = Misses(), Shelf()
    noted.disk = shelf
    note(noted)
    async with asyncio.timeout(DEADLINE):
        await shelf.written.wait()
    assert len(shelf.batches) == 1


async def test_no_more_wait_than_are_kept() -> None:
    noted, shelf = Misses(), Shelf()
    noted.disk = shelf
    for number in range(KEPT + 5):
        note(noted, number)
    await noted.flush(DEADLINE)
    assert [len(batch) for batch in shelf.batches] == [KEPT]


async def test_a_disk_that_fails_is_given_the_next_ones() -> None:
    noted, shelf = Misses(), Shelf()
    noted.disk, shelf.fails = shelf, True
    note(noted)
    await noted.flush(DEADLINE)
    shelf.fails = False
    note(noted, 1)
    await noted.flush(DEADLINE)
    assert [miss.at for batch in shelf.batches for miss in batch] == [1001.0]


async def test_without_a_disk_it_still_finds_suspects() -> None:
    noted = Misses()
    for number in range(SURE):
        note(noted, number)
    await noted.flush(DEADLINE)
    assert [each["path"] for each in noted.suspects.as_json()] == ["trace"]


async def test_a_call_that_would_have_hit_says_nothing_of_fields() -> None:
    noted = Misses()
    for number in range(SURE):
        note(noted, number, Near("b" * 64, []))
        note(noted, number, None)
        note(noted, number)
    assert [each["misses"] for each in noted.suspects.as_json()] == [SURE]
