"""check_policy_service: what another program says of the request (SMTPD_POLICY_README)."""

from __future__ import annotations

import re
from typing import Any

from mailer.access.actions import Answer
from mailer.access.evaluation import Evaluation
from mailer.access.policy import PolicyFailed
from mailer.access.policyserver import parse
from mailer.access.restriction import Environment, Restriction
from mailer.access.subjects import sender_of
from mailer.access.verdict import Verdict

__all__ = ["RESTRICTIONS", "request"]

_COUNTED = ("DATA", "END-OF-MESSAGE")
_SPECIAL = re.compile(rb"[^!-~]|[+=]")


def _xtext(text: str) -> str:
    """RFC 3461 4: no white space, no ``=``."""
    octets = text.encode("utf-8", "surrogateescape")
    return _SPECIAL.sub(lambda match: b"+%02X" % match.group()[0], octets).decode("ascii")


def _attributes(state: Evaluation, stress: str, policy_context: str) -> dict[str, Any]:
    """All attributes, in Postfix's order; those without a value are sent, too."""
    session = state.session
    client, envelope, tls = session.client, session.envelope, session.tls
    stage = session.protocol_state
    size = session.size if stage == "END-OF-MESSAGE" else envelope.size if envelope is not None else 0
    return {
        "request": "smtpd_access_policy",
        "protocol_state": stage,
        "protocol_name": session.delayed.protocol if session.delayed is not None else client.protocol or "SMTP",
        "client_address": client.address,
        "client_name": client.name,
        "client_port": client.port,
        "reverse_client_name": client.reverse_name,
        "server_address": session.server_address,
        "server_port": session.server_port,
        "helo_name": client.helo,
        "sender": sender_of(session),
        "recipient": session.recipient,
        "recipient_count": session.recipient_count if stage in _COUNTED else 0,
        "queue_id": session.queue_id,
        "instance": session.instance if stage != "MAIL" else "",
        "size": size,
        "etrn_domain": session.etrn_domain,
        "stress": stress,
        "sasl_method": client.sasl_method,
        "sasl_username": client.sasl_username,
        "sasl_sender": client.sasl_sender,
        "ccert_subject": _xtext(tls.subject) if tls is not None and tls.trusted else "",
        "ccert_issuer": _xtext(tls.issuer) if tls is not None and tls.trusted else "",
        "ccert_fingerprint": tls.fingerprint if tls is not None else "",
        "ccert_pubkey_fingerprint": tls.pubkey_fingerprint if tls is not None else "",
        "encryption_protocol": tls.protocol if tls is not None else "",
        "encryption_cipher": tls.cipher if tls is not None else "",
        "encryption_keysize": tls.keysize if tls is not None else 0,
        "policy_context": policy_context,
    }


def request(state: Evaluation, stress: str = "", policy_context: str = "") -> bytes:
    """What is asked, as it travels. No value can bring a line of its own with it."""
    attributes = _attributes(state, stress, policy_context)
    lines = [f"{name}={value}".replace("\n", "?").replace("\0", "?") for name, value in attributes.items()]
    return ("\n".join(lines) + "\n\n").encode("utf-8", "surrogateescape")


class CheckPolicyService(Restriction):
    name = "check_policy_service"
    takes = "server"

    def __init__(self, environment: Environment, argument: str = "") -> None:
        super().__init__(environment, argument)
        settings = environment.settings
        self._server = parse(argument, settings)
        self._client = environment.policies.client(self._server)
        self._stress = settings.stress

    async def check(self, state: Evaluation) -> Verdict | None:
        server = self._server
        try:
            action = await self._client.ask(request(state, state.session.stress or self._stress, server.policy_context))
        except PolicyFailed:
            action = server.default_action
        answer = Answer(server.spec, "policy query", action, state.subject, state.stage)
        verdict: Verdict | None = await self.environment.actions.carry_out(state, answer)
        state.table, state.key = server.spec, action
        return verdict


RESTRICTIONS = (CheckPolicyService,)
