"""The coroutine driver: parks, Deferreds, ends."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed

from mailer.net.driver import PARK, Driver


class Run:
    def __init__(self, coroutine: Any) -> None:
        self.ended: list[BaseException | None] = []
        self.driver = Driver(coroutine, self.ended.append)
        self.driver.resume()


def test_parks_until_resumed() -> None:
    steps = []

    async def work() -> None:
        for step in range(2):
            steps.append(step)
            await PARK

    run = Run(work())
    assert (steps, run.driver.parked, run.ended) == ([0], True, [])
    run.driver.resume()
    run.driver.resume()
    assert (steps, run.driver.parked, run.ended) == ([0, 1], False, [None])


def test_waits_for_deferreds_and_takes_their_result() -> None:
    waiting: Deferred[str] = Deferred()
    got = []

    async def work() -> None:
        got.append(await succeed("at once"))
        got.append(await waiting)

    run = Run(work())
    assert not run.driver.parked and got == ["at once"]
    waiting.callback("later")
    assert got == ["at once", "later"] and run.ended == [None]


def test_failures_are_raised_where_they_are_awaited() -> None:
    waiting: Deferred[str] = Deferred()
    caught = []

    async def work() -> None:
        for awaited in (fail(ValueError("now")), waiting):
            try:
                await awaited
            except ValueError as error:
                caught.append(str(error))

    run = Run(work())
    waiting.errback(ValueError("later"))
    assert caught == ["now", "later"] and run.ended == [None]


def test_coroutines_may_wait_inside_one_another() -> None:
    waiting: Deferred[int] = Deferred()

    async def inner() -> int:
        await PARK
        return await waiting

    got = []

    async def outer() -> None:
        got.append(await inner())

    run = Run(outer())
    run.driver.resume()
    waiting.callback(3)
    assert got == [3] and run.ended == [None]


def test_an_exception_ends_it() -> None:
    async def work() -> None:
        raise ValueError("wrong")

    run = Run(work())
    assert isinstance(run.ended[0], ValueError)
