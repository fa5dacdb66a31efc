"""The work itself: a deposit goes into its maildir or mbox. Shared by the threads of one process."""

from __future__ import annotations

from collections.abc import Iterable

from mailer.deliver.mailbox.deposit import Deposit
from mailer.deliver.mailbox.maildir import Maildirs
from mailer.deliver.mailbox.mbox import Mboxes

__all__ = ["MailboxWriter"]


class MailboxWriter:
    """Blocking; safe to call from many threads."""

    def __init__(self) -> None:
        self._maildirs = Maildirs()
        self._mboxes = Mboxes()

    def deliver(self, deposit: Deposit, pieces: Iterable[bytes]) -> None:
        """When this returns the message is durable. :raise WriteFailure: nothing of it is left."""
        (self._maildirs if deposit.maildir else self._mboxes).deliver(deposit, pieces)
