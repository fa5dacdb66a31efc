"""The process of kind ``smtpd``: SMTP sessions, and all that decides about their mail. See mailer.daemons.smtpd.

Talks to SMTP clients, DNS, policy servers, the queue manager, proxymap. Writes contents into the queue's content directory.
"""

from __future__ import annotations

import os
from typing import Any

from mailer.daemons.parts import Common
from mailer.daemons.place import Place
from mailer.daemons.reaching import QueueAccess
from mailer.daemons.serving import Serving
from mailer.daemons.smtpd import SmtpdParts

__all__ = ["SmtpdDaemon"]

#: The first lane of queue ids; those before it belong to qmgr and deliver.
_FIRST_LANE = 2


class SmtpdDaemon:
    """See Daemon."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._access = QueueAccess(place, _FIRST_LANE + place.index)
        self._common = Common(place.plan, self._access.shared)
        listeners = [listener for listener in place.plan.listeners if place.serves(listener.service)]
        self._parts = SmtpdParts(self._common, listeners, spare=True, share=_processes(place.plan))
        self._serving = Serving(place.reactor, place.sockets, shared=True)
        self.broken = self._parts.broken

    @property
    def problems(self) -> list[str]:
        return list(dict.fromkeys(self._common.problems + self._parts.problems))

    async def start(self) -> None:
        await self._access.start()

    def listen(self) -> None:
        self._serving.listen(self._parts.factories)

    def status(self) -> dict[str, Any]:
        return {"sessions": self._serving.sessions, "waiting": self._access.client.outstanding}

    async def drain(self, seconds: float) -> None:
        if seconds > _AT_END:
            await self._serving.retire(seconds)
        else:
            await self._serving.stop(seconds)
        self._parts.close()
        self._common.close()
        self._access.close()

    def reload(self, plan: Any, peers: Any) -> None:
        raise NotImplementedError("an smtpd is replaced")


def _processes(plan: Any) -> int:
    """About how many processes like this one there are."""
    asked: int = plan.configuration.settings.mailer_smtpd_processes
    return asked if asked > 0 else os.cpu_count() or 1


#: Whoever is given more seconds than this does not end for lack of time: its sessions may go on.
_AT_END = 30.0
