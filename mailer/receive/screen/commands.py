"""What the screen's engine answers each command with. Nothing here takes mail; replies are those of postscreen(8)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from mailer.message.status import TemporaryError
from mailer.receive.screen import lines
from mailer.receive.screen.encryption import encrypt
from mailer.receive.screen.paths import address_in

if TYPE_CHECKING:
    from mailer.receive.screen.session import Screening

__all__ = ["BY_VERB", "Dialogue"]

_OK = b"250 2.0.0 Ok\r\n"


class Dialogue:
    """What the client has said so far. ``sender`` is None outside a transaction. The methods return whether the connection
    goes on."""

    def __init__(self, screening: Screening) -> None:
        self._screening = screening
        self._screen = screening.screen
        self._say = screening.connection.reply
        self.helo = ""
        self.protocol = "SMTP"
        self.sender: str | None = None
        self.encrypted = False
        self._discarded: frozenset[str] = frozenset()

    def _no(self, text: str) -> bool:
        self._screening.say_no(text)
        return True

    async def ehlo(self, argument: str) -> bool:
        if not argument:
            return self._no("501 Syntax: EHLO hostname")
        self._greeted(argument)
        self.protocol = "ESMTP"
        screen = self._screen
        try:
            self._discarded = await screen.keywords.discarded(self._screening.address)
        except TemporaryError:  # the table has logged it; what is not announced harms nobody
            self._discarded = frozenset()
        words = screen.keywords.to_log(self._discarded)
        if words and self._discarded != screen.keywords.ordinary:
            client = f"[{self._screening.address}]{self._screening.port}"
            screen.log.info(f"{client}: discarding EHLO keywords: {' '.join(words)}")
        extra = ("STARTTLS",) if screen.tls.offered and not self.encrypted else ()
        self._say(screen.keywords.reply(self._discarded | {"PIPELINING"}, extra))
        return True

    async def hello(self, argument: str) -> bool:
        if not argument:
            return self._no("501 Syntax: HELO hostname")
        self._greeted(argument)
        self._say(f"250 {self._screen.hostname}\r\n".encode("utf-8", "surrogateescape"))
        return True

    def _greeted(self, argument: str) -> None:
        self.helo = argument.partition(" ")[0]
        self.sender = None

    async def mail(self, argument: str) -> bool:
        if self._screen.helo_required and not self.helo:
            return self._no("503 5.5.1 Error: send HELO/EHLO first")
        if self.sender is not None:
            return self._no("503 5.5.1 Error: nested MAIL command")
        address = address_in(argument)
        if address is None:
            return self._no("501 5.5.4 Syntax: MAIL FROM:<address>")
        self.sender = address
        self._say(b"250 2.1.0 Ok\r\n")
        return True

    async def rcpt(self, argument: str) -> bool:
        if self.sender is None:
            return self._no("503 5.5.1 Error: need MAIL command")
        address = address_in(argument)
        if address is None:
            return self._no("501 5.5.4 Syntax: RCPT TO:<address>")
        screening = self._screening
        line = lines.rejected(screening.client, screening.reply, self.sender, address, self.protocol, self.helo)
        self._screen.log.info(line)
        return self._no(screening.reply)

    async def data(self, argument: str) -> bool:
        if argument:
            text = "501 5.5.4 Syntax: DATA"
        elif self.sender is None:
            text = "503 5.5.1 Error: need RCPT command"
        else:
            text = "554 5.5.1 Error: no valid recipients"
        return self._end("DATA", text)

    async def bdat(self, argument: str) -> bool:
        if "CHUNKING" in self._discarded:
            text = "502 5.5.1 Error: command not implemented"
        elif not argument:
            text = "501 5.5.4 Syntax: BDAT count [LAST]"
        elif self.sender is None:
            text = "554 5.5.1 Error: need MAIL command"
        else:
            text = "554 5.5.1 Error: no valid recipients"
        return self._end("BDAT", text)

    def _end(self, command: str, text: str) -> bool:
        """What follows cannot be told from content."""
        self._screen.log.info(f"{command} without valid RCPT from {self._screening.client}")
        return self._screening.say_no(text)

    async def rset(self, argument: str) -> bool:
        self.sender = None
        self._say(_OK)
        return True

    async def noop(self, argument: str) -> bool:
        self._say(_OK)
        return True

    async def quit(self, argument: str) -> bool:
        self._say(b"221 2.0.0 Bye\r\n")
        return False

    async def verify(self, argument: str) -> bool:
        if not argument:
            return self._no("501 5.5.4 Syntax: VRFY address")
        if self._screen.vrfy_disabled:
            return self._no("502 5.5.1 VRFY command is disabled")
        return self._no(self._screening.reply)

    async def etrn(self, argument: str) -> bool:
        if "ETRN" in self._discarded:
            return self._no("502 5.5.1 Error: command not implemented")
        return self._no("458 Unable to queue messages" if argument else "500 Syntax: ETRN domain")

    async def starttls(self, argument: str) -> bool:
        screening, tls = self._screening, self._screen.tls
        if argument:
            return self._no("501 Syntax: EHLO hostname")  # as Postfix puts it
        if self.encrypted:
            return self._no("554 5.5.1 Error: TLS already active")
        if not tls.offered or "STARTTLS" in self._discarded:
            return self._no("502 5.5.1 Error: command not implemented")
        layer = tls.layer(screening.client)
        if layer is None:
            return self._no("454 4.7.0 Error: TLS not available due to local problem")
        self._say(b"220 2.0.0 Ready to start TLS\r\n")
        await encrypt(screening, layer)
        self.encrypted = True
        self.helo, self.protocol, self.sender = "", "SMTP", None
        return True


BY_VERB: dict[str, Callable[[Dialogue, str], Awaitable[bool]]] = {
    "EHLO": Dialogue.ehlo,
    "HELO": Dialogue.hello,
    "MAIL": Dialogue.mail,
    "RCPT": Dialogue.rcpt,
    "DATA": Dialogue.data,
    "BDAT": Dialogue.bdat,
    "RSET": Dialogue.rset,
    "NOOP": Dialogue.noop,
    "QUIT": Dialogue.quit,
    "VRFY": Dialogue.verify,
    "ETRN": Dialogue.etrn,
    "STARTTLS": Dialogue.starttls,
}
