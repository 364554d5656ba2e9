"""Requests that are answered together: in order, each with its own outcome, within bounds."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from mlrec.serve.pool import Pool, Together
from mlrec.serve.problems import Refusal


class Calls:
    """Doubles numbers, in calls that a test holds up."""

    def __init__(self) -> None:
        self.made: list[list[int]] = []
        self.may_go = threading.Event()

    def __call__(self, numbers: Sequence[int]) -> list[int | Exception]:
        self.made.append(list(numbers))
        assert self.may_go.wait(120)
        if 13 in numbers:
            raise OSError("the store is gone")
        return [ValueError(number) if number < 0 else 2 * number for number in numbers]


@contextmanager
def together(calls: Calls, *, threads: int = 2, seconds: float = 10, waiting: int = 50) -> Iterator[Together[int, int]]:
    pool = Pool("writing", threads, 50, seconds)
    try:
        yield Together("swipes", pool, calls, 4, waiting)
    finally:
        calls.may_go.set()
        pool.close()


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def within_a_minute() -> None:
        await asyncio.wait_for(test(), 60)

    asyncio.run(within_a_minute())


async def outcomes(*asked: Awaitable[int]) -> list[object]:
    return await asyncio.gather(*asked, return_exceptions=True)


async def begun(calls: Calls, n: int = 1) -> None:
    while len(calls.made) < n:
        await asyncio.sleep(0.01)


def test_those_that_come_meanwhile_share_the_next_call():
    calls = Calls()

    async def test() -> None:
        with together(calls) as doubled:
            first = asyncio.create_task(doubled.run(1))
            await begun(calls)
            others = [asyncio.create_task(doubled.run(number)) for number in (2, -3, 4, 5, 6, 7)]
            await asyncio.sleep(0.05)
            assert doubled.pending == 6
            calls.may_go.set()
            first_found, *found = await outcomes(first, *others)
            assert first_found == 2
            assert isinstance(found.pop(1), ValueError)
            assert found == [4, 8, 10, 12, 14]
            assert calls.made == [[1], [2, -3, 4, 5], [6, 7]]
            assert await doubled.run(8) == 16  # and so on after a pause

    run(test)


def test_a_call_that_fails_fails_for_all_of_its_requests_only():
    calls = Calls()

    async def test() -> None:
        with together(calls) as doubled:
            first = asyncio.create_task(doubled.run(1))
            await begun(calls)
            others = [asyncio.create_task(doubled.run(number)) for number in (2, 13, 4, 5, 6)]
            calls.may_go.set()
            await asyncio.sleep(0)
            found = await outcomes(first, *others)
            assert [type(one) for one in found] == [int, OSError, OSError, OSError, OSError, int]

    run(test)


def test_too_many_are_refused_at_once_and_slow_ones_in_time():
    calls = Calls()

    async def test() -> None:
        with together(calls, threads=1, seconds=2, waiting=3) as doubled:
            first = asyncio.create_task(doubled.run(1))
            await begun(calls)
            waiting = [asyncio.create_task(doubled.run(number)) for number in (2, 3, 4)]
            await asyncio.sleep(0.05)
            with pytest.raises(Refusal, match="Too many"):
                await doubled.run(5)
            found = await outcomes(first, *waiting)
            assert [type(one) for one in found] == [Refusal] * 4
            assert {one.status_code for one in found if isinstance(one, Refusal)} == {503}
            calls.may_go.set()
            assert await doubled.run(6) == 12
            assert [number for made in calls.made for number in made] == [1, 6]  # the others gave up before their call

    run(test)


def test_a_closed_pool_refuses_and_holds_no_place():
    async def test() -> None:
        pool = Pool("writing", 1, 5, 10)
        pool.close()
        with pytest.raises(Refusal, match="stopping"):
            await pool.run(lambda: 1)
        assert pool.pending == 0

    run(test)


def test_a_client_that_leaves_stops_nobody():
    calls = Calls()

    async def test() -> None:
        with together(calls) as doubled:
            first = asyncio.create_task(doubled.run(1))
            await begun(calls)
            gone, stays = (asyncio.create_task(doubled.run(number)) for number in (2, 3))
            await asyncio.sleep(0.05)
            gone.cancel()
            calls.may_go.set()
            assert await outcomes(first, stays) == [2, 6]

    run(test)
