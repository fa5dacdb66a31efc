"""One client in front of the SMTP server: lists, tests before the greeting, the verdict (postscreen(8)).

In Postfix's order: too many connections; the permanent list; what is remembered of it; the tests that it still has to pass.
Who passes is remembered and handed on. Who fails something that is enforced, or has to be tested further, talks to the
engine, which takes no mail.
"""

from __future__ import annotations

from typing import Any

from mailer.message.delay import shown_delay
from mailer.net.server import ServerConnection
from mailer.receive.replies import wire
from mailer.receive.screen import lines
from mailer.receive.screen.accesslist import DENY, PERMIT
from mailer.receive.screen.engine import Engine
from mailer.receive.screen.service import Screen
from mailer.receive.screen.stamps import EARLY, Stamps, Trial

__all__ = ["Screening"]

_PROTOCOL = "5.5.1 Protocol error"
_UNAVAILABLE = "5.3.2 Service currently unavailable"


class Screening:
    """:param client, server: address and port of both ends.

    ``todo`` are the tests still to be passed, ``failed`` those that were not and that a refusal follows from or that
    keep the client from being remembered. ``reply`` is what recipients get. ``barred``: it will not be handed on.
    """

    def __init__(
        self, screen: Screen, connection: ServerConnection, client: tuple[str, str], server: tuple[str, str]
    ) -> None:
        self.screen = screen
        self.connection = connection
        self.address, self.port = client
        self.server = server
        self.client = f"[{client[0]}]:{client[1]}"
        self.began = screen.seconds()
        self.todo: set[Trial] = set()
        self.failed: set[Trial] = set()
        self.reply = "450 4.3.2 Service currently unavailable"
        self.barred = False
        self.veto = False
        self.spoke_early = False
        self._stamps: Stamps | None = None

    async def run(self) -> bool:
        """:return: whether the client is to be handed on."""
        screen = self.screen
        screen.log.info(f"CONNECT from {self.client} to [{self.server[0]}]:{self.server[1]}")
        count = screen.enter(self.address)
        try:
            handed_on = await self._examine(count)
        finally:
            screen.leave(self.address)
        if not handed_on:
            screen.log.info(f"DISCONNECT {self.client}")
        return handed_on

    async def _examine(self, count: int) -> bool:
        screen = self.screen
        if screen.count_limit and count > screen.count_limit:
            screen.log.info(f"NOQUEUE: reject: CONNECT from {self.client}: too many connections")
            return self.say_no("421 4.7.0 Error: too many connections")
        verdict = await screen.access.verdict(self.address)
        if verdict == PERMIT:
            screen.log.info(f"{screen.words.allowed} {self.client}")
            return True
        if verdict == DENY:
            screen.log.info(f"{screen.words.denied} {self.client}")
            if not self.punish(screen.denylist_action, _UNAVAILABLE):
                return False
        self._stamps = await screen.stamps(self.address)
        self.todo = self._stamps.due(screen.wanted, screen.seconds())
        if self.todo or self.barred:
            return await self._test()
        return self._conclude()

    async def _test(self) -> bool:
        screen = self.screen
        if not await screen.earns_here(self.server[0]):
            screen.log.info(f"{screen.words.veto} {self.client}")
            self.veto = self.barred = True
        if screen.checking >= screen.queue_limit:
            screen.log.info(f"reject: connect from {self.client}: all screening ports busy")
            return self.say_no("421 4.3.2 All screening ports are busy")
        if self.todo & EARLY and not await self._before_greeting():
            return False
        if self.barred:
            self.todo |= set(Trial) - EARLY - self.failed
        if self.barred or self.todo:
            await Engine(self).run()
            self._conclude()
            return False
        return self._conclude()

    # Tests before the greeting.

    async def _before_greeting(self) -> bool:
        """:return: False: the connection is over."""
        screen, connection = self.screen, self.connection
        began = screen.seconds()
        due: list[bool] = []
        timer = screen.reactor.callLater(screen.greet_wait, self._wake, due)
        score = screen.blocklists.ask(self.address, connection.nudge) if Trial.DNSBL in self.todo else None
        pregreet = Trial.PREGREET in self.todo
        watched = pregreet
        if pregreet:
            connection.reply(screen.teaser)
        try:
            while not due:
                if watched and connection.machine.pending:
                    watched = False
                    if not self._spoke_early(began):
                        return False
                if connection.at_end and not connection.machine.pending:
                    return self.hang_up("before")
                if (score is None or score.complete) and (not watched or (score and self._welcome(score.total))):
                    break
                await connection.event()
        finally:
            if timer.active():
                timer.cancel()
        if watched:
            self.passed(Trial.PREGREET)
        return score is None or await self._weigh(score)

    def _wake(self, due: list[bool]) -> None:
        due.append(True)
        self.connection.nudge()

    def _spoke_early(self, began: float) -> bool:
        screen = self.screen
        octets = self.connection.machine.peek(1 << 20)
        screen.log.info(lines.early(octets, shown_delay(screen.seconds() - began), self.client))
        action = screen.actions[Trial.PREGREET]
        self.spoke_early = action == "enforce"
        return self.fail(Trial.PREGREET, _PROTOCOL)

    def _welcome(self, total: int) -> bool:
        limit = self.screen.allow_threshold
        return limit < 0 and total <= limit

    async def _weigh(self, score: Any) -> bool:
        """The verdict of the blocklists as far as they have answered."""
        screen = self.screen
        if score.total >= screen.threshold:
            screen.log.info(f"DNSBL rank {score.total} for {self.client}")
            site = await screen.shown_site(score.domain)
            return self.fail(Trial.DNSBL, f"5.7.1 Service unavailable; client [{self.address}] blocked using {site}")
        self.passed(Trial.DNSBL, score.ttl)
        if score.complete and self._welcome(score.total) and not self.failed:
            for test in list(self.todo):
                self.passed(test, until=screen.until(Trial.DNSBL, screen.seconds(), score.ttl))
        return True

    # What tests lead to.

    def passed(self, test: Trial, ttl: float | None = None, until: float | None = None) -> None:
        self.todo.discard(test)
        if self._stamps is not None:
            now = self.screen.seconds()
            self._stamps.passed(test, self.screen.until(test, now, ttl) if until is None else until)

    def fail(self, test: Trial, text: str, drop: str = "") -> bool:
        """A test is not passed. :return: whether the connection goes on.

        :param drop: what is said at the end instead, if it does not."""
        self.todo.discard(test)
        self.failed.add(test)
        return self.punish(self.screen.actions[test], text, drop)

    def fail_deep(self, test: Trial, text: str, drop: str = "") -> bool:
        """The same after the greeting, where a failure that is ignored counts as if there had been none."""
        if self.screen.actions[test] == "ignore":
            self.passed(test)
            return True
        return self.fail(test, text, drop)

    def punish(self, action: str, text: str, drop: str = "") -> bool:
        """:param text: an enhanced code and the reason. :return: whether the connection goes on."""
        if action == "drop":
            self.barred = True
            return self.say_no(f"521 {drop or text}")
        if action == "enforce":
            self.barred = True
            self.reply = self.softened(f"550 {text}")
        return True

    def softened(self, text: str) -> str:
        """A refusal as soft_bounce wants it."""
        if not self.screen.soft or not text.startswith("5"):
            return text
        code, _, rest = text.partition(" ")
        return f"4{code[1:]} {'4' + rest[1:] if rest.startswith('5.') else rest}"

    def say_no(self, text: str) -> bool:
        """A negative reply. :return: False."""
        said = [self.softened(text)]
        footer = self.screen.footer
        if footer:
            said = footer.add(said, {"client_address": self.address, "client_port": self.port})
        self.connection.reply(wire(said))
        return False

    def hang_up(self, when: str) -> bool:
        """The client is gone. :return: False."""
        screen = self.screen
        screen.log.info(lines.hangup(shown_delay(screen.seconds() - self.began), self.client, when))
        return False

    def _conclude(self) -> bool:
        """Remember what the client has passed. :return: whether it is handed on."""
        screen, stamps = self.screen, self._stamps
        if self.barred or stamps is None:
            return False
        if screen.wanted and not self.todo and not self.failed:
            screen.log.info(f"PASS {'NEW' if stamps.fresh else 'OLD'} {self.client}")
        if screen.wanted:
            screen.cache.put(self.address, str(stamps))
        return True
