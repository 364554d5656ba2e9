"""Threads for calls of the library: bounded in number, in queue and in time.

Calls that read and calls that write have a pool each, so that writers who wait for the store do not stop readers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from mlrec.serve.problems import Refusal

T = TypeVar("T")


class Pool:
    """Runs calls in threads.

    Parameters
    ----------
    name
        What the calls do, for messages and for the names of the threads.
    threads
        How many calls run at the same time.
    waiting
        How many more may wait. Whoever comes then is refused at once.
    seconds
        How long a request waits for its call. A call that has not begun by then never begins. One that runs goes on in
        its thread, which no other call gets before it ends.
    """

    def __init__(self, name: str, threads: int, waiting: int, seconds: float) -> None:
        self.name = name
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=f"mlrec-{name}")
        self._most = threads + waiting
        self._seconds = seconds
        self.pending = 0

    async def run(self, call: Callable[[], T]) -> T:
        """Run a call in a thread and return its result.

        Raises
        ------
        Refusal
            With status 503, if too many calls wait already, or the call takes too long.
        """
        if self.pending >= self._most:
            raise self._refusal("Too many requests wait for the store of swipes.")
        self.pending += 1
        loop = asyncio.get_running_loop()
        future = self._executor.submit(call)
        # The place is taken until the thread is free again, whether or not anybody still waits for the result.
        future.add_done_callback(lambda _: self._leave(loop))
        wrapped = asyncio.wrap_future(future)
        done, _ = await asyncio.wait({wrapped}, timeout=self._seconds)
        if not done:
            future.cancel()
            wrapped.add_done_callback(_look_at)
            raise self._refusal("The store of swipes did not answer in time. The request may have been carried out.")
        return wrapped.result()

    def _leave(self, loop: asyncio.AbstractEventLoop) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._left)

    def _left(self) -> None:
        self.pending -= 1

    def _refusal(self, detail: str) -> Refusal:
        hint = "Send the same request again, a swipe or an undo with the same event_id."
        return Refusal(503, detail, hint, {"Retry-After": "1"})

    def close(self) -> None:
        """Take no more calls. Those that wait are dropped; those that run go on."""
        self._executor.shutdown(wait=False, cancel_futures=True)


def _look_at(future: asyncio.Future[T]) -> None:
    """Take note of the outcome of a call that nobody waits for: asyncio complains of errors that nobody has seen."""
    if not future.cancelled():
        future.exception()
