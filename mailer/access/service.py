"""The IAccess of one SMTP service: which list is asked when (postconf(5), SMTPD_ACCESS_README).

With smtpd_delay_reject the lists of client, helo and sender are examined at each recipient, so that the log says for whom
mail was refused. A pending ``defer_if_permit`` goes from each list to the next, and refuses the recipient in the end.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

from zope.interface import implementer

from mailer.access.actions import Actions
from mailer.access.addresses import unlisted_recipient, unlisted_sender
from mailer.access.evaluation import Broken, Decision, Evaluation, Rules, evaluate, refusal
from mailer.access.plugin import known_with
from mailer.access.policy import PolicyClient
from mailer.access.policyserver import PolicyServer
from mailer.access.reader import ListReader
from mailer.access.registry import KNOWN
from mailer.access.restriction import Environment, Restriction
from mailer.access.safeguard import demand_safeguard
from mailer.access.subjects import (
    CLIENT_STAGE,
    DATA_STAGE,
    END_STAGE,
    ETRN_STAGE,
    HELO_STAGE,
    RECIPIENT_STAGE,
    SENDER_STAGE,
    sender_of,
)
from mailer.dns.filtered import FilteredResolver
from mailer.interfaces.access import IAccess
from mailer.interfaces.context import Context
from mailer.interfaces.restriction import IRestrictionFactory
from mailer.message.session import Session
from mailer.message.status import Reply, TemporaryError
from mailer.plugins.registry import installed
from mailer.tables.match import StringList

__all__ = ["Access"]


@dataclass(slots=True)
class _Progress:
    """What is remembered of a session between its stages: temporary failures met so far, and the protocol spoken before
    the greeting under examination. ``unanswered`` are the questions to DNS lists that had no answer: they are not put again,
    or each recipient would wait for them."""

    after_client: Reply | None = None
    after_helo: Reply | None = None
    after_sender: Reply | None = None
    protocol: str = "SMTP"
    unanswered: set[str] = field(default_factory=set)


class Policies:
    """The clients of policy servers: restrictions that name the same server on the same terms share one."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._clients: dict[PolicyServer, PolicyClient] = {}

    def client(self, server: PolicyServer) -> PolicyClient:
        found = self._clients.get(server)
        if found is None:
            found = self._clients[server] = PolicyClient(server, self._context)
        return found

    def close(self) -> None:
        for client in self._clients.values():
            client.close()


@dataclass(frozen=True, slots=True)
class _List:
    """One restriction list. ``subject(session)`` is what replies name."""

    parameter: str
    members: tuple[Restriction, ...]
    stage: str
    bare_table: str
    subject: Callable[[Session], str]


