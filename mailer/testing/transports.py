"""What every provider of ITransport must do, as a test case to inherit from.

A subclass of ``TransportContract`` and unittest.TestCase (or a pytest class) provides ``make_transport()``, ``nexthop``
(one that takes everything), ``finish(coroutine)`` (runs it to its end, whatever it waits for, and gives its result), and
``delivered()``: the contents that arrived so far, or None if a transport keeps none. ``multiple`` says whether one
delivery may have several recipients, ``probes`` whether it can find out without delivering.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine
from copy import deepcopy
from typing import Any

from zope.interface import implementer
from zope.interface.verify import verifyObject

from mailer.interfaces.queue import IContent
from mailer.interfaces.transport import IOutcomes, ITransport
from mailer.message.delivery import DeliveryRequest
from mailer.message.envelope import Envelope, Recipient
from mailer.message.status import Fate, MailError, Outcome, TemporaryError

__all__ = ["BrokenContent", "MemoryContent", "RecordingOutcomes", "TransportContract"]

CONTENT = b"Subject: contract\r\n\r\nhello\r\n.a line with a dot\r\n.\r\nend\r\n"


@implementer(IContent)
class MemoryContent:
    """A content in memory; ``inline`` only if it is small, as a store does it."""

    filed = False

    def __init__(self, octets: bytes, small: bool = True, piece: int = 65536) -> None:
        self.size = len(octets)
        self.inline = octets if small else None
        self.reads = 0
        self._octets = octets
        self._piece = piece

    async def chunks(self, start: int = 0) -> AsyncIterator[bytes]:
        self.reads += 1
        for at in range(start, self.size, self._piece):
            yield self._octets[at : at + self._piece]


@implementer(IContent)
class BrokenContent:
    """A content that cannot be read to its end."""

    inline = None
    filed = False

    def __init__(self, octets: bytes = CONTENT) -> None:
        self.size = 2 * len(octets)
        self._octets = octets

    async def chunks(self, start: int = 0) -> AsyncIterator[bytes]:
        yield self._octets[start:]
        raise TemporaryError("disk error")


@implementer(IOutcomes)
class RecordingOutcomes:
    """``told`` holds ``(recipient, outcome)`` in order, ``parts`` what was told of parts of recipients, ``down`` the reasons
    why the nexthop was called unreachable."""

    def __init__(self) -> None:
        self.told: list[tuple[Recipient, Outcome]] = []
        self.parts: list[tuple[Recipient, Outcome]] = []
        self.down: list[tuple[str, str]] = []

    def tell(self, recipient: Recipient, outcome: Outcome, shown: Recipient | None = None) -> None:
        self.told.append((recipient, outcome))

    def partial(self, shown: Recipient, outcome: Outcome) -> None:
        self.parts.append((shown, outcome))

    def unreachable(self, status: str, reason: str) -> None:
        self.down.append((status, reason))

    @property
    def fates(self) -> list[str]:
        """``address fate`` in order."""
        return [f"{recipient.address} {outcome.fate.value}" for recipient, outcome in self.told]


class TransportContract:
    """The suite."""

    nexthop = "nexthop.example"
    multiple = True
    probes = True

    def make_transport(self) -> Any:
        raise NotImplementedError

    def finish(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        raise NotImplementedError

    def delivered(self) -> list[bytes] | None:
        return None

    # -- means

    def request(self, *addresses: str, content: Any = None, **more: Any) -> DeliveryRequest:
        recipients = [
            Recipient(address, address, id=n + 1) for n, address in enumerate(addresses or ("one@example.org",))
        ]
        return DeliveryRequest(
            "4Xk3yK2Wz1z9rkC",
            Envelope("sender@example.com"),
            content or MemoryContent(CONTENT),
            "transport",
            self.nexthop,
            recipients,
            **more,
        )

    def deliver(self, transport: Any, request: DeliveryRequest) -> RecordingOutcomes:
        """One delivery, with everything checked that holds for all."""
        outcomes = RecordingOutcomes()
        before = deepcopy((request.envelope, request.recipients))
        self.finish(transport.deliver(request, outcomes))
        assert (request.envelope, request.recipients) == before, "a transport changes nothing"
        told = [id(recipient) for recipient, _ in outcomes.told]
        assert len(told) == len(set(told)), "a recipient is told once"
        assert set(told) <= {id(recipient) for recipient in request.recipients}, "the same objects"
        for _, outcome in outcomes.told:
            self.check(outcome, request.probe)
        return outcomes

    def check(self, outcome: Outcome, probe: bool) -> None:
        classes = {
            Fate.SENT: "2",
            Fate.DEFERRED: "4",
            Fate.BOUNCED: "5",
            Fate.DELIVERABLE: "2",
            Fate.UNDELIVERABLE: "45",
        }
        assert outcome.status[0] in classes[outcome.fate], outcome
        assert probe == (outcome.fate in (Fate.DELIVERABLE, Fate.UNDELIVERABLE)), outcome
        assert outcome.text and "\n" not in outcome.text and outcome.relay, outcome

    # -- what must hold

    def test_it_is_a_transport(self) -> None:
        assert verifyObject(ITransport, self.make_transport())

    def test_a_recipient_gets_the_message(self) -> None:
        outcomes = self.deliver(self.make_transport(), self.request())
        assert outcomes.fates == ["one@example.org sent"] and not outcomes.down
        assert self.delivered() in (None, [CONTENT])

    def test_several_recipients_are_all_told(self) -> None:
        if not self.multiple:
            return
        outcomes = self.deliver(self.make_transport(), self.request("a@example.org", "b@example.org", "c@example.org"))
        assert sorted(outcomes.fates) == [f"{name}@example.org sent" for name in "abc"]

    def test_content_that_is_not_at_hand_is_read_piece_by_piece(self) -> None:
        octets = b"Subject: large\r\n\r\n" + b"." * 60 + b"\r\n" + (b"x" * 70 + b"\r\n") * 5000
        outcomes = self.deliver(self.make_transport(), self.request(content=MemoryContent(octets, False, 1000)))
        assert outcomes.fates == ["one@example.org sent"]
        assert self.delivered() in (None, [octets])

    def test_content_that_cannot_be_read_is_never_delivered_in_part(self) -> None:
        if self.delivered() is None:
            return
        try:
            outcomes = self.deliver(self.make_transport(), self.request(content=BrokenContent()))
        except MailError as error:
            assert error.reply.temporary
        else:
            assert [outcome.fate for _, outcome in outcomes.told] in ([], [Fate.DEFERRED])
        assert self.delivered() == []

    def test_the_same_content_is_delivered_again_and_again(self) -> None:
        transport, content = self.make_transport(), MemoryContent(CONTENT)
        for _ in range(3):
            assert self.deliver(transport, self.request(content=content)).fates == ["one@example.org sent"]
        assert self.delivered() in (None, [CONTENT] * 3)

    def test_a_probe_delivers_nothing(self) -> None:
        if not self.probes:
            return
        outcomes = self.deliver(self.make_transport(), self.request(probe=True))
        assert outcomes.fates == ["one@example.org deliverable"]
        assert self.delivered() in (None, [])

    def test_it_stops_even_if_it_never_worked(self) -> None:
        transport = self.make_transport()
        self.finish(transport.stop())

    def test_it_stops_after_work(self) -> None:
        transport = self.make_transport()
        self.deliver(transport, self.request(busy=True))
        self.finish(transport.stop())
        self.finish(transport.stop())
