"""The entry of a daemon's process: ``python -m mailer.master.child KIND.INDEX``, started by master and by nobody else,
or forked in a nursery.

Still root, with one thread, it learns who it is, reads the configuration and lets `mailer.daemons` build its parts (keys,
tables); then it gives up its rights; only then the reactor runs. Packets on the control channel, descriptor 3:

    to master    ready {broken}     failed {reason}     reloaded     status {values}     worker {id, uid, gid, groups} + its ends
                 kill {pid} (of a worker)                log (another descriptor for it, please)
    from master  sockets {names} + descriptors     birth {see Birth} + descriptors     listen     drain {seconds}     status
                 reload {peers} + configuration     log + descriptor     worker {id, pid | error}

A daemon whose master has gone has nothing to live for: it ends at once, as if it had been killed.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from mailer.config.errors import ConfigError
from mailer.daemons.kinds import build
from mailer.daemons.place import Place
from mailer.dns.resolver import Resolver
from mailer.interfaces.transport import ITransportFactory
from mailer.log.maillog import MailLog
from mailer.master import prctl
from mailer.master.birth import Birth, read_configuration
from mailer.master.control import Channel, receive, send
from mailer.master.faults import report_to
from mailer.master.maillog import buffered, handed
from mailer.master.plan import Plan, make_plan
from mailer.master.preload import preload, report_late_imports
from mailer.master.privileges import give_up
from mailer.master.workerlink import WorkerLink
from mailer.net.turn import quicken
from mailer.plugins.registry import installed

__all__ = ["CONTROL", "Child", "main"]

#: The descriptor of the control channel.
CONTROL = 3
_DRAIN_SECONDS = 10.0
#: sysexits.h: somebody else is to try again.
_TEMPFAIL = 75


def plan_of(descriptor: int) -> Plan:
    """The plan of a configuration that master has checked. :raise ConfigError: :raise OSError:"""
    configuration = read_configuration(descriptor)
    names = installed(ITransportFactory, "transport").names()
    return make_plan(configuration, names, configuration.settings.machine.addresses_of)


class Child:
    """The running daemon as its master sees it.

    :param log: the process' mail log. :param destination: where it goes, for ``renew``. :param master: its pid.
    """

    def __init__(self, reactor: Any, sock: socket.socket, log: MailLog, destination: Any, master: int) -> None:
        self._reactor = reactor
        self._log = log
        self._destination = destination
        self._master = master
        self._daemon: Any = None
        self._ending = False
        self.channel = Channel(sock, reactor, self._received, self._orphaned)
        self.workers = WorkerLink(self.channel)
        self._does: dict[str, Callable[..., None]] = {
            "listen": self._listen,
            "drain": self._drain,
            "status": self._status,
            "reload": self._reload,
            "log": self._renew_log,
            "worker": self.workers.answered,
        }

    def run(self, daemon: Any) -> None:
        """Until the end of the process."""
        self._daemon = daemon
        self._reactor.callWhenRunning(self._start)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a key on the terminal is master's to obey
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: self._reactor.callFromThread(self._drain, [], _DRAIN_SECONDS))
        self._reactor.run(installSignalHandlers=False)
        self._log.drain()

    def _start(self) -> None:
        def started(_: Any) -> None:
            self.channel.send("ready", broken=dict(getattr(self._daemon, "broken", {})))

        Deferred.fromCoroutine(self._daemon.start()).addCallbacks(started, self._failed)

    def _failed(self, failure: Any) -> None:
        text = failure.getErrorMessage()
        self.channel.send(
            "failed", reason=text if failure.check(ConfigError, OSError) else f"{failure.type.__name__}: {text}"
        )
        if not failure.check(ConfigError, OSError):
            print(failure.getTraceback(), file=sys.stderr)
        self._leave()

    def _received(self, message: dict[str, Any], descriptors: list[int]) -> None:
        does = self._does.get(message.pop("type"))
        if does is None:
            for descriptor in descriptors:
                os.close(descriptor)
            return
        does(descriptors, **message)

    def _listen(self, _: list[int]) -> None:
        if os.getppid() == self._master:
            # Not earlier: who has been born in a nursery would die with that.
            prctl.die_with_parent(signal.SIGKILL)
        if not self._ending:
            self._daemon.listen()

    def _status(self, _: list[int]) -> None:
        self.channel.send("status", values=self._daemon.status())

    def _reload(self, descriptors: list[int], peers: dict[str, list[str]]) -> None:
        (descriptor,) = descriptors
        try:
            self._daemon.reload(plan_of(descriptor), _tuples(peers))
        except Exception as error:  # a new configuration may be wrong in any way: the old one goes on
            self.channel.send("failed", reason=str(error) or type(error).__name__)
        else:
            self.channel.send("reloaded")
        finally:
            os.close(descriptor)

    def _renew_log(self, descriptors: list[int]) -> None:
        self._destination.renew(descriptors[0])
        self._log.reopen()

    def _drain(self, _: list[int], seconds: float) -> None:
        if self._ending:
            return
        self._ending = True

        def failed(failure: Any) -> None:
            print(failure.getTraceback(), file=sys.stderr)

        Deferred.fromCoroutine(self._daemon.drain(seconds)).addErrback(failed).addCallback(lambda _: self._leave())

    def _leave(self) -> None:
        self._ending = True
        if self._reactor.running:
            self._reactor.stop()

    def _orphaned(self, why: str) -> None:
        self._log.drain()
        os._exit(_TEMPFAIL)


def _born(sock: socket.socket) -> tuple[Birth, dict[str, int]]:
    """:return: who this is, and the descriptors by name. Blocking. :raise EOFError: master has gone."""
    handed_over: dict[str, int] = {}
    while True:
        packet = receive(sock)
        if packet is None:
            raise EOFError
        message, descriptors = packet
        if message["type"] == "birth":
            birth = Birth.from_message(message)
            handed_over.update(zip(birth.descriptors, descriptors, strict=True))
            return birth, handed_over
        handed_over.update(zip(message["names"], descriptors, strict=True))


def _tuples(peers: dict[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(processes) for name, processes in peers.items()}


def _adopted(descriptor: int) -> socket.socket:
    sock = socket.socket(fileno=descriptor)
    sock.setblocking(False)
    return sock


def main(descriptor: int = CONTROL) -> None:
    """:param descriptor: the control channel."""
    faulthandler.enable()
    sock = socket.socket(fileno=descriptor)
    sock.set_inheritable(False)
    birth, descriptors = _born(sock)
    prctl.set_name(birth.name, f"mailer: {birth.name}")
    try:
        child, daemon = _made(sock, birth, descriptors)
    except (ConfigError, OSError) as error:
        send(sock, {"type": "failed", "reason": str(error)})
        sys.exit(1)
    child.run(daemon)


def _made(sock: socket.socket, birth: Birth, descriptors: dict[str, int]) -> tuple[Child, Any]:
    # Imported late: it is the choice of this process which reactor there is.
    from twisted.internet import reactor

    running: Any = reactor
    plan = plan_of(descriptors.pop("configuration"))
    settings = plan.configuration.settings
    child: Child | None = None

    def ask() -> None:
        if child is not None:
            running.callFromThread(child.channel.send, "log")

    destination = handed(birth.log, descriptors.pop("log"), settings, ask)
    log = buffered(destination, running, time.time, lambda text: print(text, file=sys.stderr))
    report_to(log.service(birth.kind, settings.syslog_name))
    quicken(running)
    os.chdir(birth.directory)
    sock.setblocking(False)
    child = Child(running, sock, log, destination, birth.master)
    place = Place(
        kind=birth.kind,
        index=birth.index,
        plan=plan,
        services=None if birth.services is None else frozenset(birth.services),
        reactor=running,
        seconds=time.time,
        log=log,
        directory=".",
        sockets={name: _adopted(descriptor) for name, descriptor in descriptors.items()},
        peers=_tuples(birth.peers),
        start_worker=child.workers.start,
        dns=Resolver(running),
        chrooted=birth.chroot,
    )
    daemon = build(place)
    service = log.service(birth.kind, settings.syslog_name)
    if birth.index == 0:  # the others of its kind have found the same
        for problem in daemon.problems:
            service.warning(problem)
    preload()
    refused = give_up(birth.privileges)
    report_late_imports(lambda name: service.info(f"imported late: {name}"))
    if refused:
        service.info(f"the kernel here has no way to give up: {', '.join(refused)}")
    return child, daemon


if __name__ == "__main__":
    main()
