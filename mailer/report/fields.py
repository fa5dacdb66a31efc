"""The machine-readable part of a notice: per-message and per-recipient fields (RFC 3464 2.2 and 2.3, RFC 6533 3)."""

from __future__ import annotations

import time
from collections.abc import Iterable

from mailer.message.address import quote
from mailer.message.date import mail_date
from mailer.message.envelope import Recipient
from mailer.message.status import Outcome
from mailer.report.wrapping import wrap

__all__ = ["date_of", "message_fields", "recipient_fields"]


def date_of(seconds: float) -> str:
    """A moment as header fields have it, in the local time zone."""
    return mail_date(time.localtime(seconds))


def message_fields(
    host: str, mail_name: str, queue_id: str, sender: str, arrival: float, envelope_id: str
) -> Iterable[str]:
    """:param sender: the envelope sender of the message concerned. :param mail_name: what the X- fields are named after.
    :param envelope_id: the sender's ENVID, "" for none."""
    yield f"Reporting-MTA: dns; {host}"
    if envelope_id:
        yield f"Original-Envelope-Id: {envelope_id}"
    yield f"X-{mail_name}-Queue-ID: {queue_id}"
    yield f"X-{mail_name}-Sender: {_typed(sender, True)}"
    yield f"Arrival-Date: {date_of(arrival)}"


def recipient_fields(
    recipient: Recipient,
    outcome: Outcome,
    action: str,
    mail_name: str,
    international: bool,
    until: float | None,
    reason: str,
) -> Iterable[str]:
    """:param international: whether the report may name addresses in UTF-8. :param until: when attempts end, for delays.
    :param reason: what the diagnostic says when the peer said nothing."""
    yield f"Final-Recipient: {_typed(recipient.address, international)}"
    yield f"Original-Recipient: {recipient.orcpt or 'rfc822;' + quote(recipient.original or recipient.address)}"
    yield f"Action: {action}"
    yield f"Status: {outcome.status}"
    if outcome.remote_mta:
        yield f"Remote-MTA: dns; {outcome.remote_mta}"
    if outcome.diagnostic:
        yield wrap(f"Diagnostic-Code: {outcome.diagnostic_type}; {_one_line(outcome.diagnostic)}")
    else:
        yield wrap(f"Diagnostic-Code: X-{mail_name}; {_one_line(reason)}")
    if until is not None:
        yield f"Will-Retry-Until: {date_of(until)}"


def _typed(address: str, international: bool) -> str:
    kind = "utf-8" if international and not address.isascii() else "rfc822"
    return f"{kind}; {quote(address)}"


def _one_line(text: str) -> str:
    return " ".join(text.split("\n"))
