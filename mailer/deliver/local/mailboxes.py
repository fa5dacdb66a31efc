"""A user's own mailbox and ``/file`` destinations (local(8), MAILBOX DELIVERY and EXTERNAL FILE DELIVERY)."""

from __future__ import annotations

import socket
from typing import Any

from mailer.deliver.hands.identity import Identity, unprivileged
from mailer.deliver.local.run import Run
from mailer.deliver.local.settings import LocalSettings
from mailer.deliver.local.step import Step
from mailer.deliver.local.users import User
from mailer.deliver.mailbox.deposit import Deposit, WriteFailure
from mailer.deliver.mailbox.prefix import delivery_headers
from mailer.message.address import quote
from mailer.message.status import TemporaryError

__all__ = ["Mailboxes"]

_PERMANENT = "5.2.0"


class Mailboxes:
    """:param hands: writes them. :param spool: a `Spool`."""

    def __init__(self, settings: LocalSettings, hands: Any, spool: Any, log: Any) -> None:
        self._settings = settings
        self._hands = hands
        self._log = log
        self._host = socket.gethostname()
        self._spool = spool

    async def own(self, run: Run, step: Step, user: User) -> None:
        """Into the mailbox that home_mailbox or mail_spool_directory names."""
        settings, identity, forgiving = self._settings, user.identity, False
        if settings.home_mailbox.endswith("/"):
            path = f"{user.home}/{settings.home_mailbox}"
        elif settings.spool.endswith("/"):
            path = f"{settings.spool}{user.name}/"
        elif settings.home_mailbox:
            path = f"{user.home}/{settings.home_mailbox}"
        else:
            path = f"{settings.spool}/{user.name}"
            if not run.request.probe:
                identity, forgiving = await self._spool.rights(user.name, identity)
        problem = f"cannot update mailbox {path} for user {user.name}. "
        biff = user.name if settings.biff else ""
        await self._write(run, step, identity, path, ("mailbox", problem), forgiving, biff)

    async def file(self, run: Run, step: Step, rights: Identity, path: str) -> None:
        """Into a file or maildir that an alias or a forwarding file names."""
        rights = unprivileged(rights, self._settings.default_rights)
        if run.again("file", rights.uid, path):
            return
        await self._write(run, step, rights, path, (f"file: {path}", f"cannot append message to file {path}: "), True)

    async def _write(
        self,
        run: Run,
        step: Step,
        identity: Identity,
        path: str,
        words: tuple[str, str],
        forgiving: bool,
        biff: str = "",
    ) -> None:
        """:param words: what mail is delivered to if it is no maildir, and how the log begins a failure there."""
        what, problem = ("maildir", "maildir delivery failed: ") if path.endswith("/") else words
        if run.request.probe:
            run.would(step.address, f"delivers to {what}")
            return
        try:
            await self._hands.deliver(identity, self._deposit(run, step, path, forgiving, biff), run.request.content)
        except WriteFailure as failure:
            self._explain(failure, identity, path)
            run.failed(step.address, failure.status or _PERMANENT, problem + failure.reason)
        except TemporaryError as error:
            run.failed(step.address, error.reply.enhanced, error.reply.text)
        else:
            run.done(step.address, f"delivered to {what}")

    def _deposit(self, run: Run, step: Step, path: str, forgiving: bool, biff: str) -> Deposit:
        settings, sender = self._settings, run.request.envelope.sender
        delivered = (run.recipient if settings.frozen else step).address if "file" in settings.prepend else ""
        head = delivery_headers(sender, run.original if settings.show_original else "", delivered)
        return Deposit(
            path,
            head,
            quote(sender),
            self._host,
            settings.mailbox_limit,
            dotlock_may_fail=forgiving,
            biff=biff,
            **settings.mbox,
        )

    def _explain(self, failure: WriteFailure, identity: Identity, path: str) -> None:
        if failure.advice:
            self._log.warning(failure.advice)
        if failure.denied and path.endswith("/"):
            who = f"UID/GID={identity.uid}/{identity.gid}"
            self._log.warning(f"maildir access problem for {who}: {failure.reason}")
            self._log.warning("perhaps you need to create the maildirs in advance")
