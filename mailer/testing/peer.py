"""A scripted SMTP or LMTP server: it rejects, delays or drops whatever it is told to, and remembers what it was told.

Runs on any transport: in memory (``mailer.testing.network``), or on a loopback port with a real reactor. It speaks the
protocol well enough for a client under test, and badly enough where the script says so; it is no mail server.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.protocol import Protocol, ServerFactory

__all__ = ["DROP", "HANG", "After", "Mail", "Peer", "Script"]

DROP = "drop"
"""Closes the connection instead of answering."""

HANG = "hang"
"""Never answers, and answers nothing after it."""


@dataclass(frozen=True)
class After:
    """The answer comes so many seconds later."""

    seconds: float
    answer: str


Answer = str | After

_GOOD = {
    "GREETING": "220 peer.example ESMTP",
    "HELO": "250 peer.example",
    "MAIL": "250 2.1.0 Ok",
    "RCPT": "250 2.1.5 Ok",
    "DATA": "354 End data with <CR><LF>.<CR><LF>",
    ".": "250 2.0.0 Ok: queued as 12345",
    "RSET": "250 2.0.0 Ok",
    "NOOP": "250 2.0.0 Ok",
    "QUIT": "221 2.0.0 Bye",
    "XFORWARD": "250 2.0.0 Ok",
}


class Script:
    """What a server says.

    :param extensions: the lines of its reply to EHLO or LHLO after the first.
    :param lmtp: whether the end of data is answered once for each accepted recipient.
    :param farewell: whether ``QUIT`` closes the connection, as it should.
    :param answers: by verb (``GREETING``, ``EHLO``, ``MAIL``, ``RCPT``, ``DATA``, ``.`` ...): an answer, or a list of
        them for one time after the other, the last one for all further times. An answer is the reply's text without the
        final line end (``\\n`` between lines), or DROP, HANG, an After; ``text|drop`` answers and then closes.
    """

    def __init__(
        self,
        extensions: Sequence[str] = (
            "PIPELINING",
            "SIZE 10240000",
            "ENHANCEDSTATUSCODES",
            "8BITMIME",
            "DSN",
            "SMTPUTF8",
        ),
        lmtp: bool = False,
        **answers: Answer | Sequence[Answer],
    ) -> None:
        self.lmtp = lmtp
        hello = "\n".join(f"250-{line}" for line in ("peer.example", *extensions))
        cut = hello.rfind("250-")
        good = {**_GOOD, "EHLO": hello[:cut] + "250 " + hello[cut + 4 :]}
        good["LHLO"] = good["EHLO"]
        known: dict[str, Any] = {**good, **{("." if verb == "DOT" else verb): answers[verb] for verb in answers}}
        self._answers = {
            verb: list(each) if isinstance(each, (list, tuple)) else [each] for verb, each in known.items()
        }

    def answer(self, verb: str) -> Answer:
        """The next answer to ``verb``."""
        left = self._answers.get(verb, ["500 5.5.2 Error: command not recognized"])
        return left.pop(0) if len(left) > 1 else left[0]

    def begin(self) -> Script:
        """The same script from its beginning: each connection has its own."""
        fresh = Script.__new__(Script)
        fresh.lmtp = self.lmtp
        fresh._answers = {verb: list(answers) for verb, answers in self._answers.items()}
        return fresh


@dataclass
class Mail:
    """A message that arrived: the commands without their line ends, and the content as it came (dots still doubled)."""

    mail: str = ""
    rcpts: list[str] = field(default_factory=list)
    content: bytes = b""


class _Session(Protocol):
    transport: Any

    def __init__(self, peer: Peer, script: Script) -> None:
        self.peer = peer
        self.script = script
        self.commands: list[str] = []
        self.lost = False
        self._buffer = b""
        self._mail: Mail | None = None
        self._in_data = False
        self._accepted = 0
        self._stuck = False
        self._busy = False  # an answer is delayed: what follows waits
        self._queue: list[Any] = []

    def connectionMade(self) -> None:
        self._say(self.script.answer("GREETING"))

    def connectionLost(self, reason: Any = None) -> None:
        self.lost = True

    def dataReceived(self, data: bytes) -> None:
        self._buffer += data
        self._work()

    def _work(self) -> None:
        while not (self._stuck or self._busy or self.lost):
            if self._mail is not None and self._in_data:
                end = (b"\r\n" + self._buffer).find(b"\r\n.\r\n")
                if end < 0:
                    return
                self._mail.content, self._buffer = self._buffer[:end], self._buffer[end + 3 :]
                self._in_data = False
                self.peer.mails.append(self._mail)
                self._mail = None
                self.commands.append(".")
                for _ in range(max(self._accepted, 1) if self.script.lmtp else 1):
                    self._say(self.script.answer("."))
                continue
            line, found, rest = self._buffer.partition(b"\n")
            if not found:
                return
            self._buffer = rest
            self._command(line.rstrip(b"\r").decode("utf-8", "replace"))

    def _command(self, line: str) -> None:
        self.commands.append(line)
        verb = line.partition(" ")[0].upper()
        answer = self.script.answer(verb)
        good = isinstance(answer, After) or answer[:1] in ("2", "3")
        if verb == "MAIL" and good:
            self._mail, self._accepted = Mail(line), 0
        elif verb == "RCPT" and good and self._mail is not None:
            self._mail.rcpts.append(line)
            self._accepted += 1
        elif verb == "DATA" and good:
            self._mail = self._mail or Mail()
            self._in_data = True
        self._say(answer)
        if verb == "QUIT" and answer not in (DROP, HANG):
            self.transport.loseConnection()

    def _say(self, answer: Answer) -> None:
        if self._busy:
            self._queue.append(answer)
        elif isinstance(answer, After):
            self._busy = True
            self.peer.clock.callLater(answer.seconds, self._later, answer.answer)
        elif answer == HANG or self._stuck:
            self._stuck = True
        elif answer == DROP:
            self._stuck = True
            self.transport.loseConnection()
        else:
            text, drop, _ = answer.partition("|drop")
            self.transport.write(text.replace("\n", "\r\n").encode("utf-8", "surrogateescape") + b"\r\n")
            if drop:
                self._stuck = True
                self.transport.loseConnection()

    def _later(self, answer: str) -> None:
        if self.lost:
            return
        self._busy = False
        self._say(answer)
        queue, self._queue = self._queue, []
        for each in queue:
            self._say(each)
        self._work()


class Peer(ServerFactory):
    """The server: one script for all connections, or one for each in turn, the last one for all further ones.

    ``sessions`` are the connections so far, with their ``commands`` and whether they are ``lost``; ``mails`` what came.
    """

    noisy = False

    def __init__(self, *scripts: Script, clock: Any = None) -> None:
        self._scripts = list(scripts) or [Script()]
        self.clock = clock
        self.sessions: list[_Session] = []
        self.mails: list[Mail] = []

    def buildProtocol(self, addr: Any) -> _Session:
        script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
        session = _Session(self, script.begin())
        self.sessions.append(session)
        return session

    @property
    def commands(self) -> list[list[str]]:
        """What was said, connection by connection."""
        return [session.commands for session in self.sessions]
