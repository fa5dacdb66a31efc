"""The envelope: everything about a message that is not its content (RFC 5321, 3461, 6152, 6531).

Addresses are ``str`` in internal form: unquoted ``local@domain``, octets that are not UTF-8 kept by surrogateescape;
"" is the null sender. A message's content never lives here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntFlag

__all__ = ["Client", "Envelope", "Notify", "Recipient"]


class Notify(IntFlag):
    """RFC 3461 NOTIFY; UNSET means that the sender did not ask (failure and delay are then reported)."""

    UNSET = 0
    NEVER = 1
    SUCCESS = 2
    FAILURE = 4
    DELAY = 8


@dataclass(slots=True)
class Client:
    """The peer that handed a message over, in Postfix's words.

    ``name`` is the forward-confirmed host name or ``unknown``; ``reverse_name`` the unconfirmed one or ``unknown``.
    ``protocol`` is SMTP, ESMTP, LMTP or QMQP; "" for local submission.
    """

    name: str = "unknown"
    address: str = ""
    port: str = ""
    reverse_name: str = "unknown"
    helo: str = ""
    protocol: str = ""
    tls_protocol: str = ""
    sasl_method: str = ""
    sasl_username: str = ""
    sasl_sender: str = ""

    @property
    def printable(self) -> str:
        """``name[address]`` as log lines and rejects show it."""
        return f"{self.name}[{self.address}]"


@dataclass(slots=True)
class Recipient:
    """One envelope recipient.

    ``original`` is the address before any rewriting or expansion (the log's ``orig_to``); ``orcpt`` is RFC 3461's
    ``type;address``, decoded from xtext. ``id`` is the queue's own number for it, 0 until it is queued.
    """

    address: str
    original: str = ""
    notify: Notify = Notify.UNSET
    orcpt: str = ""
    id: int = 0


@dataclass(slots=True)
class Envelope:
    """Sender, client and options of one message; recipients are told to the sink one by one.

    ``source`` says where the message entered: ``smtp``, ``local`` (sendmail command), ``notify`` (our own bounces and
    notices), ``forward`` (local delivery sends it on). ``context`` is ``local`` or ``remote``: whether incomplete header
    addresses are completed (local_header_rewrite_clients). ``body`` is "", ``7BIT`` or ``8BITMIME``. ``ret`` is "",
    ``FULL`` or ``HDRS``. ``size`` is the client's SIZE= promise, 0 for none. ``overrides`` holds
    receive_override_options. The fields from ``hold`` on are actions that access checks, header checks or milters asked
    for (access(5), header_checks(5)). ``expanded`` lists recipients that asked for success notices and turned out to be
    aliases: ``[address, orcpt, original]`` each; their notice says ``expanded`` (RFC 3461 5.2.7.3), whatever becomes of
    what they stand for.
    """

    sender: str = ""
    client: Client = field(default_factory=Client)
    source: str = "smtp"
    context: str = "remote"
    arrival: float = 0.0
    size: int = 0
    body: str = ""
    smtputf8: bool = False
    ret: str = ""
    envid: str = ""
    fullname: str = ""
    overrides: frozenset[str] = frozenset()
    hold: str = ""
    filter: str = ""
    redirect: str = ""
    discard: str = ""
    bcc: list[str] = field(default_factory=list)
    prepend: list[bytes] = field(default_factory=list)
    verp: str = ""
    expanded: list[list[str]] = field(default_factory=list)
    # "", "verify" (sendmail -bv: report only), "trace" (sendmail -v: deliver and report), "address" (address verification)
    probe: str = ""
