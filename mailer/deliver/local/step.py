"""Where an expansion stands: one address under delivery, how it came to be, in whose rights things happen for it."""

from __future__ import annotations

from dataclasses import dataclass

from mailer.deliver.hands.identity import Identity
from mailer.deliver.local.names import Names
from mailer.deliver.local.users import User
from mailer.message.address import fold, split
from mailer.tables.search import split_extension

__all__ = ["Step"]


@dataclass(frozen=True, slots=True)
class Step:
    """``expansion`` is alias, forward or include, or "" for the recipient itself; ``source`` is the alias or the user whose
    list this came from. ``user`` is on whose behalf, ``rights`` how files, commands and lists of it are used. ``owner``
    takes the place of the sender ("" : nobody does). ``direct``: the mailbox, no alias, no forwarding. ``relayed``:
    luser_relay has already had its turn."""

    address: str
    level: int = 0
    expansion: str = ""
    source: str = ""
    user: User | None = None
    rights: Identity | None = None
    owner: str = ""
    direct: bool = False
    relayed: bool = False

    def names(self, delimiters: str, special: bool, user: User | None = None) -> Names:
        local, domain = split(self.address)
        local = fold(local)
        name, extension = split_extension(local, delimiters, special)
        home, shell = (user.home, user.shell) if user is not None else ("", "")
        return Names(name, extension[1:], local, domain, self.address, extension[:1] or delimiters[:1], home, shell)
