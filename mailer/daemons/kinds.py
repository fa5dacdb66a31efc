"""The kinds of process of the processes layout. Each kind's module is imported by its own processes only."""

from __future__ import annotations

from importlib import import_module

from mailer.daemons.place import Daemon, Place
from mailer.net.sharing import prepare

__all__ = ["KINDS", "build"]

#: Kind -> module and class.
KINDS = {
    "proxymap": ("mailer.daemons.proxymap", "ProxymapDaemon"),
    "qmgr": ("mailer.daemons.queueing", "QmgrDaemon"),
    "smtp": ("mailer.daemons.carrying", "CarrierDaemon"),
    "deliver": ("mailer.daemons.carrying", "CarrierDaemon"),
    "smtpd": ("mailer.daemons.receiving", "SmtpdDaemon"),
}


def build(place: Place) -> Daemon:
    """Make the daemon of a process. :raise ConfigError: :raise OSError:"""
    prepare()
    if place.chrooted:
        place.dns.settle()
    module, name = KINDS[place.kind]
    daemon: Daemon = getattr(import_module(module), name)(place)
    return daemon
