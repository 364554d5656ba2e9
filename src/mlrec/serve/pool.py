"""Threads for calls of the library: bounded in number, in queue and in time.

Calls that read and calls that write have a pool each, so that writers who wait for the store do not stop readers.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Generic, TypeVar

from mlrec.serve.problems import Refusal

T = TypeVar("T")
Asked = TypeVar("Asked")


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
        self.seconds = seconds
        self.pending = 0

    async def run(self, call: Callable[[], T]) -> T:
        """Run a call in a thread and return its result.

        Raises
        ------
        Refusal
            With status 503, if too many calls wait already, or the call takes too long.
        """
        if self.pending >= self._most:
            raise too_many()
        loop = asyncio.get_running_loop()
        try:
            future = self._executor.submit(call)
        except RuntimeError:
            raise _refusal("The service is stopping.") from None
        self.pending += 1
        # The place is taken until the thread is free again, whether or not anybody still waits for the result.
        future.add_done_callback(lambda _: self._leave(loop))
        wrapped = asyncio.wrap_future(future)
        done, _ = await asyncio.wait({wrapped}, timeout=self.seconds)
        if not done:
            future.cancel()
            wrapped.add_done_callback(_look_at)
            raise too_slow()
        return wrapped.result()

    def _leave(self, loop: asyncio.AbstractEventLoop) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._left)

    def _left(self) -> None:
        self.pending -= 1

    def close(self) -> None:
        """Take no more calls. Those that wait are dropped; those that run go on."""
        self._executor.shutdown(wait=False, cancel_futures=True)


class Together(Generic[Asked, T]):
    """Answers requests of one kind together: while one call runs in a pool, those that come wait for the next.

    Parameters
    ----------
    name
        What the requests are.
    pool
        Where the calls run. The next one begins when the former has ended, or has taken too long.
    call
        Takes some requests, and returns the result or the error of each, in their order. If it raises, that is the
        error of all.
    most
        How many requests one call takes.
    waiting
        How many may wait. Whoever comes then is refused at once.
    """

    def __init__(
        self,
        name: str,
        pool: Pool,
        call: Callable[[Sequence[Asked]], Sequence[T | Exception]],
        most: int,
        waiting: int,
    ) -> None:
        self.name = name
        self._pool, self._call, self._most, self._longest = pool, call, most, waiting
        self._waiting: deque[tuple[Asked, asyncio.Future[T]]] = deque()
        self._task: asyncio.Task[None] | None = None

    @property
    def pending(self) -> int:
        """How many requests wait."""
        return len(self._waiting)

    async def run(self, asked: Asked) -> T:
        """Answer one request.

        Raises
        ------
        Refusal
            With status 503, if too many wait already, or the answer takes too long. A request whose call has not begun
            by then is never carried out.
        """
        if len(self._waiting) >= self._longest:
            raise too_many()
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        future.add_done_callback(_look_at)
        waiting = asked, future
        self._waiting.append(waiting)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._answer_all())
        done, _ = await asyncio.wait({future}, timeout=self._pool.seconds)
        if not done:
            future.cancel()
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            raise too_slow()
        return future.result()

    async def _answer_all(self) -> None:
        while self._waiting:
            taken = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
            try:
                found = await self._pool.run(partial(self._carried_out, taken))
            except Exception as error:
                found = [(future, error) for _, future in taken]
            for future, one in found:
                if future.done():  # nobody waits for it any more
                    continue
                if isinstance(one, Exception):
                    future.set_exception(one)
                else:
                    future.set_result(one)

    def _carried_out(
        self, taken: Sequence[tuple[Asked, asyncio.Future[T]]]
    ) -> list[tuple[asyncio.Future[T], T | Exception]]:
        """In a thread: carry out the requests that somebody still waits for."""
        wanted = [(asked, future) for asked, future in taken if not future.done()]
        found = self._call([asked for asked, _ in wanted]) if wanted else []
        return [(future, one) for (_, future), one in zip(wanted, found, strict=True)]


def too_many() -> Refusal:
    """The answer if too many requests wait."""
    return _refusal("Too many requests wait for the store of swipes.")


def too_slow() -> Refusal:
    """The answer to a request that has waited too long."""
    return _refusal("The store of swipes did not answer in time. The request may have been carried out.")


def _refusal(detail: str) -> Refusal:
    hint = "Send the same request again, a swipe or an undo with the same event_id."
    return Refusal(503, detail, hint, {"Retry-After": "1"})


def _look_at(future: asyncio.Future[T]) -> None:
    """Take note of the outcome of a call that nobody may wait for: asyncio complains of errors that nobody has seen."""
    if not future.cancelled():
        future.exception()
