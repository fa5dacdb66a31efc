"""What a client on a blocklist is told: default_rbl_reply and rbl_reply_maps (postconf(5), "default_rbl_reply")."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mailer.access.enhanced import fit, split_status
from mailer.access.evaluation import Evaluation, misconfigured
from mailer.access.verdict import Verdict, reply_with
from mailer.config.errors import ConfigError
from mailer.config.expand import expand
from mailer.message.address import split
from mailer.message.status import TemporaryError

__all__ = ["RblReply"]

_CODE = re.compile(r"([45]\d\d)(?:\s+(.*))?", re.ASCII | re.DOTALL).fullmatch
_ESCAPE = re.compile(r"\\([0-7]{1,3}|.)")
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


def _unescaped(match: re.Match[str]) -> str:
    text = match.group(1)
    return chr(int(text, 8)) if text[0] in "01234567" else _ESCAPES.get(text, text)


class RblReply:
    """Words refusals for one service."""

    def __init__(self, context: Any) -> None:
        settings = context.settings
        self._default: str = settings.default_rbl_reply
        self._maps = context.tables.maps(settings.rbl_reply_maps, "rbl_reply_maps")
        self._code = settings.maps_rbl_reject_code
        self._allowed = frozenset(_ESCAPE.sub(_unescaped, settings.smtpd_expansion_filter))
        self._hostname = settings.myhostname

    async def refusal(self, state: Evaluation, spec: str, stage: str, what: str, reason: str) -> Verdict:
        """:param spec: the list as main.cf has it. :param stage: what is listed: ``Client host`` ...
        :param what: its name or address. :raise Broken: the template or the table is no good."""
        try:
            template = await self._maps.lookup(spec)
        except TemporaryError:
            raise misconfigured() from None
        names = self._names(state, spec.partition("=")[0], stage, what, reason)
        text = self._expanded(state, template if template is not None else self._default, names)
        found = _CODE(text)
        if found is None:
            state.warn(f"rbl response code configuration error: {text}")
            return Verdict(reply_with(450, "4.7.1", "Service unavailable"))
        status, text = split_status(found[2] or "", f"{text[0]}.7.1")
        return Verdict(reply_with(int(found[1]), fit(status, stage), text))

    def _expanded(self, state: Evaluation, template: str, names: Mapping[str, str]) -> str:
        def lookup(name: str) -> str:
            value = names.get(name)
            if value is None:
                state.warn(f'unknown macro name "{name}" in expansion request')
                return ""
            return "".join(char if char in self._allowed else "_" for char in value)

        try:
            return expand(template, lookup, recursive=False)
        except ConfigError as error:
            state.warn(f"bad rbl reply template: {template}: {error}")
            raise misconfigured() from None

    def _names(self, state: Evaluation, domain: str, stage: str, what: str, reason: str) -> dict[str, str]:
        session = state.session
        client = session.client
        sender = session.envelope.sender if session.envelope is not None else ""
        sender_name, sender_domain = split(sender)
        recipient_name, recipient_domain = split(session.recipient)
        return {
            "client": state.rules.client(session),
            "client_address": client.address,
            "client_name": client.name,
            "client_port": client.port,
            "helo_name": client.helo,
            "rbl_class": stage,
            "rbl_code": str(self._code),
            "rbl_domain": domain,
            "rbl_reason": reason,
            "rbl_txt": reason,
            "rbl_what": what,
            "recipient": session.recipient,
            "recipient_domain": recipient_domain,
            "recipient_name": recipient_name,
            "sender": sender,
            "sender_domain": sender_domain,
            "sender_name": sender_name,
            "server_name": self._hostname,
        }
