"""Delivery status filters (postconf(5): default_delivery_status_filter): tables that replace a status and its text.

A success stays a success, a failure a failure, but a failure for good may become one for now, and the other way round.
Wraps any transport; what a transport tells is then passed on at the end of its delivery, since tables may take time.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from zope.interface import implementer

from mailer.interfaces.transport import IOutcomes, ITransport
from mailer.message.delivery import DeliveryRequest
from mailer.message.envelope import Recipient
from mailer.message.status import Fate, Outcome, TemporaryError

__all__ = ["FilteredTransport", "filtered"]

_STATUS = re.compile(r"([245]\.\d{1,3}\.\d{1,3})\s+(\S.*)", re.DOTALL).fullmatch
_FATES = {"4": Fate.DEFERRED, "5": Fate.BOUNCED}


@implementer(IOutcomes)
class _Held:
    """Keeps fates until they can be looked at; that a nexthop is unreachable is passed on at once."""

    def __init__(self, outcomes: Any) -> None:
        self.told: list[tuple[Recipient, Outcome, Recipient | None]] = []
        self.unreachable = outcomes.unreachable
        self.partial = outcomes.partial

    def tell(self, recipient: Recipient, outcome: Outcome, shown: Recipient | None = None) -> None:
        self.told.append((recipient, outcome, shown))


@implementer(ITransport)
class FilteredTransport:
    """A transport whose outcomes pass through a table.

    :param name: the parameter that names the table, for the log.
    """

    def __init__(self, transport: Any, table: Any, name: str, log: Any) -> None:
        self._transport = transport
        self._table = table
        self._name = name
        self._log = log

    async def deliver(self, request: DeliveryRequest, outcomes: Any) -> None:
        held = _Held(outcomes)
        try:
            await self._transport.deliver(request, held)
        finally:
            for recipient, outcome, shown in held.told:
                outcomes.tell(recipient, await self._replaced(outcome), shown)

    async def stop(self) -> None:
        await self._transport.stop()

    async def _replaced(self, outcome: Outcome) -> Outcome:
        try:
            found = await self._table.lookup(f"{outcome.status} {outcome.text}")
        except TemporaryError:
            return outcome  # the fate is known, only its wording is not; the tables have logged their trouble
        if found is None:
            return outcome
        parsed = _STATUS(found)
        if parsed is None or (parsed.group(1)[0] == "2") != (outcome.status[0] == "2"):
            self._log.warning(f"{self._name}: bad status code: {found}")
            return outcome
        status, text = parsed.groups()
        fate = _FATES[status[0]] if outcome.fate in _FATES.values() else outcome.fate
        return replace(outcome, fate=fate, status=status, text=text)


def filtered(transport: Any, tables: tuple[str, ...], name: str, context: Any) -> Any:
    """The transport behind the tables of the parameter ``name``; itself, if there are none."""
    if not tables:
        return transport
    return FilteredTransport(transport, context.tables.maps(tables, name), name, context.log)
