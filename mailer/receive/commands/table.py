"""Which commands there are."""

from __future__ import annotations

from mailer.receive.commands.auth import Auth
from mailer.receive.commands.bdat import Bdat
from mailer.receive.commands.command import Command
from mailer.receive.commands.data import Data
from mailer.receive.commands.etrn import Etrn
from mailer.receive.commands.helo import Ehlo, Helo
from mailer.receive.commands.mail import Mail
from mailer.receive.commands.noop import Noop
from mailer.receive.commands.quit import Quit
from mailer.receive.commands.rcpt import Rcpt
from mailer.receive.commands.rset import Rset
from mailer.receive.commands.starttls import Starttls
from mailer.receive.commands.vrfy import Vrfy
from mailer.receive.commands.xclient import Xclient
from mailer.receive.commands.xforward import Xforward

__all__ = ["BY_VERB", "ORDER", "Command"]

_COMMANDS: tuple[Command, ...] = (
    Helo(), Ehlo(), Xclient(), Xforward(), Starttls(), Auth(), Mail(), Rcpt(), Data(), Bdat(), Rset(), Noop(), Vrfy(),
    Etrn(), Quit(),
)  # fmt: skip

BY_VERB: dict[str, Command] = {command.name: command for command in _COMMANDS}
#: As the log counts them when a client leaves.
ORDER = (*BY_VERB, "UNKNOWN")
