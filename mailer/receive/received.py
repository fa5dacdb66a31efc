"""The Received header that the SMTP server puts on top of each message (RFC 5321 4.4), worded and folded as Postfix does.

TLS adds lines here when it is in use (smtpd_tls_received_header), as a login does (smtpd_sasl_authenticated_header).
"""

from __future__ import annotations

import time
from collections.abc import Callable

from mailer.message.address import encode, quote
from mailer.message.date import mail_date
from mailer.message.envelope import Client
from mailer.message.tls import TlsSession

__all__ = ["ReceivedHeader", "login_line", "tls_lines"]


class ReceivedHeader:
    """Writes Received headers for one service.

    :param hostname: myhostname. :param seconds: the clock. :param hide: smtpd_hide_client_session.
    """

    def __init__(self, hostname: str, mail_name: str, seconds: Callable[[], float], hide: bool = False) -> None:
        self._by = f"by {hostname} ({mail_name})"
        self._hide = hide
        self._seconds = seconds
        self._second = -1
        self._date = ""

    def source(self, client: Client, added: str = "") -> str:
        """The part that stays the same for one client and greeting.

        :param added: whole lines between ``from`` and ``by``, for TLS and SASL.
        """
        if self._hide:
            return f"Received: {self._by} id "
        literal = f"IPv6:{client.address}" if ":" in client.address else client.address
        return f"Received: from {client.helo or client.name} ({client.name} [{literal}])\r\n{added}\t{self._by} with "

    def header(self, source: str, protocol: str, queue_id: str, recipient: str) -> bytes:
        """:param queue_id: "" if the message does not come into our queue.
        :param recipient: the only recipient, in internal form, or ""."""
        second = int(self._seconds())
        if second != self._second:
            self._second, self._date = second, mail_date(time.localtime(second))
        target = f"\r\n\tfor <{quote(recipient)}>; " if recipient else ";\r\n\t"
        identity = queue_id if self._hide else f"{protocol} id {queue_id}" if queue_id else protocol
        return encode(f"{source}{identity}{target}{self._date}\r\n")


def tls_lines(tls: TlsSession) -> str:
    """The whole lines that tell of TLS: how the connection is encrypted, and what is known of the client."""
    encryption = "\r\n\t ".join((tls.encryption, *tls.signatures))
    if tls.presented:
        verdict = "verified OK" if tls.trusted else "not verified"
        names = f'Client CN "{_in_comment(tls.subject)}", Issuer "{_in_comment(tls.issuer)}" ({verdict})'
    else:
        names = "Client did not present a certificate" if tls.requested else "No client certificate requested"
    return f"\t(using {encryption})\r\n\t({names})\r\n"


def login_line(username: str) -> str:
    """The whole line that tells who has logged in."""
    return f"\t(Authenticated sender: {_in_comment(username)})\r\n"


def _in_comment(text: str) -> str:
    """Nothing in a certificate's name may end the comment, or the header: parentheses only in pairs."""
    shown, depth = [], 0
    for char in text:
        depth += (char == "(") - (char == ")")
        bad = depth < 0 or char == "\\" or not " " <= char <= "~"
        shown.append("?" if bad else char)
        depth = max(depth, 0)
    return "".join(shown) + ")" * depth
