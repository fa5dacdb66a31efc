"""anvil(8) for many processes: one counts, the others ask.

    count   what, service, address, more      what: connect, message, recipient, newtls, auth; answered with the counts
    leave   service, address                  a connection has ended
    present [[service, address, connections] ...]   what a caller has already when it connects

Connections of a process that has gone are counted off; those of one that stays are known to a new counter at once. Who
cannot ask now goes on without limits, as Postfix's smtpd does without its anvil.

Most clients have far fewer connections than they may. As long as a process has less than its share of half the limit from a
client, it tells of a connection without asking, together with what is sent next: all processes together then still stay
below the limit, and who has more asks.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from mailer.ipc.client import Client
from mailer.ipc.server import Call, Caller, Verb
from mailer.message.status import MailError
from mailer.net.driver import Driver

__all__ = ["AnvilService", "RemoteAnvil"]

_NEVER = 1 << 62


class RemoteAnvil:
    """In place of mailer.receive.anvil.Anvil. :param client: to the process that counts.
    :param callers: how many processes ask it, at most; 0: ask of each connection."""

    def __init__(self, client: Client, callers: int = 1) -> None:
        self._client = client
        self._parts = 2 * callers or _NEVER
        self._connections: Counter[tuple[str, str]] = Counter()
        client.introductions.append(self._introduce)

    async def connect(self, service: str, address: str, limit: int = 0) -> tuple[int, int]:
        key = service, address
        own = self._connections[key] + 1
        if own <= limit // self._parts and ":" not in address:  # of IPv6, networks are counted
            self._connections[key] = own
            self._client.cast_later("count", "connect", service, address)
            return own, own
        now, rate = await self._count("connect", service, address)
        self._connections[key] += 1
        return now, rate

    async def disconnect(self, service: str, address: str) -> None:
        key = service, address
        if self._connections[key] > 1:
            self._connections[key] -= 1
        else:
            del self._connections[key]
        self._client.cast_later("leave", service, address)

    async def message(self, service: str, address: str) -> int:
        return (await self._count("message", service, address))[0]

    async def recipient(self, service: str, address: str) -> int:
        return (await self._count("recipient", service, address))[0]

    async def newtls(self, service: str, address: str, more: int = 1) -> int:
        return (await self._count("newtls", service, address, more))[0]

    async def auth(self, service: str, address: str) -> int:
        return (await self._count("auth", service, address))[0]

    async def _count(self, what: str, service: str, address: str, *more: int) -> list[int]:
        try:
            counts, _ = await self._client.call("count", what, service, address, *more)
        except MailError:
            return [0, 0]
        return counts

    def _introduce(self, client: Client) -> None:
        if self._connections:
            client.cast("present", [[*key, count] for key, count in self._connections.items()])


class AnvilService:
    """The counter's side: ``verbs``. :param anvil: mailer.receive.anvil.Anvil."""

    def __init__(self, anvil: Any) -> None:
        self._anvil = anvil
        self._counted = {
            "connect": anvil.connect,
            "message": anvil.message,
            "recipient": anvil.recipient,
            "newtls": anvil.newtls,
            "auth": anvil.auth,
        }
        self._connections: dict[Caller, Counter[tuple[str, str]]] = {}
        self.verbs: dict[str, Verb] = {"count": self._count, "leave": self._leave, "present": self._present}

    def _of(self, caller: Caller) -> Counter[tuple[str, str]]:
        counter = self._connections.get(caller)
        if counter is None:
            counter = self._connections[caller] = Counter()
            caller.gone.append(lambda: self._gone(caller))
        return counter

    def _count(self, call: Call) -> None:
        what, service, address, *more = call.arguments
        counting = self._counted.get(what)
        if counting is None:
            raise ValueError(f"nothing to count: {str(what)[:100]}")
        if what == "connect":
            self._of(call.caller)[service, address] += 1

        async def count() -> None:
            counts = await counting(service, address, *more)
            call.answer(*(counts if type(counts) is tuple else (counts,)))

        def over(error: BaseException | None) -> None:
            if error is not None:
                call.fail(error)

        Driver(count(), over).resume()

    def _leave(self, call: Call) -> None:
        service, address = call.arguments
        counter = self._of(call.caller)
        if counter[service, address] > 0:
            counter[service, address] -= 1
            self._disconnect(service, address)

    def _present(self, call: Call) -> None:
        counter = self._of(call.caller)
        for service, address, connections in call.arguments[0]:
            for _ in range(max(0, connections - counter[service, address])):
                counter[service, address] += 1
                Driver(self._anvil.connect(service, address), _ignore).resume()

    def _gone(self, caller: Caller) -> None:
        for (service, address), connections in self._connections.pop(caller).items():
            for _ in range(connections):
                self._disconnect(service, address)

    def _disconnect(self, service: str, address: str) -> None:
        Driver(self._anvil.disconnect(service, address), _ignore).resume()


def _ignore(error: BaseException | None) -> None:
    if error is not None:
        raise error
