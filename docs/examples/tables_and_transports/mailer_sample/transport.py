"""``archive DIRECTORY`` in master.cf: a message becomes the file ``DIRECTORY/NEXTHOP/QUEUE_ID.eml``.

Files are written on a thread, for a disk may be slow; a message that cannot be written completely leaves nothing behind and
is tried again later.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet.threads import deferToThreadPool
from zope.interface import implementer

from mailer.config.errors import ConfigError
from mailer.interfaces.transport import ITransport
from mailer.message.delivery import DeliveryRequest
from mailer.message.status import Fate, Outcome

__all__ = ["ArchiveTransport", "build"]


def build(argument: Sequence[str], context: Any) -> ArchiveTransport:
    """:param argument: the words behind the command in master.cf."""
    if len(argument) != 1:
        raise ConfigError("archive: expected one directory")
    return ArchiveTransport(Path(argument[0]), context.reactor)


@implementer(ITransport)
class ArchiveTransport:
    """:param reactor: has the threads."""

    def __init__(self, directory: Path, reactor: Any) -> None:
        self._directory = directory
        self._reactor = reactor

    async def deliver(self, request: DeliveryRequest, outcomes: Any) -> None:
        outcome = await self._outcome(request)
        for recipient in request.recipients:
            outcomes.tell(recipient, outcome)

    async def _outcome(self, request: DeliveryRequest) -> Outcome:
        """One fate for all recipients, for there is one file."""
        name = request.nexthop.replace("/", "_").lstrip(".")
        if not name:
            return self._refused(request)
        if request.probe:
            return Outcome(Fate.DELIVERABLE, "2.0.0", "can be archived", "archive")
        # Content that cannot be read raises a TemporaryError here, before anything is written.
        pieces = [piece async for piece in request.content.chunks()]
        header = f"Return-Path: <{request.envelope.sender}>\r\n".encode("utf-8", "surrogateescape")
        target = self._directory / name / f"{request.queue_id}.eml"
        try:
            await deferToThreadPool(
                self._reactor, self._reactor.getThreadPool(), self._write, target, [header, *pieces]
            )
        except OSError as error:
            return Outcome.deferred(f"cannot write {target}: {error.strerror}", "4.2.0", relay="archive")
        return Outcome.sent(f"archived as {target}", relay="archive", action="delivered")

    @staticmethod
    def _refused(request: DeliveryRequest) -> Outcome:
        fate = Fate.UNDELIVERABLE if request.probe else Fate.BOUNCED
        return Outcome(fate, "5.4.4", f"{request.nexthop!r} is no name for an archive", "archive")

    @staticmethod
    def _write(target: Path, pieces: list[bytes]) -> None:
        """In a thread. The name appears when everything is on the disk."""
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_suffix(".tmp")
        with open(unfinished, "wb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        os.rename(unfinished, target)

    async def stop(self) -> None:
        """There is nothing to give back."""
