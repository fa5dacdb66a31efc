"""What an instance in one process is made of: the parts of all daemons, introduced to each other."""

from __future__ import annotations

from mailer.daemons.carriers import Carriers
from mailer.daemons.parts import Common, Shared
from mailer.daemons.qmgr import QmgrParts
from mailer.daemons.smtpd import SmtpdParts
from mailer.master.plan import Plan

__all__ = ["Parts"]


class Parts:
    """The parts of one configuration.

    :raise ConfigError: a setting that a part depends on is wrong.
    """

    def __init__(self, plan: Plan, shared: Shared) -> None:
        self.plan = plan
        self.shared = shared
        self._common = Common(plan, shared)
        self.qmgr = QmgrParts(self._common)
        self._carriers = Carriers(self._common, plan.transports, self.qmgr.addressing)
        self.transports = self.qmgr.entries(plan.transports, self._carriers.transports)
        self._smtpd = SmtpdParts(self._common, plan.listeners)
        self.factories = self._smtpd.factories

    @property
    def problems(self) -> list[str]:
        """Transports that cannot be used, what was wrong with tables opened so far (those say "cannot tell now" until it is
        mended), and with restriction lists (what is wrong there refuses for now)."""
        return list(dict.fromkeys(self._carriers.problems + self._common.problems + self._smtpd.problems))

    async def stop(self) -> None:
        """Give back what these parts hold: idle connections, tables."""
        await self._carriers.stop()
        self._smtpd.close()
        self._common.close()
