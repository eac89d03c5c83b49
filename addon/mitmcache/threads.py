"""Keeps the event loop free: what takes long runs in a thread, what does not is not worth one."""

import asyncio
from collections.abc import Callable

INLINE = 256 * 1024
"""Bytes that are parsed, decoded or digested on the loop, in a millisecond or so."""


async def run_for[**P, T](size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `work` returns, which has `size` bytes to do with."""
    if size <= INLINE:
        return work(*args, **kwargs)
    return await asyncio.to_thread(work, *args, **kwargs)
