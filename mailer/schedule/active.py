"""A message in the active queue: what the algorithm needs of it (`Message`), and what must be remembered of this pass."""

from __future__ import annotations

from typing import Any

from mailer.message.envelope import Notify, Recipient
from mailer.message.status import Fate, Outcome
from mailer.schedule.job import Message

__all__ = ["ActiveMessage"]

#: How many failed recipients' outcomes are kept in memory; for more the store is asked.
_REMEMBERED = 200


class ActiveMessage(Message):
    """``entry`` is the IQueueEntry.

    ``cursor`` is the greatest recipient id read, at ``last_read``; ``reading`` is set while recipients are being read or
    resolved, so that the pass cannot end meanwhile. ``flushing``: an administrator wants it tried whatever defer_transports
    says. ``owed`` counts bounces left over from a pass that a crash cut short. ``withdrawn``: an administrator, or the end
    of the service, takes the message away; ``kept`` then counts recipients that were not tried. ``deferred`` and
    ``bounced`` count this pass's failures; ``failed`` holds their outcomes, or None when there are too many. ``notices``
    are results that the sender asked to hear of: of every recipient when ``everything`` is set. ``probe``: nothing is to be
    delivered; ``verification``: the address verification service waits for what comes of it.
    """

    __slots__ = (
        "bounced",
        "cursor",
        "deferred",
        "entry",
        "everything",
        "failed",
        "flushing",
        "kept",
        "last_read",
        "notices",
        "owed",
        "probe",
        "reading",
        "verification",
        "withdrawn",
    )

    def __init__(self, order: int, now: float, entry: Any, flushing: bool, cleared: bool) -> None:
        """:param cleared: confirm_delay_cleared."""
        super().__init__(order, now)
        self.entry = entry
        envelope = entry.envelope
        self.single = bool(envelope.verp and envelope.sender)  # the return path names the recipient
        self.flushing = flushing
        self.cursor = 0
        self.last_read = now
        self.reading = True
        self.owed: int = entry.bounced
        self.withdrawn = False
        self.kept = 0
        self.deferred = 0
        self.bounced = 0
        self.failed: list[tuple[Recipient, Outcome]] | None = None
        # Lists that asked for success notices are reported in the first pass, whatever becomes of their members.
        self.notices: list[tuple[Recipient, Outcome]] | None = (
            [] if entry.envelope.expanded and not entry.attempts else None
        )
        wish = entry.envelope.probe
        self.probe = wish in ("verify", "address")
        self.verification = wish == "address"
        reported = wish == "verify" or (wish == "trace" and not entry.attempts)
        self.everything = reported or (cleared and entry.warned)

    @property
    def finished(self) -> bool:
        """Whether this pass is over."""
        return not (self.outstanding or self.unread or self.reading)

    @property
    def uneventful(self) -> bool:
        """Whether there is nothing to do but forget the message: all sent, nobody to tell."""
        return not (
            self.deferred
            or self.bounced
            or self.notices is not None
            or self.withdrawn
            or self.owed
            or self.entry.expired
        )

    def note(self, recipient: Recipient, outcome: Outcome, shown: Recipient | None = None) -> None:
        """A recipient's fate is known. :param shown: what the recipient turned out to be (an alias' member)."""
        fate = outcome.fate
        if self.everything or (fate is Fate.SENT and recipient.notify & Notify.SUCCESS):
            self.notices = self.notices or []
            self.notices.append((shown or recipient if self.everything else recipient, outcome))
        if fate is Fate.DEFERRED:
            self.deferred += 1
        elif fate is Fate.BOUNCED:
            self.bounced += 1
        else:
            return
        failures = self.deferred + self.bounced
        if failures == 1:
            self.failed = [(shown or recipient, outcome)]
        elif self.failed is not None:
            self.failed.append((shown or recipient, outcome))
            if failures > _REMEMBERED:
                self.failed = None

    def note_parts(self, parts: list[tuple[Recipient, Outcome]], fate: Fate) -> None:
        """What a recipient turned out to be had other members, too. :param fate: the recipient's own.

        Reports tell of all members that failed as the recipient did, and of everybody if everything is to be told.
        """
        if self.everything:
            self.notices = (self.notices or []) + parts
        if self.failed is not None and fate in (Fate.BOUNCED, Fate.DEFERRED):
            self.failed += [part for part in parts if part[1].fate is fate]
