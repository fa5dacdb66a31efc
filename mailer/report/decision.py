"""Who is told what: which notices a message's results call for (RFC 3461 NOTIFY and RET, bounce(8), notify_classes).

Pure: from a queue entry and results to `Notice`s. The rules that keep mail from looping are here: nobody is told of trouble
with the null sender's mail but the postmaster, and nobody at all of trouble with the postmaster's notices.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mailer.message.envelope import Envelope, Notify, Recipient
from mailer.message.status import Fate, Outcome
from mailer.message.verp import return_path
from mailer.report.notice import Notice
from mailer.report.templates import Template

__all__ = ["Decision", "Results"]

Results = Iterable[tuple[Recipient, Outcome]]

_ACTIONS = {
    Fate.SENT: "delivered",
    Fate.DEFERRED: "delayed",
    Fate.BOUNCED: "failed",
    Fate.DELIVERABLE: "deliverable",
    Fate.UNDELIVERABLE: "undeliverable",
}


class Decision:
    """:param settings: the bounce service's. :param templates: by name, as `templates.load` gives them."""

    def __init__(self, settings: Any, templates: Mapping[str, Template]) -> None:
        self._templates = templates
        self.double_bounce = f"{settings.double_bounce_sender}@{settings.myhostname}"
        self._classes = frozenset(settings.notify_classes)
        self._bounce_to = settings.bounce_notice_recipient
        self._double_bounce_to = settings.value("2bounce_notice_recipient")
        self._delay_to = settings.delay_notice_recipient
        self._size_limit = settings.bounce_size_limit
        self._lifetime = settings.maximal_queue_lifetime
        self._confirm = settings.confirm_delay_cleared
        self._verp = not settings.disable_verp_bounces

    def ends_here(self, sender: str) -> bool:
        """Whether a message is a postmaster's notice, about which nobody is told any more."""
        return sender.lower() == self.double_bounce.lower()

    def failed(self, entry: Any, results: Results) -> list[Notice]:
        """For recipients that failed for good. The first notices are owed; copies for the postmaster follow."""
        failures = [(recipient, outcome, "failed") for recipient, outcome in results]
        envelope = entry.envelope
        if not failures or self.ends_here(envelope.sender):
            return []
        if not envelope.sender:
            wanted = "2bounce" in self._classes
            full = entry.size <= self._size_limit
            return (
                [self._postmaster("non-delivery", self._double_bounce_to, "failure", failures, full)] if wanted else []
            )
        told = [result for result in failures if _asked(result[0], Notify.FAILURE)]
        full = envelope.ret != "HDRS" and entry.size <= self._size_limit
        notices = [
            self._sender("non-delivery", recipient, "failure", some, full)
            for recipient, some in self._addressed(envelope, told)
        ]
        if "bounce" in self._classes:
            notices.append(self._postmaster("non-delivery", self._bounce_to, "failure", failures))
        return notices

    def undeliverable_report(self, results: Results) -> Notice:
        """When the sender's own notice is refused: what the postmaster gets instead."""
        failures = [(recipient, outcome, "failed") for recipient, outcome in results]
        return self._postmaster("non-delivery", self._double_bounce_to, "failure", failures)

    def delayed(self, entry: Any, results: Results) -> list[Notice]:
        """For recipients still waiting."""
        waiting = [(recipient, outcome, "delayed") for recipient, outcome in results]
        sender = entry.envelope.sender
        if not waiting or not sender or self.ends_here(sender):
            return []
        until = entry.arrival + self._lifetime
        told = [result for result in waiting if _asked(result[0], Notify.DELAY)]
        notices = [self._sender("delay", sender, "delay", told, until=until)] if told else []
        if "delay" in self._classes:
            notices.append(self._postmaster("delay", self._delay_to, "delay", waiting, until=until))
        return notices

    def succeeded(self, entry: Any, results: Results) -> list[Notice]:
        """What the sender asked to hear: success, or all there is to say about a probe."""
        envelope = entry.envelope
        if not envelope.sender or self.ends_here(envelope.sender):
            return []
        if envelope.probe and (envelope.probe == "verify" or not entry.attempts):
            told, template = [(recipient, outcome) for recipient, outcome in results], "verify"
        else:
            told = [result for result in results if self._success_wanted(entry, *result)]
            template = "success"
        told += _expansions(entry)
        if not told:
            return []
        shown = [(recipient, outcome, _action(outcome)) for recipient, outcome in told]
        return [self._sender("delivery status", envelope.sender, template, shown, traced=True)]

    def _success_wanted(self, entry: Any, recipient: Recipient, outcome: Outcome) -> bool:
        if outcome.fate is not Fate.SENT:
            return False
        if recipient.notify & Notify.SUCCESS and not outcome.dsn_passed_on:
            return True
        return self._confirm and entry.warned and _asked(recipient, Notify.DELAY)

    def _addressed(self, envelope: Envelope, told: list[Any]) -> list[tuple[str, list[Any]]]:
        """With VERP each recipient's failure goes to a return path of its own (VERP_README)."""
        if not told:
            return []
        if envelope.verp and self._verp:
            return [(return_path(envelope.sender, result[0].address, envelope.verp), [result]) for result in told]
        return [(envelope.sender, told)]

    def _sender(
        self, what: str, recipient: str, template: str, results: list[Any], full: bool = False, **more: Any
    ) -> Notice:
        kind = f"sender {what} notification"
        return Notice(kind, "", recipient, self._templates[template], tuple(results), full=full, **more)

    def _postmaster(
        self, what: str, recipient: str, template: str, results: list[Any], full: bool = False, **more: Any
    ) -> Notice:
        kind = f"postmaster {what} notification"
        shown = tuple(results)
        return Notice(kind, self.double_bounce, recipient, self._templates[template], shown, True, full, **more)


def _action(outcome: Outcome) -> str:
    """RFC 3464 2.3.3; what a transport says of a message passed on does not hold for a probe, which passes nothing on."""
    return (outcome.action if outcome.fate is Fate.SENT else "") or _ACTIONS[outcome.fate]


def _asked(recipient: Recipient, event: Notify) -> bool:
    return not recipient.notify or bool(recipient.notify & event)


def _expansions(entry: Any) -> list[tuple[Recipient, Outcome]]:
    """Recipients that asked for success notices and turned out to be lists; told in the first pass."""
    if entry.attempts:
        return []
    outcome = Outcome.sent("alias expanded", action="expanded")
    return [
        (Recipient(address, original, Notify.SUCCESS, orcpt), outcome)
        for address, orcpt, original in entry.envelope.expanded
    ]
