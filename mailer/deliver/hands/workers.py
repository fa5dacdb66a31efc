"""Worker processes, one for each user that something is done for: started when needed, ended when idle, bounded in number."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections import deque
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.internet.threads import deferToThreadPool

from mailer.deliver.hands.identity import Identity
from mailer.deliver.hands.lane import Lane
from mailer.message.status import TemporaryError

__all__ = ["Workers", "start_process"]

#: Requests that one worker has in hand at once; more of them share the disk's flushes.
_LANES = 16
_MOST_WORKERS = 50


def start_process(identity: Identity, sockets: list[socket.socket]) -> subprocess.Popen:
    """Start a worker on its ends of the socket pairs. Blocking."""
    groups = ",".join(str(group) for group in identity.groups)
    numbers = [end.fileno() for end in sockets]
    environment = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if os.path.isabs(path))}
    command = [
        sys.executable,
        "-m",
        "mailer.deliver.hands.worker",
        str(identity.uid),
        str(identity.gid),
        groups,
        identity.root,
        "",
    ]
    return subprocess.Popen(
        command + [str(number) for number in numbers],
        stdin=subprocess.DEVNULL,
        cwd="/",
        env=environment,
        pass_fds=numbers,
        start_new_session=True,
    )


class _Worker:
    """One process and its lanes; ``free`` are those that nobody uses; the process begins with
    the first, and so do we."""

    def __init__(self, process: subprocess.Popen) -> None:
        self.process = process
        self.lanes: list[Lane] = []
        self.free: list[Lane] = []
        self.last_used = 0.0

    @property
    def idle(self) -> bool:
        return len(self.free) == len(self.lanes)


class Workers:
    """:param reactor: clock, threads, and adoption of connections.
    :param pool: the thread pool in which processes are started and waited for.
    :param idle_seconds: how long a worker is kept without work (max_idle).
    :param watchdog: how long one request may take (daemon_timeout); a worker that hangs longer, on a lost file server for
        instance, is killed.
    :param log: is told so.
    :param start: starts a process in place of `start_process`, where this one may not; gives an awaitable of something with
        ``pid``, ``kill`` and ``wait``, or OSError."""

    def __init__(
        self,
        reactor: Any,
        pool: Any,
        idle_seconds: float,
        watchdog: float = 18000.0,
        log: Any = None,
        start: Any = None,
    ) -> None:
        self._reactor = reactor
        self._pool = pool
        self._idle = idle_seconds
        self._watchdog = watchdog
        self._log = log
        self._start = start or self._start_in_thread
        self._workers: dict[Identity, _Worker] = {}
        self._starting: set[Identity] = set()
        self._waiting: deque[Deferred[None]] = deque()
        self._sweep: Any = None

    async def ask(
        self, identity: Identity, request: dict[str, Any], content: Any = None
    ) -> tuple[dict[str, Any], bytes]:
        """As `Lane.ask`, of a worker that is ``identity``. :raise MailError:"""
        worker, lane = await self._lane(identity)
        lane.began = self._reactor.seconds()
        try:
            return await lane.ask(request, content)
        finally:
            lane.began = None
            if not lane.lost:
                worker.free.append(lane)
            worker.last_used = self._reactor.seconds()
            self._wake()

    async def _lane(self, identity: Identity) -> tuple[_Worker, Lane]:
        while True:
            worker = self._workers.get(identity)
            if worker is not None and worker.free:
                return worker, worker.free.pop(0)
            if worker is None and identity not in self._starting and self._room():
                return await self._launch(identity)
            turn: Deferred[None] = Deferred()
            self._waiting.append(turn)
            await turn

    def _room(self) -> bool:
        """Whether one more may be started; the one that has been idle longest makes room."""
        if len(self._workers) + len(self._starting) < _MOST_WORKERS:
            return True
        idle = [(worker.last_used, identity) for identity, worker in self._workers.items() if worker.idle]
        if not idle:
            return False
        self._end(min(idle, key=lambda pair: pair[0])[1])
        return True

    async def _launch(self, identity: Identity) -> tuple[_Worker, Lane]:
        self._starting.add(identity)
        try:
            worker = await self._start_worker(identity)
            return worker, worker.free.pop(0)  # before those who came later and wait
        finally:
            # Whoever is woken looks for the worker at once: it has to be there by now.
            self._starting.discard(identity)
            self._wake()

    async def _start_worker(self, identity: Identity) -> _Worker:
        pairs = [socket.socketpair() for _ in range(_LANES)]
        try:
            ends = [end for _, end in pairs]
            process = await self._start(identity, ends)
        except OSError as error:
            for ours, _ in pairs:
                ours.close()
            raise TemporaryError(f"cannot start a delivery worker process: {error.strerror}") from error
        finally:
            for _, end in pairs:
                end.close()
        worker = self._workers[identity] = _Worker(process)
        worker.last_used = self._reactor.seconds()
        for ours, _ in pairs:
            self._adopt(identity, worker, ours)
        if self._sweep is None:
            self._sweep = self._reactor.callLater(self._interval, self._end_idle)
        return worker

    def _start_in_thread(self, identity: Identity, ends: list[socket.socket]) -> Deferred[Any]:
        return deferToThreadPool(self._reactor, self._pool, start_process, identity, ends)

    @property
    def _interval(self) -> float:
        return min(self._idle, self._watchdog)

    def _adopt(self, identity: Identity, worker: _Worker, ours: socket.socket) -> None:
        lane = Lane(lambda lane: self._lost(identity, worker, lane))
        factory = Factory.forProtocol(lambda: lane)
        factory.noisy = False
        with ours:
            ours.setblocking(False)
            self._reactor.adoptStreamConnection(ours.fileno(), socket.AF_UNIX, factory)
        worker.lanes.append(lane)
        worker.free.append(lane)

    def _lost(self, identity: Identity, worker: _Worker, lane: Lane) -> None:
        worker.lanes.remove(lane)
        if lane in worker.free:
            worker.free.remove(lane)
        if not worker.lanes:
            if self._workers.get(identity) is worker:
                del self._workers[identity]
            self._pool.callInThread(worker.process.wait)
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, deque()
        for turn in waiting:
            turn.callback(None)

    def _end(self, identity: Identity) -> None:
        """The process ends by itself when its connections do."""
        for lane in self._workers.pop(identity).lanes[:]:
            lane.transport.loseConnection()

    def _end_idle(self) -> None:
        self._sweep = None
        now = self._reactor.seconds()
        for identity, worker in list(self._workers.items()):
            if any(lane.began is not None and now - lane.began > self._watchdog for lane in worker.lanes):
                self._kill(identity, worker)
            elif worker.idle and now - worker.last_used >= self._idle:
                self._end(identity)
        if self._workers:
            self._sweep = self._reactor.callLater(self._interval, self._end_idle)

    def _kill(self, identity: Identity, worker: _Worker) -> None:
        """Whatever else it had under way is not known to have been done, and is done again."""
        if self._log is not None:
            self._log.warning(f"delivery worker process {worker.process.pid} of uid {identity.uid}: watchdog timeout")
        worker.process.kill()

    def stop(self) -> None:
        """Let go of all workers; deliveries in progress come to their end."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        for identity, worker in list(self._workers.items()):
            if worker.idle:
                self._end(identity)
            else:
                self._idle = 0.0
                self._sweep = self._sweep or self._reactor.callLater(1.0, self._end_idle)
