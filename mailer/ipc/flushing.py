"""flush(8) for other processes: try what waits for a domain now (ETRN).

flush   domain
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from mailer.ipc.client import Client
from mailer.ipc.server import Call, Verb

__all__ = ["FlushService", "RemoteFlush"]


class RemoteFlush:
    """``await flush(domain)``. :param client: to the queue manager."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def __call__(self, domain: str) -> None:
        await self._client.call("flush", domain)


class FlushService:
    """The queue manager's side: ``verbs``. :param flush: ``await flush(domain)``."""

    def __init__(self, flush: Callable[[str], Awaitable[None]]) -> None:
        self._flush = flush
        self.verbs: dict[str, Verb] = {"flush": self._asked}

    def _asked(self, call: Call) -> None:
        (domain,) = call.arguments

        async def flush() -> None:
            await self._flush(str(domain))

        call.run(flush())
