import threading

import pytest

from mitmcache.threads import INLINE, run_for


@pytest.mark.parametrize(("size", "inline"), [(0, True), (INLINE, True), (INLINE + 1, False)])
async def test_what_takes_long_runs_in_a_thread(size: int, inline: bool) -> None:
    assert (await run_for(size, threading.current_thread) is threading.main_thread()) is inline


async def test_it_returns_and_raises_what_the_work_does() -> None:
    for size in (0, INLINE + 1):
        assert await run_for(size, int, "7", base=8) == 7
        with pytest.raises(ValueError, match="invalid literal"):
            await run_for(size, int, "x")
