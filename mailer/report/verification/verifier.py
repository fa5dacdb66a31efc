"""verify(8): answers what is known of an address, sends probes, and takes down what became of them.

A probe is an empty message that passes through cleaning, queue, scheduling and a transport like any other, and is
delivered to nobody. Its fate comes back from the queue manager. Whoever asks waits without blocking: until the answer is
there, or as long as it cares to.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailer.interfaces.context import Context
from mailer.interfaces.verification import IVerifier
from mailer.message.date import mail_date
from mailer.message.envelope import Envelope, Recipient
from mailer.message.status import Fate, MailError, Outcome
from mailer.message.verification import Known, Verification
from mailer.net.driver import Driver
from mailer.report.verification.entry import PROBE_SECONDS, Entry, Freshness, parse, under_way, unknown
from mailer.report.verification.sender import ProbeSender
from mailer.tables.cache import Cache

__all__ = ["PROBE", "Verifier"]

#: What an envelope's ``probe`` says when it is one of ours.
PROBE = "address"
_OURS = Verification(Known.DELIVERABLE, "Mail system address")
_TOO_MANY = "4.3.2 Too many address verification requests"
_SEVERAL = "aliased to multiple recipients"
_MOST_TEXT = 1000


@implementer(IVerifier)
class Verifier:
    """Of use when ``renew`` has given it a configuration."""

    def __init__(self) -> None:
        self._cache: Cache | None = None
        self._waiting: dict[str, list[Deferred[None]]] = {}
        self._under_way: dict[str, float] = {}  # when each probe began
        self._cleaning: Any = None

    def renew(self, context: Context) -> None:
        """Take up a configuration, the first or another one; probes under way come back as they would have.

        :param context: of the verify service; ``sink`` takes the probes, ``addressing`` completes their sender.
        """
        self._seconds: Callable[[], float] = context.seconds
        self._reactor = context.reactor
        settings = context.settings
        self._context = context
        self._log = context.log
        self._map: str = settings.address_verify_map
        self._freshness = Freshness(settings)
        self._remembers_failures: bool = settings.address_verify_negative_cache
        self._interval: float = settings.address_verify_cache_cleanup_interval
        self._most: int = settings.address_verify_pending_request_limit
        self._sender: ProbeSender | None = None
        if self._cache is not None and self._cache.name not in (self._map, "internal:verify"):
            self._close_cache()

    # IVerifier

    async def verify(self, address: str, patience: float) -> Verification:
        """See IVerifier."""
        sender = await self._probe_sender()
        now = self._seconds()
        if sender.owns(address, now):
            return _OURS
        entry = self._look_up(address, now)
        if entry.known is Known.PENDING and patience > 0:
            await self._wait(address, patience)
            entry = self._entry(address) or entry
        return entry.verification

    def _look_up(self, address: str, now: float) -> Entry:
        entry = self._entry(address)
        if entry is None or (not under_way(entry, now) and self._freshness.expired(entry, now)):
            entry = unknown()
        if not under_way(entry, now) and self._freshness.stale(entry, now):
            entry = entry.probed_at(now)
            if entry.updated or self._remembers_failures:
                self._store(address, entry)
            self._probe(address, now)
            entry = self._entry(address) or entry  # some answers are there at once
        return entry

    async def _wait(self, address: str, patience: float) -> None:
        answer: Deferred[None] = Deferred()
        waiting = self._waiting.setdefault(address, [])
        waiting.append(answer)
        timer = self._reactor.callLater(patience, answer.callback, None)
        try:
            await answer
        finally:
            if timer.active():
                timer.cancel()
            waiting.remove(answer)
            if not waiting and self._waiting.get(address) is waiting:
                del self._waiting[address]

    # What becomes of probes (plain calls of the queue manager).

    def word(self, fate: Fate) -> str:
        """How the log calls a probe's fate."""
        forgotten = fate is Fate.UNDELIVERABLE and not self._remembers_failures
        return f"{fate.value}-but-not-cached" if forgotten else fate.value

    def told(self, recipient: Recipient, outcome: Outcome) -> None:
        """The fate of a probe's recipient."""
        known = Known.DELIVERABLE
        if outcome.fate is not Fate.DELIVERABLE:
            known = Known.UNDELIVERABLE if outcome.status.startswith("5") else Known.DEFERRED
        self._learn(recipient.original or recipient.address, known, outcome.text)

    def _learn(self, address: str, known: Known, text: str) -> None:
        now = self._seconds()
        self._under_way.pop(address, None)
        # A failure does not outweigh an earlier success as long as that lasts.
        if known is Known.DELIVERABLE or (self._remembers_failures and not self._known_good(address, now)):
            self._store(address, Entry(known, 0, int(now), " ".join(text.split())[:_MOST_TEXT] or "-"))
        for answer in list(self._waiting.get(address, ())):
            if not answer.called and self._entry(address) is not None:
                answer.callback(None)

    def _known_good(self, address: str, now: float) -> bool:
        entry = self._entry(address)
        return entry is not None and entry.known is Known.DELIVERABLE and not self._freshness.expired(entry, now)

    # Probes.

    def _probe(self, address: str, now: float) -> None:
        if address in self._under_way and now - self._under_way[address] <= PROBE_SECONDS:
            return
        if len(self._under_way) >= self._most:
            self._forget_lost(now)
        if len(self._under_way) >= self._most:
            self._log.warning(f"probe of {address} not sent: {_TOO_MANY}")
            self._learn(address, Known.DEFERRED, _TOO_MANY)
            return
        self._under_way[address] = now
        Driver(self._submit(address, now), lambda error: self._submitted(address, error)).resume()

    def _forget_lost(self, now: float) -> None:
        """Probes that an administrator deleted never come back."""
        lost = [address for address, began in self._under_way.items() if now - began > PROBE_SECONDS]
        for address in lost:
            del self._under_way[address]

    async def _submit(self, address: str, now: float) -> None:
        sender = await self._probe_sender()
        envelope = Envelope(sender.at(now), source="notify", context="local", arrival=now, probe=PROBE)
        writer = self._context.sink.open(envelope)
        try:
            writer.recipient(Recipient(address, address, orcpt=f"rfc822;{address}"))
            writer.write(self._received(writer.queue_id, now))
            await writer.commit()
        except BaseException:
            writer.abort()
            raise
        if envelope.discard:  # cleaning has found out that it stands for a list
            self._learn(address, Known.DELIVERABLE, _SEVERAL)

    def _submitted(self, address: str, error: BaseException | None) -> None:
        """A probe that could not be queued is tried again when somebody asks after it has had its time."""
        if error is not None:
            cause = error.cause if isinstance(error, MailError) else ""
            self._log.warning(f"probe of {address} not sent: {cause or error}")

    def _received(self, queue_id: str, now: float) -> bytes:
        settings = self._context.settings
        text = f"Received: by {settings.myhostname} ({settings.mail_name})\r\n\tid {queue_id}; "
        return f"{text}{mail_date(time.localtime(now))}\r\n".encode("utf-8", "surrogateescape")

    async def _probe_sender(self) -> ProbeSender:
        if self._sender is None:
            settings = self._context.settings
            address = settings.address_verify_sender
            if address in ("", "<>"):
                address = ""
            else:
                address = await self._context.addressing.rewrite(address, "local")
            self._sender = ProbeSender(address, settings)
        return self._sender

    # The cache.

    def _entry(self, address: str) -> Entry | None:
        value = self._opened().get(address)
        return None if value is None else parse(value)

    def _store(self, address: str, entry: Entry) -> None:
        self._opened().put(address, str(entry))

    def _opened(self) -> Cache:
        """Opened when it is first needed: most systems never verify an address."""
        if self._cache is None:
            self._cache = Cache(self._map, self._context, "verify")
            self._clean()
        return self._cache

    def _clean(self) -> None:
        now = self._seconds()
        freshness = self._freshness

        def keep(value: str) -> bool:
            entry = parse(value)
            return entry is not None and freshness.worth_keeping(entry, now)

        assert self._cache is not None
        self._cache.clean_if_due(now, self._interval, keep)
        if self._interval:
            self._cleaning = self._reactor.callLater(self._interval, self._clean)

    def _close_cache(self) -> None:
        if self._cleaning is not None:
            self._cleaning.cancel()
            self._cleaning = None
        if self._cache is not None:
            self._cache.close()
            self._cache = None

    def close(self) -> None:
        """Write the cache, let those who wait go on."""
        for waiting in list(self._waiting.values()):
            for answer in list(waiting):
                if not answer.called:
                    answer.callback(None)
        self._close_cache()
