"""The Received header that the SMTP server puts on top of each message (RFC 5321 4.4), worded and folded as Postfix does.

TLS and SASL add lines and a parenthesis here when they are in use.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from mailer.message.address import encode, quote
from mailer.message.date import mail_date
from mailer.message.envelope import Client

__all__ = ["ReceivedHeader"]


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
        """:param recipient: the only recipient, in internal form, or ""."""
        second = int(self._seconds())
        if second != self._second:
            self._second, self._date = second, mail_date(time.localtime(second))
        target = f"\r\n\tfor <{quote(recipient)}>; " if recipient else ";\r\n\t"
        identity = queue_id if self._hide else f"{protocol} id {queue_id}"
        return encode(f"{source}{identity}{target}{self._date}\r\n")
