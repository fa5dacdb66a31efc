"""Transports in other processes: the scheduler hands a delivery over and is told each recipient's fate as soon as it is known.

    deliver   transport, queue id, nexthop, envelope, arrival, [recipient ...], activated, started, probe, busy, size,
              octets (of content that lies in its file; null: the body is the content)
    event     [fate ...]
    answer    [fate ...]           those told since the last event

    recipient [id, address, original, notify, orcpt]
    fate      ["tell", place among the recipients, outcome, shown (a recipient, or null)]
              ["partial", shown, outcome], ["unreachable", status, reason]

A process that goes down, or hangs, leaves its deliveries deferred ("cannot tell now"); what was told before counts.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any
from zlib import crc32

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from mailer.interfaces.transport import IOutcomes, ITransport, TransportUnavailable
from mailer.ipc.client import Client
from mailer.ipc.errors import LostPeer
from mailer.ipc.server import Call, Verb
from mailer.message.codec import dump_envelope, load_envelope
from mailer.message.delivery import DeliveryRequest
from mailer.message.envelope import Notify, Recipient
from mailer.message.queueid import is_queue_id
from mailer.message.status import Fate, Outcome, TemporaryError

__all__ = ["Fleet", "RemoteTransport", "TransportService"]

#: So many deliveries to one nexthop go to one process before the next process gets some: connections are reused, and still
#: a nexthop with many of them is served by many.
_TOGETHER = 50

_UNSET = Notify.UNSET
_fault = Logger()


class Fleet:
    """The processes that have the same transports. :param clients: one to each."""

    def __init__(self, clients: Sequence[Client]) -> None:
        self._clients = tuple(clients)
        self._under_way: dict[tuple[str, str], int] = {}

    def choose(self, key: tuple[str, str]) -> Client:
        """The process for one more delivery to a transport and nexthop; ``ended`` says that it is over."""
        count = self._under_way.get(key, 0)
        self._under_way[key] = count + 1
        clients = self._clients
        if len(clients) == 1:
            return clients[0]
        home = crc32("\0".join(key).encode("utf-8", "surrogateescape"))
        return clients[(home + count // _TOGETHER) % len(clients)]

    def ended(self, key: tuple[str, str]) -> None:
        count = self._under_way[key] - 1
        if count:
            self._under_way[key] = count
        else:
            del self._under_way[key]


@implementer(ITransport)
class RemoteTransport:
    """A service of master.cf that other processes carry out. :param name: of the service."""

    def __init__(self, fleet: Fleet, name: str) -> None:
        self._fleet = fleet
        self._name = name

    async def deliver(self, request: DeliveryRequest, outcomes: Any) -> None:
        content = request.content
        body, octets = content.inline, None
        if body is None:
            if content.filed:
                body, octets = b"", content.size
            else:
                body = b"".join([piece async for piece in content.chunks()])
        recipients = request.recipients

        def told(values: list[Any], _: bytes) -> None:
            _tell(outcomes, recipients, values[0])

        key = (self._name, request.nexthop)
        client = self._fleet.choose(key)
        try:
            values, _ = await client.call(
                "deliver",
                self._name,
                request.queue_id,
                request.nexthop,
                dump_envelope(request.envelope),
                request.envelope.arrival,
                [_dump_recipient(recipient) for recipient in recipients],
                request.activated,
                request.started,
                request.probe,
                request.busy,
                request.size,
                octets,
                body=body,
                events=told,
            )
        except LostPeer as error:
            raise TemporaryError(error.cause, "4.3.0", "unknown mail transport error") from error
        finally:
            self._fleet.ended(key)
        _tell(outcomes, recipients, values[0])

    async def stop(self) -> None:
        """The processes look after their connections."""


def _tell(outcomes: Any, recipients: list[Recipient], fates: list[Any]) -> None:
    for what, *values in fates:
        if what == "tell":
            place, outcome, shown = values
            outcomes.tell(recipients[place], load_outcome(outcome), shown and _load_recipient(shown))
        elif what == "partial":
            outcomes.partial(_load_recipient(values[0]), load_outcome(values[1]))
        else:
            outcomes.unreachable(*values)


def _dump_recipient(recipient: Recipient) -> list[Any]:
    if recipient.notify is _UNSET and not recipient.orcpt:
        return [recipient.id, recipient.address, recipient.original]
    return [recipient.id, recipient.address, recipient.original, int(recipient.notify), recipient.orcpt]


def _load_recipient(row: list[Any]) -> Recipient:
    number, address, original, *rare = row
    if rare:
        return Recipient(address, original, Notify(rare[0]), rare[1], number)
    return Recipient(address, original, _UNSET, "", number)


_ORDINARY = ["", "", "", False, 1, "smtp", ""]


def dump_outcome(outcome: Outcome) -> list[Any]:
    """All of it, as JSON takes it."""
    row = [outcome.fate.value, outcome.status, outcome.text, outcome.relay, outcome.connected]
    rare = [outcome.remote_mta, outcome.diagnostic, outcome.action, outcome.dsn_passed_on, outcome.conn_use]
    rare += [outcome.diagnostic_type, outcome.service]
    return row + rare if rare != _ORDINARY else row


def load_outcome(row: list[Any]) -> Outcome:
    """:raise ValueError: (or TypeError) not what ``dump_outcome`` made."""
    return Outcome(Fate(row[0]), *row[1:])


class TransportService:
    """The side of a process that delivers: ``verbs``. ``under_way`` counts deliveries.

    :param transports: ITransport by service name.
    :param content: ``content(queue_id, octets, inline)`` makes an IContent; ``inline`` is None for one in a file.
    """

    def __init__(self, transports: Mapping[str, Any], content: Callable[[str, int, bytes | None], Any]) -> None:
        self._transports = transports
        self._content = content
        self.under_way = 0
        self.verbs: dict[str, Verb] = {"deliver": self._deliver}

    def _deliver(self, call: Call) -> None:
        (
            name, queue_id, nexthop, envelope, arrival, rows, activated, started, probe, busy, size, octets,
        ) = call.arguments  # fmt: skip
        transport = self._transports.get(name)
        if transport is None:
            raise TransportUnavailable("No such file or directory")
        if not is_queue_id(queue_id):
            raise ValueError(f"no queue id: {str(queue_id)[:100]}")
        filed = octets is not None
        request = DeliveryRequest(
            queue_id,
            load_envelope(envelope, arrival),
            self._content(queue_id, octets if filed else len(call.body), None if filed else call.body),
            name,
            nexthop,
            [_load_recipient(row) for row in rows],
            activated,
            started,
            probe,
            busy,
            size,
        )
        self.under_way += 1
        told = _Told(call, request.recipients, self._ended)
        told.drive(transport.deliver(request, told))

    def _ended(self) -> None:
        self.under_way -= 1


@implementer(IOutcomes)
class _Told:
    """The IOutcomes of one delivery; drives its coroutine. What is told in one turn of that travels together."""

    __slots__ = ("_call", "_coroutine", "_ended", "_fates", "_places", "_turn")

    def __init__(self, call: Call, recipients: list[Recipient], ended: Callable[[], None]) -> None:
        self._call = call
        self._ended = ended
        self._places = {recipient.id: place for place, recipient in enumerate(recipients)}
        self._fates: list[list[Any]] = []
        self._turn = False
        self._coroutine: Coroutine[Any, Any, None]

    def drive(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._coroutine = coroutine
        self._go_on()

    def _go_on(self, fired: Any = None) -> None:
        # As in mailer.schedule.delivery: until it really waits, a delivery costs a call.
        self._turn = True
        try:
            failed = isinstance(fired, Failure)
            awaited = self._coroutine.throw(fired.value) if failed else self._coroutine.send(None)
        except StopIteration:
            self._ended()
            self._call.answer(self._fates)
        except Exception as error:
            self._ended()
            self._flush()
            self._call.fail(error)
        else:
            if isinstance(awaited, Deferred):
                self._turn = False
                self._flush()
                awaited.addBoth(self._go_on)
            else:
                self._ended()
                self._flush()
                self._call.fail(TypeError(f"a delivery awaits {awaited!r}, which is no Deferred"))

    def _flush(self) -> None:
        if self._fates:
            fates, self._fates = self._fates, []
            self._call.event(fates)

    def _add(self, fate: list[Any]) -> None:
        self._fates.append(fate)
        if not self._turn:
            self._flush()

    def tell(self, recipient: Recipient, outcome: Outcome, shown: Recipient | None = None) -> None:
        place = self._places.get(recipient.id)
        if place is None:
            _fault.error("a fate was told of a stranger: {recipient} {outcome}", recipient=recipient, outcome=outcome)
            return
        self._add(["tell", place, dump_outcome(outcome), shown and _dump_recipient(shown)])

    def partial(self, shown: Recipient, outcome: Outcome) -> None:
        self._add(["partial", _dump_recipient(shown), dump_outcome(outcome)])

    def unreachable(self, status: str, reason: str) -> None:
        self._add(["unreachable", status, reason])
