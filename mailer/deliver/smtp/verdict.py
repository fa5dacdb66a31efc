"""From a server's answers to the recipients' fates, in Postfix's words."""

from __future__ import annotations

from mailer.deliver.smtp.reason import Reason, from_reply
from mailer.deliver.smtp.session import Session, breakdown
from mailer.deliver.smtp.tally import Tally
from mailer.message.envelope import Recipient
from mailer.wire.smtp.client import Step, Transaction
from mailer.wire.smtp.replies import PeerReply

__all__ = ["flawless", "judge", "stale"]


def judge(transaction: Transaction, session: Session, tally: Tally, lmtp: bool = False) -> None:
    """Give each of the recipients that are left its fate, or keep it for the next server."""
    mail, data = transaction.mail_reply, transaction.data_reply
    if mail is not None and mail.code // 100 != 2:
        tally.fail(_said(mail, session, "MAIL FROM command"), session, unreachable=False)
        return
    waiting = _judge_recipients(transaction, session, tally)
    if waiting and data is not None:
        if data.code // 100 != 3:
            tally.fail(_said(data, session, "DATA command"), session, unreachable=False, recipients=waiting)
            return
        if transaction.stop is Step.DATA:
            tally.sent(waiting, data, session)
            waiting = []
    if waiting and transaction.replies:
        waiting = _judge_end(transaction, session, tally, waiting, lmtp)
    if transaction.failure is None:
        tally.carried = True
    elif waiting:
        assert transaction.step is not None
        reason = breakdown(transaction.failure, transaction.step, session)
        tally.fail(reason, session, unreachable=True, recipients=waiting)


def _judge_recipients(transaction: Transaction, session: Session, tally: Tally) -> list[Recipient]:
    """The answers to RCPT. :return: the recipients without a fate."""
    recipients, replies = tally.left, transaction.rcpt_replies
    if len(transaction.accepted) == len(recipients) and transaction.stop is None:
        return recipients
    accepted = []
    for recipient, reply in zip(recipients, replies, strict=False):
        if reply.code // 100 != 2:
            tally.reject(recipient, _said(reply, session, "RCPT TO command"), session)
        elif transaction.stop is Step.RCPT:
            tally.sent([recipient], reply, session)
        else:
            accepted.append(recipient)
    return accepted + recipients[len(replies) :]


def _judge_end(
    transaction: Transaction, session: Session, tally: Tally, waiting: list[Recipient], lmtp: bool
) -> list[Recipient]:
    """The answers to the end of the content. :return: the recipients without a fate."""
    replies = transaction.replies
    if not lmtp:
        if replies[0].code // 100 == 2:
            tally.sent(waiting, replies[0], session)
        else:
            reason = _said(replies[0], session, "end of DATA command")
            tally.fail(reason, session, unreachable=False, recipients=waiting)
        return []
    for recipient, reply in zip(waiting, replies, strict=False):
        if reply.code // 100 == 2:
            tally.sent([recipient], reply, session)
        else:
            tally.reject(recipient, _said(reply, session, "end of DATA command"), session)
    return waiting[len(replies) :]


def _said(reply: PeerReply, session: Session, command: str) -> Reason:
    return from_reply(reply, session.host, f"host {session.name} said: {reply.line} (in reply to {command})")


def flawless(transaction: Transaction) -> bool:
    """Whether there was nothing but consent."""
    return (
        transaction.failure is None
        and len(transaction.accepted) == len(transaction.rcpts)
        and all(reply.code // 100 == 2 for reply in transaction.replies)
        and (transaction.data_reply is None or transaction.data_reply.code // 100 == 3)
    )


def stale(transaction: Transaction) -> bool:
    """Whether a session that had been kept was closed by the server before it took notice of this message."""
    mail = transaction.mail_reply
    if mail is not None:
        return mail.code == 421
    return transaction.failure is not None and not transaction.answered
