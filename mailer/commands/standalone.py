"""``sendmail -bs``: an SMTP session on standard input and output, for programs that speak SMTP and have no network.

As in Postfix the caller is trusted with any recipient, because it may as well submit without SMTP: no access list is
asked, and what is taken goes into the maildrop. Works whether or not a server runs.
"""

from __future__ import annotations

import dataclasses
import os
import time
from typing import Any

from twisted.internet.stdio import StandardIO
from zope.interface import implementer

from mailer.addressing.service import Addressing
from mailer.commands.instance import Instance
from mailer.commands.submission import Fatal, poke
from mailer.config.errors import ConfigError
from mailer.interfaces.access import IAccess
from mailer.interfaces.context import Context
from mailer.interfaces.sink import IMessageSink, IMessageWriter
from mailer.log.destinations import SyslogDestination
from mailer.log.maillog import MailLog
from mailer.master.maillog import destination
from mailer.message.envelope import Client, Envelope, Recipient
from mailer.message.status import TemporaryError
from mailer.net.server import ServerConnection
from mailer.net.sweep import Sweep
from mailer.receive.maildrop import Drop, Submission
from mailer.receive.peername import OK, PeerName
from mailer.receive.service import Service
from mailer.receive.session import SmtpSession
from mailer.tables.opening import Tables

__all__ = ["EVERYTHING", "MaildropSink", "serve"]

_ADDRESS = "127.0.0.1"
_SYSLOG = "/dev/log"


def serve(directory: str | None) -> int:
    """One session. :param directory: configuration directory, None for the default. :return: the exit status.

    :raise Fatal: the configuration is wrong.
    """
    # Imported late: only this mode needs a running reactor.
    from twisted.internet import reactor

    loop: Any = reactor
    instance = Instance.open(directory, Fatal)
    service = _service(instance, loop)

    async def session(connection: ServerConnection) -> None:
        client = Client(name="localhost", reverse_name="localhost", address=_ADDRESS, port="0", protocol="SMTP")
        speaker = SmtpSession(service, connection, client, (_ADDRESS, "0"))
        speaker.pipelined = True  # a script on standard input does not wait for replies, which is nothing to log
        await speaker.run()

    connection = _Connection(session, Sweep(loop), service.timeout, service.line_limit)
    loop.callWhenRunning(lambda: _Terminal(connection, reactor=loop))
    loop.run()
    return 0


class _Terminal(StandardIO):
    """Standard input and output as a connection that can be cut off, like others."""

    def abortConnection(self) -> None:
        self.loseConnection()


class _Connection(ServerConnection):
    """Ends the process with the session."""

    def connectionLost(self, reason: Any = None) -> None:
        super().connectionLost(reason)
        self._sweep.clock.stop()


class _Localhost:
    """Who the caller is needs no DNS."""

    async def look_up(self, address: str) -> PeerName:
        return PeerName("localhost", "localhost", OK, OK)


def _service(instance: Instance, reactor: Any) -> Service:
    settings = instance.settings
    log = _log(settings).service("smtpd", settings.syslog_name)
    context = Context(settings=settings, reactor=reactor, seconds=time.time, log=log, name="stdio")
    context = dataclasses.replace(context, tables=Tables(context))
    sink = MaildropSink(instance.maildrop, instance.pickup_socket)
    try:
        service = Service(context, EVERYTHING, Addressing(context), sink, stand_alone=True)
    except ConfigError as error:
        raise Fatal(str(error)) from error
    service.peers = _Localhost()
    service.pipelining_forbidden = False  # a script on standard input does not wait for replies
    return service


def _log(settings: Any) -> MailLog:
    """The mail log, if the caller may write to it, or syslog's; standard output is the client's and standard error its user's."""
    try:
        where, words = destination(settings)
    except ConfigError:
        where, words = SyslogDestination("mail", _SYSLOG), ""
    if words.startswith("standard") or (not words and not os.path.exists(_SYSLOG)):
        where = _Nowhere()
    return MailLog(where, time.time, os.getpid)


class _Nowhere:
    """A user's own session on a machine without a log that he may write to: the server logs the message when it takes it."""

    def write(self, lines: list[Any]) -> None:
        """Dropped."""

    def reopen(self) -> None:
        """Nothing to open."""


@implementer(IAccess)
class _Everything:
    """No restriction at all."""

    async def connect(self, session: Any) -> None:
        return None

    helo = mail = rcpt = data = end_of_data = connect

    async def etrn(self, session: Any, domain: str) -> None:
        return None


EVERYTHING = _Everything()


@implementer(IMessageSink)
class MaildropSink:
    """Into the maildrop, waiting for the disk where it has to: there is no other session to hold up.

    The session itself sees to message_size_limit.
    """

    def __init__(self, directory: str, pickup_socket: str) -> None:
        self._directory = directory
        self._pickup_socket = pickup_socket

    def open(self, envelope: Envelope, producer: Any = None) -> _Writer:
        return _Writer(envelope, Drop(self._directory), self._pickup_socket)


@implementer(IMessageWriter)
class _Writer:
    def __init__(self, envelope: Envelope, drop: Drop, pickup_socket: str) -> None:
        self.queue_id = drop.name
        self._envelope = envelope
        self._drop = drop
        self._pickup_socket = pickup_socket
        self._recipients: list[Recipient] = []
        self._begun = False
        self._failure: OSError | None = None

    def recipient(self, recipient: Recipient) -> None:
        self._recipients.append(recipient)

    def write(self, chunk: bytes) -> None:
        if self._failure is not None:
            return
        try:
            if not self._begun:
                self._drop.begin(self._submission())
                self._begun = True
            self._drop.write(chunk)
        except OSError as error:
            self._failure = error

    def _submission(self) -> Submission:
        envelope = self._envelope
        return Submission(
            sender=envelope.sender,
            recipients=self._recipients,
            body=envelope.body,
            smtputf8=envelope.smtputf8,
            ret=envelope.ret,
            envid=envelope.envid,
            verp=envelope.verp,
        )

    async def commit(self) -> str:
        try:
            if self._failure is not None:
                raise self._failure
            name = self._drop.commit()
        except OSError as error:
            self.abort()
            raise TemporaryError(f"maildrop: {error}", "4.3.0", "Error: queue file write error") from error
        poke(self._pickup_socket)
        return name

    def abort(self) -> None:
        self._drop.abort()
