"""What is collected for a moment and then worked on all at once, on the event loop."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress


class Batches[T]:
    """`work` gets what has been added, in order, at most every `pace` seconds, and must not raise.

    `most`: where more wait, the first of them are forgotten.
    """

    def __init__(
        self, work: Callable[[list[T]], Awaitable[None]], pace: float, most: int | None = None
    ) -> None:
        self._work = work
        self._pace = pace
        self._hurry = asyncio.Event()
        self.waiting: deque[T] = deque(maxlen=most)
        self.working: asyncio.Task[None] | None = None
        """There as long as anything waits or is worked on."""

    def begin(self) -> None:
        """To be said when something has been put into `waiting`. Returns at once."""
        if self.working is None and self.waiting:
            self.working = asyncio.create_task(self._go_on())

    async def flush(self, deadline: float) -> None:
        """Waits until all that waits has been worked on, at most `deadline` seconds."""
        if self.working:
            self._hurry.set()
            await asyncio.wait([self.working], timeout=deadline)
            self._hurry.clear()

    async def _go_on(self) -> None:
        try:
            while self.waiting:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._hurry.wait(), self._pace)
                batch = list(self.waiting)
                self.waiting.clear()
                await self._work(batch)
        finally:
            self.working = None
