"""verify(8) for other processes: what is known of an address.

verify   address, patience        answered with what is known and a text
"""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from mailer.interfaces.verification import IVerifier
from mailer.ipc.client import Client
from mailer.ipc.server import Call, Verb
from mailer.message.verification import Known, Verification

__all__ = ["RemoteVerifier", "VerifyService"]

#: No restriction waits longer.
_LONGEST_PATIENCE = 3600.0


@implementer(IVerifier)
class RemoteVerifier:
    """:param client: to the process that verifies."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def verify(self, address: str, patience: float) -> Verification:
        ((known, text),), _ = await self._client.call("verify", address, patience)
        return Verification(Known(known), text)


class VerifyService:
    """The verifying side: ``verbs``. :param verifier: IVerifier."""

    def __init__(self, verifier: Any) -> None:
        self._verifier = verifier
        self.verbs: dict[str, Verb] = {"verify": self._asked}

    def _asked(self, call: Call) -> None:
        address, patience = call.arguments

        async def verify() -> list[Any]:
            found = await self._verifier.verify(str(address), min(float(patience), _LONGEST_PATIENCE))
            return [found.known.value, found.text]

        call.run(verify())
