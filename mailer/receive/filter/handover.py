"""A message on its way through the before-queue content filter, in the place of the queue's writer.

Each command of the client is said to the filter in its own words, and the filter's reply is the client's. With
``speed_adjust`` all is kept until the message is complete; the filter then hears it at once, and is held up by nobody.
"""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

from mailer.receive.filter.filter import UNWRITABLE, BeforeQueueFilter, FilterRefused
from mailer.wire.smtp.replies import PeerReply
from mailer.wire.smtp.stuffing import Stuffer

if TYPE_CHECKING:
    from mailer.receive.filter.connection import FilterConnection
    from mailer.receive.session import SmtpSession

__all__ = ["Handover"]

_IN_MEMORY = 1 << 20
_PIECE = 1 << 16


class Handover:
    """``queue_id`` is always empty: the message has none here.

    :param mail: the client's MAIL command.
    """

    queue_id = ""

    def __init__(self, through: BeforeQueueFilter, session: SmtpSession, mail: str) -> None:
        self._filter = through
        self._session = session
        self._mail = mail
        self._connection: FilterConnection | None = None
        self._stuffer = Stuffer()
        self._commands: list[tuple[str, int]] = []
        self._kept: Any = None
        self._broken = ""
        self._held_up = False

    async def open(self) -> None:
        """:raise FilterRefused: the filter does not want it."""
        if not self._filter.delayed:
            self._connection = await self._filter.open(self._session, self._mail)

    async def command(self, line: str, wanted: int) -> None:
        """RCPT or DATA. :param wanted: the first digit of a good reply. :raise FilterRefused: it is another one."""
        if self._connection is None:
            self._commands.append((line, wanted))
            return
        await self._filter.exchange(self._connection, line, wanted)
        if wanted == 3:
            self._connection.hold_up(self._session.connection)
            self._held_up = True

    # IMessageWriter.

    def recipient(self, recipient: Any) -> None:
        """The filter has heard of it."""

    def write(self, chunk: bytes) -> None:
        octets = self._stuffer.feed(chunk)
        if self._connection is not None:
            self._connection.send(octets)
        elif not self._broken:
            self._keep(octets)

    def _keep(self, octets: bytes) -> None:
        # Unsynced and soon gone again: no more than a copy to the page cache.
        try:
            if self._kept is None:
                self._kept = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 -- closed by abort
            self._kept.write(octets)
        except OSError as error:
            self._broken = str(error)

    async def commit(self) -> PeerReply:
        """:return: the filter's yes. :raise FilterRefused: the message is refused; its lines are for the client."""
        rest = self._stuffer.finish()
        try:
            if self._connection is None:
                if self._broken:
                    self._session.service.log.warning(f"proxy speed-adjust log I/O error: {self._broken}")
                    raise FilterRefused([UNWRITABLE])
                await self._replay()
            connection = self._connection
            assert connection is not None
            self._let_go()
            connection.send(rest)
            reply = await self._filter.exchange(connection, ".", 2)
            connection.send(b"QUIT\r\n")
            return reply
        finally:
            self.abort()

    async def _replay(self) -> None:
        self._connection = connection = await self._filter.open(self._session, self._mail)
        for line, wanted in self._commands:
            await self._filter.exchange(connection, line, wanted)
        if self._kept is not None:
            self._kept.seek(0)
            while piece := self._kept.read(_PIECE):
                connection.send(piece)

    def _let_go(self) -> None:
        if self._held_up and self._connection is not None:
            self._held_up = False
            self._connection.let_go()

    def abort(self) -> None:
        """Leave the filter; a message that has not got its final dot is none to it."""
        self._let_go()
        if self._connection is not None:
            self._connection.close()
        if self._kept is not None:
            self._kept.close()
            self._kept = None