@implementer(IAccess)
class Access:
    """Built once for a service.

    :param networks: the match list of mynetworks.
    :param record: takes a Decision for each restriction that is asked, for explaining; None: nothing is recorded.
    :param verifier: IVerifier, or None: what depends on it is deferred.
    :param plugins: a Registry of IRestrictionFactory; None: those that are installed.
    :raise ConfigError: a list is wrong, or the configuration would make an open relay.
    """

    def __init__(
        self,
        context: Context,
        addressing: Any,
        networks: Any,
        record: list[Decision] | None = None,
        verifier: Any = None,
        plugins: Any = None,
    ) -> None:
        settings = context.settings
        if settings.smtpd_dns_reply_filter:
            name = "smtpd_dns_reply_filter"
            table = context.tables.maps(settings.smtpd_dns_reply_filter, name)
            context = replace(context, dns=FilteredResolver(context.dns, table, context.log, name))
        self._delay = settings.smtpd_delay_reject
        self._unlisted_sender = settings.smtpd_reject_unlisted_sender
        unknown_pass = "no_unknown_recipient_checks" in settings.receive_override_options
        self._unlisted_recipient = settings.smtpd_reject_unlisted_recipient and not unknown_pass
        permits = settings.smtpd_log_access_permit_actions
        self._rules = Rules(
            context.log,
            settings.soft_bounce,
            StringList(permits, context, "smtpd_log_access_permit_actions") if permits else None,
            settings.smtpd_client_port_logging,
            record,
        )
        self._policies = Policies(context)
        actions = Actions(settings)
        self._environment = Environment(context, addressing, networks, actions, self._policies, verifier)
        known, problems = known_with(KNOWN, plugins or installed(IRestrictionFactory, "restriction"))
        reader = ListReader(self._environment, known)
        actions.read = reader.read

        def listed(parameter: str, stage: str, bare_table: str, subject: Callable[[Session], str]) -> _List:
            members = reader.read(parameter, settings.value(parameter), bare_table)
            return _List(parameter, members, stage, bare_table, subject)

        self._client = listed("smtpd_client_restrictions", CLIENT_STAGE, "check_client_access", self._rules.client)
        self._helo = listed(
            "smtpd_helo_restrictions", HELO_STAGE, "check_helo_access", lambda session: session.client.helo
        )
        self._sender = listed("smtpd_sender_restrictions", SENDER_STAGE, "check_sender_access", sender_of)
        relay, recipient = (
            listed(parameter, RECIPIENT_STAGE, "check_recipient_access", lambda session: session.recipient)
            for parameter in ("smtpd_relay_restrictions", "smtpd_recipient_restrictions")
        )
        self._data = listed("smtpd_data_restrictions", DATA_STAGE, "", lambda session: "DATA")
        self._end_of_data = listed("smtpd_end_of_data_restrictions", END_STAGE, "", lambda session: "END-OF-MESSAGE")
        self._etrn = listed(
            "smtpd_etrn_restrictions", ETRN_STAGE, "check_etrn_access", lambda session: session.etrn_domain
        )
        relay_first = settings.smtpd_relay_before_recipient_restrictions
        self._for_recipients = (relay, recipient) if relay_first else (recipient, relay)
        #: What is wrong with the lists although they can be used, for the report at start.
        self.problems = list(dict.fromkeys((*problems, *reader.problems)))
        demand_safeguard((*relay.members, *recipient.members))

    def close(self) -> None:
        """Give idle connections back."""
        self._policies.close()

    async def connect(self, session: Session) -> Reply | None:
        session.delayed = None
        progress = _progress(session)
        return None if self._delay else await self._guarded(self._at_connect(session, progress))

    async def helo(self, session: Session) -> Reply | None:
        if self._delay:
            return None
        progress = _progress(session)
        reply = await self._guarded(self._at_helo(session, progress))
        if reply is None:
            progress.protocol = session.client.protocol
        return reply

    async def mail(self, session: Session) -> Reply | None:
        return None if self._delay else await self._guarded(self._at_mail(session, _progress(session)))

    async def rcpt(self, session: Session) -> Reply | None:
        if session.recipient.lower() == "postmaster":
            return None
        return await self._guarded(self._at_rcpt(session))

    async def data(self, session: Session) -> Reply | None:
        return await self._guarded(self._at_content(session, self._data)) if self._data.members else None

    async def end_of_data(self, session: Session) -> Reply | None:
        return await self._guarded(self._at_content(session, self._end_of_data)) if self._end_of_data.members else None

    async def etrn(self, session: Session, domain: str) -> Reply | None:
        session.etrn_domain = domain
        return await self._guarded(self._at_etrn(session))

    # Stages.

    async def _at_connect(self, session: Session, progress: _Progress) -> Reply | None:
        state = Evaluation(session, self._rules)
        try:
            return await _run(self._client, state)
        finally:
            progress.after_client = progress.after_helo = progress.after_sender = state.defer_if_permit

    async def _at_helo(self, session: Session, progress: _Progress) -> Reply | None:
        state = Evaluation(session, self._rules, defer_if_permit=progress.after_client)
        try:
            return await _run(self._helo, state)
        finally:
            progress.after_helo = progress.after_sender = state.defer_if_permit

    async def _at_mail(self, session: Session, progress: _Progress) -> Reply | None:
        progress.protocol = session.client.protocol
        state = Evaluation(session, self._rules, defer_if_permit=progress.after_helo)
        try:
            return await self._check_sender(session, state)
        finally:
            progress.after_sender = state.defer_if_permit

    async def _at_rcpt(self, session: Session) -> Reply | None:
        progress = _progress(session)
        progress.protocol = session.client.protocol
        state = Evaluation(session, self._rules)
        if self._delay:
            reply = await self._delayed(session, state)
            if reply is not None:
                return reply
        else:
            state.defer_if_permit = progress.after_sender
        for each in self._for_recipients:
            reply = await _run(each, state)
            if reply is not None:
                return reply
        if state.defer_if_permit is not None:
            return state.defer_if_permit
        if self._unlisted_recipient and not state.recipient_checked and not state.discarding:
            return _final(await unlisted_recipient(self._environment, session.recipient), state)
        return None

    async def _delayed(self, session: Session, state: Evaluation) -> Reply | None:
        """What smtpd_delay_reject has put off."""
        reply = await _run(self._client, state)
        if reply is None and session.client.helo:
            reply = await _run(self._helo, state)
        if reply is None and state.in_transaction:
            reply = await self._check_sender(session, state)
        return reply

    async def _check_sender(self, session: Session, state: Evaluation) -> Reply | None:
        reply = await _run(self._sender, state)
        if reply is None and self._unlisted_sender and not state.sender_checked and not state.discarding:
            reply = _final(await unlisted_sender(self._environment, sender_of(session)), state)
        return reply

    async def _at_content(self, session: Session, restrictions: _List) -> Reply | None:
        _progress(session).protocol = session.client.protocol
        state = Evaluation(session, self._rules)
        return await _run(restrictions, state) or state.defer_if_permit

    async def _at_etrn(self, session: Session) -> Reply | None:
        progress = _progress(session)
        progress.protocol = session.client.protocol
        state = Evaluation(session, self._rules)
        reply = None
        if not self._delay:
            state.defer_if_permit = progress.after_helo
        else:
            reply = await _run(self._client, state)
            if reply is None and session.client.helo:
                reply = await _run(self._helo, state)
        return reply or await _run(self._etrn, state) or state.defer_if_permit

    async def _guarded(self, examination: Coroutine[Any, Any, Reply | None]) -> Reply | None:
        try:
            return await examination
        except Broken as error:
            return error.reply
        except TemporaryError as error:  # whether an address is listed cannot be told
            return error.reply


def _progress(session: Session) -> _Progress:
    if session.delayed is None:
        session.delayed = _Progress()
    progress: _Progress = session.delayed
    return progress


def _final(reply: Reply | None, state: Evaluation) -> Reply | None:
    """A refusal that comes after a list."""
    if reply is None:
        return None
    state.warning = 0
    verdict = refusal(reply, state)
    return verdict.reply if verdict is not None else None


async def _run(restrictions: _List, state: Evaluation) -> Reply | None:
    """Examine a list. :return: the refusal, if it ended so."""
    if not restrictions.members:
        if restrictions.stage != state.stage:
            state.stage, state.defer_if_reject = restrictions.stage, None
        return None
    subject = restrictions.subject(state.session)
    state.begin(restrictions.parameter, restrictions.stage, subject, restrictions.bare_table)
    verdict = await evaluate(restrictions.members, state)
    return verdict.reply if verdict is not None else None
