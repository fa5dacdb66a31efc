"""Access restrictions under test: an examination in memory, and what every restriction promises, as tests.

``RestrictionContract``: subclass it, give it ``factory`` (an IRestrictionFactory), ``argument`` and ``context``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from zope.interface import implementer
from zope.interface.verify import verifyObject

from mailer.interfaces.restriction import PERMIT, IExamination, IRestriction, IRestrictionFactory
from mailer.message.envelope import Client, Envelope
from mailer.message.session import Session
from mailer.message.status import Reply, TemporaryError
from mailer.testing.tables import answer

__all__ = ["MemoryExamination", "RestrictionContract", "sessions"]

_TAKES = ("", "table", "domain", "number", "server", "word")
_ADDRESSES = (
    "",
    "user@example.org",
    '"odd one"@example.org',
    "a@b@c.example",
    "user",
    "\u00e4@\u00f6.example",
    "x" * 300 + "@y.example",
)


@implementer(IExamination)
@dataclass
class MemoryExamination:
    """``notes`` and ``warnings`` are what the restriction told the log; ``postponed`` its postponed reply."""

    session: Session
    parameter: str = "smtpd_recipient_restrictions"
    stage: str = "Recipient address"
    subject: str = "user@example.org"
    notes: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    postponed: Reply | None = None

    def note(self, word: str, text: str) -> None:
        self.notes.append((word, text))

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def postpone(self, reply: Reply) -> None:
        self.postponed = self.postponed or reply


def sessions() -> Iterator[Session]:
    """Sessions at every stage: before HELO, before MAIL, with odd addresses, IPv6, logged in, at the end of the message."""
    stranger = Client(address="192.0.2.7")
    yield Session(stranger)
    yield Session(stranger, "ETRN", etrn_domain="example.org")
    greeted = Client(
        name="client.example", address="2001:db8::1", helo="client.example", protocol="ESMTP", sasl_username="joe"
    )
    yield Session(greeted, "EHLO", ehlo=True)
    for sender in _ADDRESSES:
        for recipient in _ADDRESSES[1:]:
            yield Session(greeted, "RCPT", Envelope(sender=sender, client=greeted), recipient, instance="1")
    for state in ("DATA", "END-OF-MESSAGE"):
        yield Session(greeted, state, Envelope(sender="", client=greeted), recipient_count=2, size=1000, instance="1")


class RestrictionContract:
    """What every restriction promises. ``factory``: IRestrictionFactory; ``argument``: one that makes sense."""

    factory: Any
    argument = ""

    def context(self) -> Any:
        """A mailer.interfaces.context.Context with what the restriction needs."""
        raise NotImplementedError

    def build(self) -> Any:
        return self.factory.build(self.argument, self.context())

    def test_the_factory_says_what_it_is(self) -> None:
        factory = self.factory
        assert IRestrictionFactory.providedBy(factory)
        assert factory.name.isidentifier() and factory.name.isascii()
        assert factory.summary and "\n" not in factory.summary
        assert factory.takes in _TAKES
        assert bool(factory.takes) == bool(self.argument)

    def test_it_provides_the_interface(self) -> None:
        assert verifyObject(IRestriction, self.build())

    def test_every_session_gets_an_answer(self) -> None:
        restriction = self.build()
        for session in sessions():
            try:
                found = answer(restriction.check(MemoryExamination(session)))
            except TemporaryError as error:
                assert 400 <= error.reply.code < 500
                continue
            assert found is None or found == PERMIT or isinstance(found, Reply)
            if isinstance(found, Reply):
                assert 400 <= found.code < 600 and found.text
                assert not found.enhanced or found.enhanced[0] == str(found.code)[0]

    def test_the_session_stays_as_it_is(self) -> None:
        restriction = self.build()
        for session, untouched in zip(sessions(), sessions(), strict=True):
            before = repr(untouched).replace(repr(untouched.envelope), "")
            answer_or_later(restriction, session)
            assert repr(session).replace(repr(session.envelope), "") == before

    def test_two_instances_do_not_meet(self) -> None:
        first, second = self.build(), self.build()
        assert first is not second


def answer_or_later(restriction: Any, session: Session) -> None:
    """Ask, and be content with "cannot tell now"."""
    try:
        answer(restriction.check(MemoryExamination(session)))
    except TemporaryError:
        return
