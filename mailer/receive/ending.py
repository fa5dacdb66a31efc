"""The end of a message, after DATA and after the last BDAT: the last checks, and the sink's word that it is safe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.message.status import MailError
from mailer.receive import lines
from mailer.receive.filter.filter import FilterRefused
from mailer.receive.replies import wire

if TYPE_CHECKING:
    from mailer.receive.intake import Intake
    from mailer.receive.session import SmtpSession
    from mailer.receive.transaction import Transaction

__all__ = ["end_of_message"]


async def end_of_message(
    session: SmtpSession, transaction: Transaction, intake: Intake, bare_newline: bool, counted: bool = False
) -> bool:
    """Commit and reply.

    :param bare_newline: whether a line of it ended in a bare LF. :param counted: the reply names the size, as for BDAT.
    """
    service, state = session.service, session.state
    given = session.where
    if bare_newline and session.bare_newline == "reject":
        session.where = "END-OF-MESSAGE"
        session.log_rejection("bare <LF> received")
        session.where = given
        session.reset()
        return session.refuse(f"{service.bare_newline_code} 5.5.2 {service.hostname} Error: bare <LF> received")
    if bare_newline and session.bare_newline == "note":
        service.log.info(f"{transaction.queue_id}: bare <LF> received from {session.printable}")
    if intake.too_big:
        session.reset()
        return session.refuse("552 5.3.4 Error: message file too big")
    state.protocol_state = "END-OF-MESSAGE"
    state.size = transaction.size
    session.where = "END-OF-MESSAGE"
    reply = await session.check(service.access.end_of_data(state))
    if reply is not None:
        session.reject(reply)
        transaction.abort()
        transaction.finished = True
        return False
    session.where = given
    if transaction.filtered:
        return await _hand_over(session, transaction)
    queue_id = transaction.queue_id
    try:
        await transaction.writer.commit()
    except MailError as error:
        transaction.writer = None  # nothing is left of it
        session.reset()
        if error.cause:
            service.log.warning(f"{queue_id}: {error.cause}")
        return session.refuse(str(error.reply))
    size = f"{transaction.size} bytes " if counted else ""
    session.delivered()
    session.say(f"250 2.0.0 Ok: {size}queued as {queue_id}\r\n".encode())
    return True


async def _hand_over(session: SmtpSession, transaction: Transaction) -> bool:
    """The before-queue filter's word counts."""
    try:
        said, accepted = (await transaction.writer.commit()).text.split("\n"), True
    except FilterRefused as refused:
        said, accepted = refused.lines, False
    session.service.log.info(
        lines.handed_over(
            "proxy-accept" if accepted else "proxy-reject",
            "??".join(said),
            transaction.envelope.sender,
            transaction.first,
            session.protocol,
            session.client.helo,
        )
    )
    if accepted:
        session.delivered()
        session.say(wire(said))
        return True
    transaction.writer = None
    session.reset()
    return session.refuse(*said)
