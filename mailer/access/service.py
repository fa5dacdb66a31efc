"""The IAccess of one SMTP service: which list is asked when (postconf(5), SMTPD_ACCESS_README).

With smtpd_delay_reject the lists of client, helo and sender are examined at each recipient, so that the log says for whom
mail was refused; relay restrictions come before recipient restrictions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zope.interface import implementer

from mailer.access.evaluation import Evaluation, evaluate, target_of
from mailer.access.registry import KNOWN
from mailer.access.restriction import Environment, ListReader, Restriction
from mailer.access.verdict import Verdict
from mailer.config.errors import ConfigError
from mailer.interfaces.access import IAccess
from mailer.interfaces.context import Context
from mailer.message.session import Session
from mailer.message.status import Reply, TemporaryError

__all__ = ["Access"]

#: What makes a recipient or relay list safe: without one of these a server would be an open relay.
_SAFEGUARDS = frozenset({"reject_unauth_destination", "defer_unauth_destination", "reject", "defer", "defer_if_permit"})


@implementer(IAccess)
class Access:
    """Built once for a service.

    :param networks: the match list of mynetworks.
    :raise ConfigError: a list is wrong, or the configuration would make an open relay.
    """

    def __init__(self, context: Context, addressing: Any, networks: Any) -> None:
        settings = context.settings
        self._delay = settings.smtpd_delay_reject
        self._unlisted_recipient = settings.smtpd_reject_unlisted_recipient
        self._relay_first = settings.smtpd_relay_before_recipient_restrictions
        self._addressing = addressing
        read = ListReader(Environment(context, addressing, networks), KNOWN).read
        self._client = read("smtpd_client_restrictions", settings.smtpd_client_restrictions, "check_client_access")
        self._helo = read("smtpd_helo_restrictions", settings.smtpd_helo_restrictions, "check_helo_access")
        self._sender = read("smtpd_sender_restrictions", settings.smtpd_sender_restrictions, "check_sender_access")
        self._relay = read("smtpd_relay_restrictions", settings.smtpd_relay_restrictions, "check_recipient_access")
        self._recipient = read(
            "smtpd_recipient_restrictions", settings.smtpd_recipient_restrictions, "check_recipient_access"
        )
        self._data = read("smtpd_data_restrictions", settings.smtpd_data_restrictions, "check_recipient_access")
        self._end_of_data = read(
            "smtpd_end_of_data_restrictions", settings.smtpd_end_of_data_restrictions, "check_recipient_access"
        )
        self._etrn = read("smtpd_etrn_restrictions", settings.smtpd_etrn_restrictions, "check_etrn_access")
        self._demand_safeguard()

    def _demand_safeguard(self) -> None:
        if not _SAFEGUARDS.intersection(restriction.name for restriction in (*self._relay, *self._recipient)):
            raise ConfigError(
                "smtpd_relay_restrictions and smtpd_recipient_restrictions would make this an open relay",
                f"one of them needs one of: {', '.join(sorted(_SAFEGUARDS))}",
            )

    async def connect(self, session: Session) -> Reply | None:
        return None if self._delay else await self._run(session, self._client, "Client host", _client(session))

    async def helo(self, session: Session) -> Reply | None:
        return None if self._delay else await self._run(session, self._helo, "Helo command", session.client.helo)

    async def mail(self, session: Session) -> Reply | None:
        return None if self._delay else await self._run(session, self._sender, "Sender address", _sender(session))

    async def rcpt(self, session: Session) -> Reply | None:
        state = self._evaluation(session, "Recipient address", session.recipient)
        if session.recipient.lower() == "postmaster":
            return None
        if self._delay:
            for members, stage, subject in self._delayed(session):
                state.stage, state.subject = stage, subject
                verdict = await self._list(members, state)
                if verdict is not None and verdict.reply is not None:
                    return verdict.reply
        state.stage, state.subject = "Recipient address", session.recipient
        for members in (self._relay, self._recipient) if self._relay_first else (self._recipient, self._relay):
            verdict = await self._list(members, state)
            if verdict is not None and verdict.reply is not None:
                return verdict.reply
        if state.defer_if_permit is not None:
            return state.defer_if_permit
        return await self._listed(session) if self._unlisted_recipient else None

    async def data(self, session: Session) -> Reply | None:
        return await self._run(session, self._data, "Data command", "DATA")

    async def end_of_data(self, session: Session) -> Reply | None:
        return await self._run(session, self._end_of_data, "End-of-data", "END-OF-MESSAGE")

    async def etrn(self, session: Session, domain: str) -> Reply | None:
        for members, stage, subject in self._delayed(session)[:2] if self._delay else ():
            reply = await self._run(session, members, stage, subject)
            if reply is not None:
                return reply
        return await self._run(session, self._etrn, "Etrn command", domain)

    def _delayed(self, session: Session) -> Sequence[tuple[tuple[Restriction, ...], str, str]]:
        return (
            (self._client, "Client host", _client(session)),
            (self._helo, "Helo command", session.client.helo),
            (self._sender, "Sender address", _sender(session)),
        )

    def _evaluation(self, session: Session, stage: str, subject: str) -> Evaluation:
        return Evaluation(session, stage, subject)

    async def _list(self, members: tuple[Restriction, ...], state: Evaluation) -> Verdict | None:
        state.defer_if_reject = None
        return await evaluate(members, state) if members else None

    async def _run(self, session: Session, members: tuple[Restriction, ...], stage: str, subject: str) -> Reply | None:
        if not members:
            return None
        state = self._evaluation(session, stage, subject)
        verdict = await self._list(members, state)
        if verdict is not None and verdict.reply is not None:
            return verdict.reply
        return state.defer_if_permit

    async def _listed(self, session: Session) -> Reply | None:
        try:
            return await self._addressing.recipient_exists(session.recipient)
        except TemporaryError:
            return Reply(451, "4.3.0", target_of(session.recipient, "Temporary lookup failure"))


def _client(session: Session) -> str:
    return session.client.printable


def _sender(session: Session) -> str:
    return session.envelope.sender if session.envelope is not None else ""
