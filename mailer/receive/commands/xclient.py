"""XCLIENT: an authorized host speaks for another client (Postfix's XCLIENT_README)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mailer.receive.authentication import log_out
from mailer.receive.commands.attributes import (
    TEMPORARY,
    UNAVAILABLE,
    BadAttribute,
    read_attributes,
    refusal_first,
)
from mailer.receive.commands.command import Command
from mailer.receive.greeting import admit, listed
from mailer.receive.peername import NONE
from mailer.receive.peername import OK as CONFIRMED
from mailer.receive.peername import TEMPORARY as NOT_NOW

if TYPE_CHECKING:
    from mailer.receive.session import SmtpSession

__all__ = ["Xclient"]

_KNOWN = frozenset(("NAME", "ADDR", "PORT", "PROTO", "HELO", "REVERSE_NAME", "LOGIN", "DESTADDR", "DESTPORT"))
_STATUS = {UNAVAILABLE: NONE, TEMPORARY: NOT_NOW}


class Xclient(Command):
    name = "XCLIENT"
    ends_group = True
    counted = False
    plain = True

    async def execute(self, session: SmtpSession, argument: str, line: str) -> bool:
        granted = await listed(session, session.service.xclient_hosts)
        refusal = refusal_first(session, self.name, argument, granted)
        if refusal:
            return session.refuse(refusal)
        try:
            attributes = read_attributes(self.name, argument, _KNOWN, session.service.ipv6)
        except BadAttribute as error:
            return session.refuse(error.args[0])
        if session.sasl is not None and not any(name == "LOGIN" for name, _ in attributes):
            log_out(session)
        for name, value in attributes:
            self._apply(session, name, value)
        session.reset()
        session.where = "CONNECT"
        await admit(session)
        return True

    def _apply(self, session: SmtpSession, name: str, value: str) -> None:
        client, state = session.client, session.state
        absent = value in _STATUS
        if name == "NAME":
            state.client_status = _STATUS.get(value, CONFIRMED)
            client = replace(client, name="unknown" if absent else value)
        elif name == "REVERSE_NAME":
            state.reverse_status = _STATUS.get(value, CONFIRMED)
            client = replace(client, reverse_name="unknown" if absent else value)
        elif name == "ADDR":
            client = replace(client, address="unknown" if absent else value)
        elif name == "PORT":
            client = replace(client, port="unknown" if absent else value)
        elif name == "HELO":
            client = replace(client, helo="" if absent else value)
        elif name == "LOGIN":
            if session.sasl is None:
                return  # without AUTH there are no logins
            client = replace(client, sasl_username="" if absent else value, sasl_method="" if absent else "XCLIENT")
        elif name == "PROTO":
            session.protocol = value
            state.ehlo = value != "SMTP"
            client = replace(client, protocol=value)
        elif name == "DESTADDR":
            state.server_address = value
        else:
            state.server_port = value
        session.set_client(client)
