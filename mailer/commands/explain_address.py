"""What becomes of an address: rewriting, class, whether it exists, what it expands to, and where each result goes.

The answers come from the code that the server uses (mailer.addressing), with tables that tell what they were asked.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import asdict
from typing import Any

from mailer.addressing.service import Addressing
from mailer.clean.addresses import AddressRules
from mailer.clean.passage import Passage
from mailer.message.envelope import Envelope
from mailer.message.status import MailError
from mailer.tables.traced import Asked, Trace

__all__ = ["explain_address", "lookups"]


class _Steps:
    """Answers questions one by one, and keeps what tables were asked for each."""

    def __init__(self, settings: Any, trace: Trace) -> None:
        self._settings = settings
        self._trace = trace
        self.done: list[dict[str, Any]] = []

    async def ask(self, step: str, question: Awaitable[Any], default: Any) -> Any:
        """The answer; ``default`` where the question has none now (the step tells why)."""
        before = len(self._trace.asked)
        problem, found = "", default
        try:
            found = await question
        except MailError as error:
            problem = error.cause or str(error.reply)
        self.done.append(
            {"step": step, "problem": problem, "lookups": lookups(self._trace.asked[before:], self._settings)}
        )
        return found

    def say(self, **more: Any) -> None:
        """What the last step came to."""
        self.done[-1].update(more)


def lookups(asked: list[Asked], settings: Any) -> list[dict[str, Any]]:
    """The lookups as plain data, each with where its parameter is set."""
    return [
        {**asdict(one), "where": settings.where(one.parameter) if one.parameter.isidentifier() else ""} for one in asked
    ]


async def explain_address(address: str, sender: str, context: Any, trace: Trace) -> dict[str, Any]:
    """:param context: of a cleanup service; ``tables`` record into ``trace``. :return: plain data."""
    settings = context.settings
    addressing = Addressing(context)
    rules = AddressRules(settings, addressing)
    passage = Passage(Envelope(sender=sender), None, rules, context.log)
    steps = _Steps(settings, trace)

    canonical = await steps.ask("rewriting", rules.envelope_recipient(address, passage), address)
    steps.say(result=canonical)
    first = await steps.ask("class", addressing.resolve(sender, canonical), None)
    if first is not None:
        steps.say(result=first.address_class, domain=first.recipient.rpartition("@")[2], routed=first.routed)
    refusal = await steps.ask("listed", addressing.recipient_exists(canonical), None)
    steps.say(result="unknown" if steps.done[-1]["problem"] else "exists" if refusal is None else str(refusal))
    results = await steps.ask("virtual aliases", addressing.expand(canonical), [])
    steps.say(result=results)
    copies = await steps.ask("copies", _copies(addressing, canonical), None)
    steps.say(result=copies)
    for result in results:
        await _route(result, sender, steps, addressing, context)
    return {"address": address, "sender": sender, "steps": steps.done}


async def _copies(addressing: Addressing, address: str) -> str | None:
    maps = addressing.mapper.recipient_bcc
    return await maps.find(address) if maps else None


async def _route(address: str, sender: str, steps: _Steps, addressing: Addressing, context: Any) -> None:
    destination = await steps.ask(f"route of {address}", addressing.resolve(sender, address), None)
    if destination is None:
        return
    steps.say(
        recipient=destination.recipient,
        result=destination.address_class,
        transport=destination.transport,
        nexthop=destination.nexthop,
    )
    if destination.address_class != "local":
        return
    settings = context.settings
    aliases = context.tables.secured().maps(settings.alias_maps, "alias_maps")
    local = destination.recipient.rpartition("@")[0]
    found = await steps.ask(f"aliases of {local}", aliases.lookup(local), None)
    steps.say(result=found)
