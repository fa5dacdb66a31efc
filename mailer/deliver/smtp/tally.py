"""Who of a delivery's recipients has a fate, who is kept for the next server, and what is told of them.

A temporary failure is no fate as long as there is another server to try (``final_server``); then it is only logged, and
the recipient kept. Knows replies and reasons, not how servers are found or talked to.
"""

from __future__ import annotations

from typing import Any

from mailer.deliver.smtp.parameters import ClientParameters
from mailer.deliver.smtp.reason import Reason
from mailer.deliver.smtp.session import Session
from mailer.message.delivery import DeliveryRequest
from mailer.message.envelope import Recipient
from mailer.message.status import Fate, Outcome
from mailer.wire.smtp.replies import PeerReply

__all__ = ["Tally"]


class Tally:
    """The recipients of one delivery.

    ``left`` have no fate and have not been tried at the current server; ``kept`` have failed for now there. ``why`` is
    the last failure. ``carried`` says that a session got to its end, so the nexthop works. ``connected`` is when the
    message could be handed over, ``use`` which use of its connection that was.

    :param final: whether delivery to the next host is delivery to the recipient.
    """

    def __init__(
        self, request: DeliveryRequest, outcomes: Any, log: Any, parameters: ClientParameters, final: bool = False
    ) -> None:
        self.left: list[Recipient] = list(request.recipients)
        self.kept: list[Recipient] = []
        self.why: Reason | None = None
        self.final_server = False
        self.carried = False
        self.connected: float | None = None
        self.use = 1
        self._queue_id = request.queue_id
        self._probe = request.probe
        self._outcomes = outcomes
        self._log = log
        self._soft_bounce = parameters.soft_bounce
        self._final = final
        self._final_without_dsn = parameters.lmtp and parameters.assume_final

    def next_server(self) -> None:
        """Those who were kept are to be tried again."""
        self.left, self.kept = self.kept, []

    def fail(
        self, reason: Reason, session: Session | None, unreachable: bool, recipients: list[Recipient] | None = None
    ) -> None:
        """One reason for all recipients that are left, or those given.

        :param unreachable: whether it says something about the nexthop, not the message.
        """
        if recipients is None:
            recipients = self.left
        self.why = reason
        if self._kept_for_next(reason):
            self.kept.extend(recipients)
            return
        if unreachable and self._soft(reason) and not self.carried:
            self._outcomes.unreachable(reason.status, reason.text)
        for recipient in recipients:
            self.failed(recipient, reason, session)

    def reject(self, recipient: Recipient, reason: Reason, session: Session) -> None:
        """A reason that concerns one recipient."""
        self.why = reason
        if self._kept_for_next(reason):
            self.kept.append(recipient)
        else:
            self.failed(recipient, reason, session)

    def _soft(self, reason: Reason) -> bool:
        return reason.soft or self._soft_bounce

    def _kept_for_next(self, reason: Reason) -> bool:
        if self.final_server or not self._soft(reason):
            return False
        self._log.info(f"{self._queue_id}: {reason.text}")
        return True

    def failed(self, recipient: Recipient, reason: Reason, session: Session | None, relay: str = "none") -> None:
        """The fate of a recipient."""
        fate = Fate.DEFERRED if reason.soft else Fate.BOUNCED
        if session is not None:
            relay = session.relay
        self._outcomes.tell(
            recipient,
            Outcome(
                Fate.UNDELIVERABLE if self._probe else fate,
                reason.status,
                reason.text,
                relay,
                self.connected,
                reason.remote_mta,
                reason.diagnostic,
                conn_use=self.use if session is not None else 1,
            ),
        )

    def sent(self, recipients: list[Recipient], reply: PeerReply, session: Session) -> None:
        """The fate of recipients whom a server has accepted."""
        dsn = session.offers.dsn
        final = self._final or (self._final_without_dsn and not dsn)
        status = reply.enhanced
        outcome = Outcome(
            Fate.DELIVERABLE if self._probe else Fate.SENT,
            status if status[0] == "2" else "2.0.0",
            reply.line,
            session.relay,
            self.connected,
            session.host,
            reply.text,
            "delivered" if final else "relayed",
            dsn,
            self.use,
        )
        for recipient in recipients:
            self._outcomes.tell(recipient, outcome)
