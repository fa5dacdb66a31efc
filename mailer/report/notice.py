"""One notice as text around the original message: everything that a `Notice` says, laid out as multipart/report (RFC 6522).

``opening`` gives all that stands before the original message, ``closing`` what stands behind it; the original itself is
streamed between the two by whoever sends the notice. Pure: no settings, no clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mailer.message.address import encode, quote
from mailer.message.envelope import Recipient
from mailer.message.status import Outcome
from mailer.report.fields import date_of, message_fields, recipient_fields
from mailer.report.templates import Template
from mailer.report.wrapping import wrap

__all__ = ["Notice", "Original", "Site", "closing", "opening"]


@dataclass(frozen=True)
class Site:
    """Who reports. ``daemon_from`` is the From field's body of built-in templates."""

    host: str
    mail_name: str
    daemon_from: str


@dataclass(frozen=True)
class Original:
    """The message that is reported on. ``encoding`` is the notice's: 8bit, 7bit or "" (nobody has said)."""

    queue_id: str
    sender: str
    arrival: float
    envelope_id: str
    message_id: str
    international: bool
    encoding: str


@dataclass(frozen=True)
class Notice:
    """What is to be told to whom. ``sender`` and ``recipient`` are the notice's envelope.

    ``results`` are ``(recipient, outcome, DSN action)``; ``traced`` says that each shows its route; ``full`` returns the
    original's body, too; ``until`` is when attempts end (delay warnings). ``kind`` is how the log calls the notice.
    """

    kind: str
    sender: str
    recipient: str
    template: Template
    results: tuple[tuple[Recipient, Outcome, str], ...]
    postmaster: bool = False
    full: bool = False
    traced: bool = False
    until: float | None = None


def opening(
    notice: Notice, original: Original, site: Site, queue_id: str, now: float, headers: Iterable[str] = ()
) -> bytes:
    """From the header to the beginning of the original message, CRLF line ends.

    :param queue_id: the notice's own. :param headers: further header lines for the notice.
    """
    boundary = _boundary(original, site, now)
    parts = [
        *_header(notice, original, site, queue_id, now, boundary, headers),
        *_explanation(notice, original, boundary),
        *_report(notice, original, site, boundary),
        *_enclosure(notice, original, boundary),
        f"Return-Path: <{quote(original.sender)}>",
        "",
    ]
    return encode("\n".join(parts).replace("\n", "\r\n"))


def closing(original: Original, site: Site, now: float) -> bytes:
    """All that follows the original message."""
    return f"\r\n--{_boundary(original, site, now)}--\r\n".encode()


def _boundary(original: Original, site: Site, now: float) -> str:
    return f"{original.queue_id}.{int(now)}/{site.host}"


def _header(
    notice: Notice, original: Original, site: Site, queue_id: str, now: float, boundary: str, more: Iterable[str]
) -> Iterable[str]:
    template = notice.template
    date = date_of(now)
    yield f"Received: by {site.host} ({site.mail_name})"
    yield f"\tid {queue_id}; {date}"
    yield f"Date: {date}"
    yield f"From: {template.sender or site.daemon_from}"
    yield f"Subject: {template.postmaster_subject if notice.postmaster else template.subject}"
    yield f"To: {quote(notice.recipient)}"
    yield from more
    yield f"Auto-Submitted: {'auto-generated' if notice.postmaster else 'auto-replied'}"
    yield "MIME-Version: 1.0"
    yield "Content-Type: multipart/report; report-type=delivery-status;"
    yield f'\tboundary="{boundary}"'
    if original.encoding:
        yield f"Content-Transfer-Encoding: {original.encoding}"
    yield ""
    yield "This is a MIME-encapsulated message."


def _explanation(notice: Notice, original: Original, boundary: str) -> Iterable[str]:
    eight = original.encoding == "8bit"
    charset = notice.template.charset
    yield f"\n--{boundary}"
    yield "Content-Description: Notification"
    yield f"Content-Type: text/plain; charset={'utf-8' if eight and charset.lower() == 'us-ascii' else charset}"
    yield from _transfer(original)
    yield "" if notice.postmaster else "\n" + notice.template.text.removesuffix("\n")
    for recipient, outcome, _ in notice.results:
        was = f" (expanded from <{quote(recipient.original)}>)" if _expanded(recipient) else ""
        yield "\n" + wrap(f"<{quote(recipient.address)}>{was}: {_reason(notice, outcome)}")


def _expanded(recipient: Recipient) -> bool:
    return bool(recipient.original) and recipient.original.lower() != recipient.address.lower()


def _reason(notice: Notice, outcome: Outcome) -> str:
    text = "alias expanded" if outcome.action == "expanded" else outcome.text
    return f"delivery via {outcome.relay}: {text}" if notice.traced and outcome.relay != "none" else text


def _report(notice: Notice, original: Original, site: Site, boundary: str) -> Iterable[str]:
    label = site.mail_name.replace(" ", "-")
    yield f"\n--{boundary}"
    yield "Content-Description: Delivery report"
    if original.international:
        yield "Content-Type: message/global-delivery-status"
        yield from _transfer(original)
    else:
        yield "Content-Type: message/delivery-status"
    yield ""
    yield from message_fields(
        site.host, label, original.queue_id, original.sender, original.arrival, original.envelope_id
    )
    for recipient, outcome, action in notice.results:
        yield ""
        reason = _reason(notice, outcome)
        yield from recipient_fields(recipient, outcome, action, label, original.international, notice.until, reason)


def _enclosure(notice: Notice, original: Original, boundary: str) -> Iterable[str]:
    what = "Message" if notice.traced else "Undelivered Message"
    whole, header = ("global", "global-headers") if original.international else ("rfc822", "rfc822-headers")
    yield f"\n--{boundary}"
    yield f"Content-Description: {what if notice.full else what + ' Headers'}"
    if notice.full:
        yield f"Content-Type: message/{whole}"
    else:
        yield f"Content-Type: {'message' if original.international else 'text'}/{header}"
    yield from _transfer(original)
    yield ""


def _transfer(original: Original) -> Iterable[str]:
    if original.encoding == "8bit":
        yield "Content-Transfer-Encoding: 8bit"
