"""Envelope, recipients and outcomes as compact JSON, and back.

JSON because tools of another Python version, and another user, read the same store. Only what differs from the default is
written. Text is written in ASCII with escapes, so that octets kept by surrogateescape survive. Actions that were carried
out before the message was queued (discard, bcc, prepend) and the client's SIZE promise are not kept.
"""

from __future__ import annotations

import json
from json.encoder import encode_basestring_ascii as _quote
from operator import attrgetter

from mailer.message.envelope import Client, Envelope, Notify, Recipient
from mailer.message.status import Fate, Outcome

__all__ = [
    "dump_envelope",
    "dump_outcome",
    "dump_recipients",
    "load_envelope",
    "load_outcome",
    "load_recipients",
    "outline",
]

_encode = json.JSONEncoder(separators=(",", ":")).encode
_UNSET = Notify.UNSET

_RARE = (
    "source", "context", "body", "smtputf8", "ret", "envid", "fullname", "overrides",
    "hold", "filter", "redirect", "verp", "expanded", "probe",
)  # fmt: skip
_rare = attrgetter(*_RARE)
_ORDINARY = _rare(Envelope())
_client = attrgetter("name", "address", "port", "reverse_name", "helo", "protocol")
_session = attrgetter("tls_protocol", "sasl_method", "sasl_username", "sasl_sender")
_NO_SESSION = ("", "", "", "")


def dump_envelope(envelope: Envelope) -> str:
    client, rare = envelope.client, _rare(envelope)
    session = _session(client)
    # The ordinary case is written by hand: a fifth of the time.
    text = f'{{"sender":{_quote(envelope.sender)},"client":[{",".join(map(_quote, _client(client)))}]'
    if session != _NO_SESSION:
        text += f',"session":{_encode(session)}'
    if rare != _ORDINARY:
        for name, value, ordinary in zip(_RARE, rare, _ORDINARY, strict=True):
            if value != ordinary:
                text += f',"{name}":{_encode(sorted(value) if name == "overrides" else value)}'
    return text + "}"


def load_envelope(text: str, arrival: float) -> Envelope:
    """:raise ValueError: (and its kin KeyError, TypeError) the text is not what ``dump_envelope`` wrote."""
    record = json.loads(text)
    client = Client(*record.pop("client"), *record.pop("session", ()))
    if "overrides" in record:
        record["overrides"] = frozenset(record["overrides"])
    return Envelope(client=client, arrival=arrival, **record)


def outline(text: str) -> str:
    """The sender alone, for listings."""
    sender: str = json.loads(text)["sender"]
    return sender


def dump_recipients(recipients: list[Recipient]) -> str:
    """Recipients without their ids: those count from the block's first."""
    rows = []
    for recipient in recipients:
        row = _quote(recipient.address)
        if recipient.orcpt or recipient.notify is not _UNSET:
            row += f",{_quote(recipient.original)},{recipient.notify:d},{_quote(recipient.orcpt)}"
        elif recipient.original:
            row += "," + _quote(recipient.original)
        rows.append(row)
    return f"[[{'],['.join(rows)}]]" if rows else "[]"


def load_recipients(text: str, first: int) -> list[Recipient]:
    """:param first: the id of the first one. :raise ValueError: (or TypeError) not what ``dump_recipients`` wrote."""
    return [_recipient(number, *row) for number, row in enumerate(json.loads(text), first)]


def _recipient(number: int, address: str, original: str = "", notify: int = 0, orcpt: str = "") -> Recipient:
    return Recipient(address, original, Notify(notify) if notify else _UNSET, orcpt, number)


def dump_outcome(outcome: Outcome) -> str:
    """What a later bounce or mailq needs of it."""
    row = (outcome.fate.value, outcome.status, outcome.text, outcome.relay, outcome.remote_mta, outcome.diagnostic)
    return _encode(row if outcome.diagnostic_type == "smtp" else (*row, outcome.diagnostic_type))


def load_outcome(text: str) -> Outcome:
    fate, status, reason, relay, remote_mta, diagnostic, *kind = json.loads(text)
    more = {"diagnostic_type": kind[0]} if kind else {}
    return Outcome(Fate(fate), status, reason, relay, remote_mta=remote_mta, diagnostic=diagnostic, **more)
