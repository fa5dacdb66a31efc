"""The producer's side of back-pressure, for a coroutine that writes content to a sink."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailer.interfaces.sink import IProducer

__all__ = ["Gate"]


@implementer(IProducer)
class Gate:
    """Given to ``IMessageSink.open``; what it held up goes on when the sink says so. For one coroutine at a time."""

    __slots__ = ("_closed",)

    def __init__(self) -> None:
        self._closed: Deferred[None] | None = None

    def pause(self) -> None:
        """See IProducer."""
        if self._closed is None:
            self._closed = Deferred()

    def resume(self) -> None:
        """See IProducer."""
        closed, self._closed = self._closed, None
        if closed is not None:
            closed.callback(None)

    async def opened(self) -> None:
        """Return when the sink wants more; at once if it does now."""
        if self._closed is not None:
            await self._closed
