"""A reactor's turn without a log context for each event.

Twisted's epoll reactor reads and writes each connection within a log context that names the connection, for ``system`` in
twisted.log's old events. Nobody reads that here (the mail log has a writer of its own), and it is 5 % of the time of a
small relay. This is the only module that takes a turn of the reactor in hand; any other reactor goes on as it is.
"""

from __future__ import annotations

from typing import Any

from twisted.python import log

try:
    from twisted.internet.epollreactor import EPollReactor
except ImportError:  # no epoll on this system
    EPollReactor = None  # type: ignore[assignment, misc]

__all__ = ["quicken"]


def quicken(reactor: Any) -> bool:
    """Let the reactor do its turns this way from now on. :return: whether it does."""
    if type(reactor) is not EPollReactor:
        return False
    selectables, poller, handle = reactor._selectables, reactor._poller, reactor._doReadOrWrite

    def turn(timeout: float | None) -> None:
        for descriptor, event in poller.poll(-1 if timeout is None else timeout, len(selectables)):
            selectable = selectables.get(descriptor)
            if selectable is None:  # closed by what came before in this turn
                continue
            try:
                handle(selectable, descriptor, event)
            except KeyboardInterrupt:
                raise
            except BaseException:  # as Twisted has it: one connection's fault is not the others'
                log.err()

    reactor.doIteration = turn  # type: ignore[method-assign]
    return True
