import asyncio

from mitmcache.batches import Batches

DEADLINE = 60.0


class Worked:
    def __init__(self, pace: float = 60.0, most: int | None = None) -> None:
        self.got: list[list[int]] = []
        self.once = asyncio.Event()
        self.batches = Batches(self.work, pace, most)

    async def work(self, batch: list[int]) -> None:
        self.got.append(batch)
        self.once.set()

    def add(self, *items: int) -> None:
        self.batches.waiting.extend(items)
        self.batches.begin()


async def test_what_waits_is_worked_on_in_one_batch_and_in_order() -> None:
    worked = Worked()
    worked.add(1, 2)
    worked.add(3)
    await worked.batches.flush(DEADLINE)
    assert worked.got == [[1, 2, 3]] and worked.batches.working is None


async def test_it_is_worked_on_without_being_asked() -> None:
    worked = Worked(pace=0.01)
    worked.add(1)
    async with asyncio.timeout(DEADLINE):
        await worked.once.wait()
    assert worked.got == [[1]]


async def test_of_more_than_may_wait_the_first_are_forgotten() -> None:
    worked = Worked(most=2)
    worked.add(1, 2, 3)
    await worked.batches.flush(DEADLINE)
    assert worked.got == [[2, 3]]


async def test_where_nothing_waits_nothing_is_begun() -> None:
    worked = Worked()
    worked.batches.begin()
    await worked.batches.flush(DEADLINE)
    assert worked.got == [] and worked.batches.working is None
