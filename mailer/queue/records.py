"""A queued message as the records of a Postfix queue file, which is how postcat(1) shows it.

The store has no such records; this makes those that Postfix would have written for the same message, with the offsets and
record types (decimal with ``-d``) that they would have. Content is shown line by line, with LF line ends.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from mailer.message.address import encode
from mailer.message.envelope import Client, Envelope, Notify, Recipient
from mailer.queue.reading import Stored

__all__ = ["Record", "content_records", "envelope_records", "extracted_records"]

_RET = {"FULL": 1, "HDRS": 2}
_ENCODINGS = {"8BITMIME": "8bit", "7BIT": "7bit"}
_PIECE = 2048  # line_length_limit's default


@dataclass(frozen=True, slots=True)
class Record:
    """``kind`` is the record type, ``shown`` the line as postcat prints it, ``stored`` how many octets its text has.
    ``unfinished`` is a piece of a content line that goes on in the next record."""

    kind: str
    shown: bytes
    stored: int
    unfinished: bool = False

    @property
    def length(self) -> int:
        """Octets in the file: type, length (seven bits each), text."""
        length_octets, rest = 1, self.stored >> 7
        while rest:
            length_octets, rest = length_octets + 1, rest >> 7
        return 1 + length_octets + self.stored


def _record(kind: str, label: str, text: str) -> Record:
    octets = encode(text)
    return Record(kind, encode(label) + b": " + octets, len(octets))


def _attribute(name: str, value: object) -> Record:
    return _record("A", "named_attribute", f"{name}={value}")


def _time(kind: str, label: str, seconds: float, stored: str) -> Record:
    return Record(kind, f"{label}: {time.ctime(seconds)}".encode(), len(stored))


def envelope_records(stored: Stored, done: Collection[int], warn_after: float = 0) -> list[Record]:
    """From the size record to the last recipient.

    :param done: ids of recipients that are not pending any more.
    :param warn_after: delay_warning_time in seconds, 0 for never (or no more).
    """
    body = _head(stored)
    if warn_after:
        warn_at = stored.arrival + warn_after
        body.append(_time("W", "warning_message_time", warn_at, str(int(warn_at))))
    body += _recipients(stored.recipients, done)
    notify = 0
    for recipient in stored.recipients:
        notify |= recipient.notify
    # The size record is the first: six numbers of fifteen digits. What follows the envelope is the two octets of "M".
    numbers = [stored.size, 0, stored.total, notify << 1, stored.size, int(stored.envelope.smtputf8)]
    size = _size(numbers)
    numbers[1] = size.length + sum(record.length for record in body) + 2
    return [_size(numbers), *body]


def _size(numbers: list[int]) -> Record:
    return _record("C", "message_size", " ".join(f"{number:15d}" for number in numbers))


def _head(stored: Stored) -> list[Record]:
    envelope, arrival = stored.envelope, stored.arrival
    seconds = int(arrival)
    head = [
        _time("T", "message_arrival_time", arrival, f"{seconds} {int((arrival - seconds) * 1e6)}"),
        _time("A", "create_time", arrival, f"create_time={seconds}"),
        *_origin(stored),
    ]
    if envelope.fullname:
        head.append(_record("F", "sender_fullname", envelope.fullname))
    head.append(_record("S", "sender", envelope.sender))
    if envelope.verp:
        head.append(_record("V", "verp_delimiters", envelope.verp))
    if envelope.body:
        head.append(_attribute("encoding", _ENCODINGS[envelope.body]))
    if envelope.source == "smtp":
        head += _client(envelope.client)
    return head


def _origin(stored: Stored) -> Iterator[Record]:
    envelope = stored.envelope
    if envelope.source == "smtp":
        yield _attribute("log_ident", stored.queue_id)
        yield _attribute("rewrite_context", envelope.context)
        yield from _dsn(envelope)
    elif envelope.source == "local":
        yield from _dsn(envelope)
        yield _attribute("rewrite_context", envelope.context)
    else:
        yield _attribute("log_message_origin", "local")
        yield from _dsn(envelope)


def _dsn(envelope: Envelope) -> Iterator[Record]:
    if envelope.envid:
        yield _attribute("envelope_id", envelope.envid)
    if envelope.ret:
        yield _attribute("ret_flags", _RET.get(envelope.ret, 0))


def _client(client: Client) -> Iterator[Record]:
    yield _attribute("log_client_name", client.name)
    yield _attribute("log_client_address", client.address)
    yield _attribute("log_client_port", client.port)
    yield _attribute("log_message_origin", client.printable)
    yield _attribute("log_helo_name", client.helo)
    yield _attribute("log_protocol_name", client.protocol)
    if client.sasl_method:
        yield _attribute("sasl_method", client.sasl_method)
    if client.sasl_username:
        yield _attribute("sasl_username", client.sasl_username)
    if client.sasl_sender:
        yield _attribute("sasl_sender", client.sasl_sender)
    yield _attribute("client_name", client.name)
    yield _attribute("reverse_client_name", client.reverse_name)
    yield _attribute("client_address", client.address)
    yield _attribute("client_port", client.port)
    yield _attribute("helo_name", client.helo)
    yield _attribute("protocol_name", client.protocol)
    yield _attribute("client_address_type", 10 if ":" in client.address else 2)


def _recipients(recipients: list[Recipient], done: Collection[int]) -> Iterator[Record]:
    for recipient in recipients:
        original = recipient.original or recipient.address
        if recipient.notify is not Notify.UNSET:
            yield _attribute("notify_flags", int(recipient.notify))
        yield _attribute("dsn_orig_rcpt", recipient.orcpt or f"rfc822;{original}")
        yield _record("O", "original_recipient", original)
        if recipient.id in done:
            yield _record("D", "done_recipient", recipient.address)
        else:
            yield _record("R", "recipient", recipient.address)


def extracted_records(envelope: Envelope) -> Iterator[Record]:
    """What stands after the content."""
    if envelope.body:
        yield _attribute("encoding", _ENCODINGS[envelope.body])
    if envelope.filter:
        yield _record("L", "content_filter", envelope.filter)
    if envelope.redirect:
        yield _record(">", "redirect_to", envelope.redirect)


def content_records(lines: Iterator[bytes]) -> Iterator[Record]:
    """:param lines: without their line ends."""
    for line in lines:
        while len(line) >= _PIECE:
            yield Record("L", line[:_PIECE], _PIECE, True)
            line = line[_PIECE:]
        yield Record("N", line, len(line))
