"""What is said of a message before its content: MAIL and RCPT with their parameters, XFORWARD.

RFC 5321 4.1.1.2, 1870, 6152, 3461 4, 6531 3.4; XFORWARD_README. Pure.
"""

from __future__ import annotations

import re

from mailer.deliver.smtp.parameters import ClientParameters
from mailer.message.address import encode, quote
from mailer.message.delivery import DeliveryRequest
from mailer.message.envelope import Client, Notify, Recipient
from mailer.wire.smtp.client import Step, Transaction
from mailer.wire.smtp.offers import Offers

__all__ = ["mail_command", "rcpt_command", "transaction_for", "xforward_commands", "xtext"]

_XTEXT = re.compile(rb"[^!-*,-<>-~]").sub
_NOTIFY = ((Notify.NEVER, "NEVER"), (Notify.SUCCESS, "SUCCESS"), (Notify.FAILURE, "FAILURE"), (Notify.DELAY, "DELAY"))
_NO_LINE_END = {ord("\r"): "?", ord("\n"): "?"}


def xtext(text: str) -> bytes:
    """RFC 3461 4: everything but printable ASCII, ``+`` and ``=`` as ``+XX``."""
    return _XTEXT(lambda match: b"+%02X" % match.group()[0], encode(text))


def _unitext(text: str) -> bytes:
    """RFC 6533 3: UTF-8 within ASCII, for servers that do not take it as it is."""
    return "".join(
        char if "!" <= char <= "~" and char not in "+=\\" else f"\\x{{{ord(char):02X}}}" for char in text
    ).encode("ascii")


def _path(address: str, parameters: ClientParameters) -> bytes:
    path = quote(address) if parameters.quote_rfc821_envelope else address
    # A line end in an address, however it got there, must not end the command.
    return encode(path.translate(_NO_LINE_END) if "\n" in path or "\r" in path else path)


def transaction_for(
    request: DeliveryRequest,
    recipients: list[Recipient],
    offers: Offers,
    parameters: ClientParameters,
    logged_in: bool = False,
) -> Transaction:
    """All that is said of a message before its content. :param logged_in: whether the session is authenticated."""
    envelope = request.envelope
    preamble: tuple[tuple[bytes, Step], ...] = ()
    if parameters.send_xforward and offers.xforward:
        preamble = tuple(xforward_commands(envelope.client, envelope.source, offers.xforward, request.queue_id))
    smtputf8 = envelope.smtputf8 and offers.smtputf8
    return Transaction(
        mail_command(request, offers, parameters, logged_in),
        [rcpt_command(each, offers, parameters, smtputf8) for each in recipients],
        preamble=preamble,
    )


def mail_command(
    request: DeliveryRequest, offers: Offers, parameters: ClientParameters, logged_in: bool = False
) -> bytes:
    """MAIL FROM, with what the server understands of SIZE, BODY, RET, ENVID, SMTPUTF8 and AUTH."""
    envelope = request.envelope
    command = b"MAIL FROM:<%s>" % _path(envelope.sender, parameters)
    if not offers.esmtp:
        return command
    # Content that may have to be converted has no size yet.
    settled = offers.eightbit or envelope.body == "7BIT" or parameters.disable_mime_output_conversion
    if offers.size and settled:
        command += b" SIZE=%d" % request.content.size
    if offers.eightbit and envelope.body:
        command += b" BODY=" + envelope.body.encode("ascii")
    if offers.dsn:
        if envelope.envid:
            command += b" ENVID=" + xtext(envelope.envid)
        if envelope.ret:
            command += b" RET=" + envelope.ret.encode("ascii")
    if offers.smtputf8 and envelope.smtputf8:
        command += b" SMTPUTF8"
    if logged_in and parameters.send_dummy_mail_auth:
        command += b" AUTH=<>"
    return command


def rcpt_command(recipient: Recipient, offers: Offers, parameters: ClientParameters, smtputf8: bool = False) -> bytes:
    """RCPT TO, with ORCPT and NOTIFY if the server understands them."""
    command = b"RCPT TO:<%s>" % _path(recipient.address, parameters)
    if offers.dsn:
        orcpt = recipient.orcpt or _original(recipient)
        kind, _, address = orcpt.partition(";")
        utf8 = kind.lower() == "utf-8" and not address.isascii()
        command += b" ORCPT=%s;%s" % (encode(kind), _unitext(address) if utf8 and not smtputf8 else xtext(address))
        if recipient.notify:
            command += b" NOTIFY=" + ",".join(name for bit, name in _NOTIFY if recipient.notify & bit).encode("ascii")
    return command


def _original(recipient: Recipient) -> str:
    return "rfc822;" + quote(recipient.original or recipient.address)


def xforward_commands(client: Client, source: str, offered: frozenset[str], ident: str) -> list[tuple[bytes, Step]]:
    """XFORWARD: whom the message came from, as far as the server wants to know and we do."""
    values = {
        "NAME": "" if client.name == "unknown" else client.name,
        "ADDR": f"IPV6:{client.address}" if ":" in client.address else client.address,
        "PORT": client.port,
        "PROTO": client.protocol,
        "HELO": client.helo,
        "IDENT": ident,
        "SOURCE": "REMOTE" if source == "smtp" else "LOCAL",
    }
    commands = []
    for step, keys in (
        (Step.XFORWARD_NAME, ("NAME", "ADDR", "PORT")),
        (Step.XFORWARD_HELO, ("PROTO", "HELO", "IDENT", "SOURCE")),
    ):
        words = [f" {key}={xtext(values[key]).decode('ascii')}" for key in keys if key in offered and values[key]]
        if words:
            commands.append((("XFORWARD" + "".join(words)).encode("ascii"), step))
    return commands
