"""The delivery for one recipient of a request: what has been done already, what came of it, what is to be sent on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mailer.deliver.loops import DeliveredTo
from mailer.message.delivery import DeliveryRequest
from mailer.message.envelope import Notify, Recipient
from mailer.message.status import Fate, Outcome

__all__ = ["RELAY", "Run"]

RELAY = "local"


class Run:
    """``forwards`` collects addresses by the sender that they get; ``parts`` are ``(recipient shown, outcome)``.
    ``expanded``: the recipient is an alias, and its success is its expansion, whatever becomes of the members (RFC 3461
    5.2.7.4); with an owner of its own it is a list, and being expanded is being delivered."""

    def __init__(self, request: DeliveryRequest, recipient: Recipient, delivered: DeliveredTo, most_seen: int) -> None:
        self.request = request
        self.recipient = recipient
        self.delivered = delivered
        self.parts: list[tuple[Recipient, Outcome]] = []
        self.forwards: dict[str, list[str]] = {}
        self.expanded = ""
        self._seen: set[tuple[Any, ...]] = set()
        self._most_seen = most_seen

    @property
    def original(self) -> str:
        return self.recipient.original or self.recipient.address

    @property
    def notify(self) -> Notify:
        """What is still to be told of those that the recipient turned out to be."""
        asked = self.recipient.notify
        if not (self.expanded and asked & Notify.SUCCESS):
            return asked
        return asked & ~Notify.SUCCESS or Notify.NEVER

    @property
    def verification(self) -> bool:
        """Whether somebody wants to know no more than that the address exists (address verification)."""
        return self.request.envelope.probe == "address"

    def again(self, *what: Any) -> bool:
        """Whether this has been done before; from now on it has (duplicate_filter_limit bounds the memory)."""
        if what in self._seen:
            return True
        if not self._most_seen or len(self._seen) < self._most_seen:
            self._seen.add(what)
        return False

    def known(self, *what: Any) -> bool:
        """Whether this has been done before."""
        return what in self._seen

    def shown(self, address: str) -> Recipient:
        """An address as log lines name it."""
        return Recipient(address, self.original, self.recipient.notify, self.recipient.orcpt)

    def done(self, address: str, text: str) -> None:
        self.parts.append((self.shown(address), Outcome(Fate.SENT, "2.0.0", text, RELAY, action="delivered")))

    def would(self, address: str, text: str, hidden: bool = False) -> None:
        """A probe's answer. :param hidden: not to name the recipient that it was about."""
        shown = Recipient(address, address) if hidden else self.shown(address)
        self.parts.append((shown, Outcome(Fate.DELIVERABLE, "2.0.0", text, RELAY)))

    def failed(self, address: str, status: str, text: str, diagnostic: str = "") -> None:
        """:param diagnostic: a command's own words."""
        lasting = Fate.DEFERRED if status.startswith("4") else Fate.BOUNCED
        fate = Fate.UNDELIVERABLE if self.request.probe else lasting
        more = {"diagnostic": diagnostic, "diagnostic_type": "x-unix"} if diagnostic else {}
        self.parts.append((self.shown(address), Outcome(fate, status, text, RELAY, **more)))

    def tell(self, outcomes: Any) -> None:
        """The recipient's fate is its worst part's: what has to wait, else what failed, else the last."""
        if not self.parts:
            self.done(self.recipient.address, "discarded")
        decisive = self._decisive()
        for number, (shown, outcome) in enumerate(self.parts):
            if number != decisive:
                outcomes.partial(shown, outcome)
        shown, outcome = self.parts[decisive]
        if self.expanded and outcome.fate is Fate.SENT:
            outcome = replace(outcome, action=self.expanded)
        outcomes.tell(self.recipient, outcome, shown)

    def _decisive(self) -> int:
        for fates in ((Fate.DEFERRED,), (Fate.BOUNCED, Fate.UNDELIVERABLE)):
            for number, (_, outcome) in enumerate(self.parts):
                if outcome.fate in fates:
                    return number
        return len(self.parts) - 1
