"""What stands between the core and other people's plug-ins: whatever they do costs a temporary failure, and has their name.

A plug-in that raises, takes longer than it may, or holds up the reactor is told in the log by name. One that holds up the
reactor for longer than plugin_block_time_limit is interrupted where it is. Plug-ins of this distribution are trusted and
called directly.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred

from mailer.config.errors import ConfigError
from mailer.message.status import MailError, TemporaryError
from mailer.plugins.timelimit import Overrun, within_wall

__all__ = ["Guard", "build", "describe", "ours"]

#: Seconds after which holding up the reactor is told, and between two such reports about one plug-in.
_NOTICED = 0.05
_REPORTS = 60.0


def ours(factory: Any) -> bool:
    """Whether a plug-in comes with this distribution."""
    return str(getattr(factory, "factory", type(factory).__module__)).startswith("mailer.")


def describe(factory: Any) -> str:
    """Whose it is, for messages."""
    return f"plug-in {getattr(factory, 'factory', type(factory).__module__)}"


def build(factory: Any, argument: Any, context: Any, noun: str) -> Any:
    """What the factory makes. :raise ConfigError: whatever went wrong."""
    limit = 30.0  # at start much may have to be read, but somebody waits for it
    try:
        return within_wall(limit, factory.build, argument, context)
    except ConfigError:
        raise
    except Overrun:
        raise ConfigError(f"{noun} ({describe(factory)}): not ready within {limit:g} seconds") from None
    except Exception as error:
        raise ConfigError(f"{noun} ({describe(factory)}): {_told(error)}") from error


class Guard:
    """:param name: what the plug-in's object is called in the log. :param limit: seconds for one run."""

    def __init__(self, name: str, limit: float, context: Any) -> None:
        self._name = name
        self._limit = limit
        self._block = context.settings.plugin_block_time_limit
        self._reactor = context.reactor
        self._log = context.log
        self._again = 0.0

    async def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a plug-in's coroutine to its end. :raise MailError: its own, or a TemporaryError for all else."""
        try:
            awaited = self._step(coroutine.send, None)
        except StopIteration as finished:
            return finished.value
        inner = Deferred.fromCoroutine(self._rest(coroutine, awaited))
        outer: Deferred[Any] = Deferred(lambda cancelled: inner.cancel())

        def ended(result: Any) -> None:
            if not outer.called:
                outer.callback(result)  # a Failure starts the errback chain

        def expired() -> None:
            if not outer.called:
                outer.errback(self.fault(f"no result within {self._limit:g} seconds"))
            inner.cancel()

        timer = self._reactor.callLater(self._limit, expired)
        inner.addBoth(ended)
        try:
            return await outer
        finally:
            if timer.active():
                timer.cancel()

    def fault(self, reason: str) -> TemporaryError:
        """Say what is wrong with the plug-in. :return: what its caller gets."""
        self._log.error(f"{self._name}: {reason}")
        return TemporaryError(f"{self._name}: {reason}")

    async def _rest(self, coroutine: Coroutine[Any, Any, Any], awaited: Any) -> Any:
        while isinstance(awaited, Deferred):
            try:
                value: Any = await awaited
                resume: Callable[[Any], Any] = coroutine.send
            except Exception as error:
                value, resume = error, coroutine.throw
            try:
                awaited = self._step(resume, value)
            except StopIteration as finished:
                return finished.value
        coroutine.close()
        raise self.fault(f"awaits {awaited!r}, which is no Deferred")

    def _step(self, resume: Callable[[Any], Any], value: Any) -> Any:
        """Let it run until it waits. :raise StopIteration: it has ended."""
        began = time.perf_counter()
        try:
            return within_wall(self._block, resume, value)
        except (StopIteration, MailError):
            raise
        except Overrun:
            raise self.fault(f"held up the reactor for more than {self._block:g} seconds and was interrupted") from None
        except Exception as error:
            if isinstance(value, Exception) and error is value:
                raise  # somebody gave up waiting, and it let that pass
            raise self.fault(_told(error)) from error
        finally:
            held = time.perf_counter() - began
            if held > _NOTICED:
                self._slow(held)

    def _slow(self, held: float) -> None:
        now = self._reactor.seconds()
        if now >= self._again:
            self._again = now + _REPORTS
            self._log.warning(f"{self._name}: held up the reactor for {held:.2f} seconds")


def _told(error: Exception) -> str:
    where = traceback.extract_tb(error.__traceback__)[-1]
    text = " ".join(str(error).split()) or "no more is known"
    return f"{type(error).__name__}: {text} ({where.filename}, line {where.lineno})"
