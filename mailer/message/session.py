"""An SMTP session as access checks see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mailer.message.envelope import Client, Envelope

__all__ = ["Session"]


@dataclass(slots=True)
class Session:
    """``protocol_state`` is CONNECT, EHLO, HELO, MAIL, RCPT, DATA, END-OF-MESSAGE, VRFY or ETRN, as policy servers know it.

    ``envelope`` is the current transaction's (None outside one); ``recipient`` the RCPT argument under examination, in
    internal form, later the only accepted one ("" when there are several); ``recipient_count`` the accepted ones.
    ``queue_id`` is "" until a message has been opened (the log then
    says NOQUEUE). ``instance`` identifies the transaction to policy servers. ``client_status`` and ``reverse_status`` say
    how the look-ups of the client's name went: ``ok``, ``temporary`` (cannot tell now), ``none`` (there is no such name)
    or ``forged`` (the name leads to another address). ``peer`` is the address at the other end of the connection, whatever
    XCLIENT says of the client. ``decisions`` are pairs of the log's word for it (``warn``,
    ``hold``, ``filter``, ``reject_warning`` ...) and the text behind ``WHERE from client:``. ``stress`` is ``yes`` when the
    session began under stress (STRESS_README).
    """

    client: Client
    protocol_state: str = "CONNECT"
    envelope: Envelope | None = None
    recipient: str = ""
    recipient_count: int = 0
    size: int = 0
    queue_id: str = ""
    instance: str = ""
    server_address: str = ""
    server_port: str = ""
    pipelined: bool = False  # the client sent data ahead of our reply (reject_unauth_pipelining)
    ehlo: bool = False
    etrn_domain: str = ""
    tls: Any = None
    client_status: str = "none"
    reverse_status: str = "none"
    decisions: list[Any] = field(default_factory=list)
    peer: str = ""
    stress: str = ""
    delayed: Any = None  # the evaluator's own: what smtpd_delay_reject postponed
