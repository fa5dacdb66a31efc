"""pickup(8): local submissions from the maildrop into the cleaning chain; what is refused goes back to its sender.

Talks to the maildrop's files, the sink, the reporter. Writes nothing but ``corrupt``.
"""

from __future__ import annotations

from typing import Any

from mailer.daemons.refused import RefusedEntry
from mailer.interfaces.context import Context
from mailer.message.envelope import Envelope, Recipient
from mailer.message.status import MailError, Outcome
from mailer.receive.maildrop import corrupt_directory, maildrop_directory
from mailer.receive.pickup import Pickup, Returns

__all__ = ["build_pickup", "returning"]


def build_pickup(context: Context, reporter: Any) -> Pickup:
    """:param reporter: IReporter for messages that the sink refuses for good."""
    queue = context.queue_directory
    return Pickup(context, maildrop_directory(queue), corrupt_directory(queue), returning(context, reporter))


def returning(context: Context, reporter: Any) -> Returns:
    """How a refused message goes back to its sender."""

    async def returns(
        envelope: Envelope, queue_id: str, recipients: list[Recipient], path: str, start: int, error: MailError
    ) -> None:
        entry = RefusedEntry(context, envelope, queue_id, recipients, path, start)
        outcome = Outcome.bounced(error.reply.text, error.reply.enhanced or "5.0.0")
        await reporter.bounce(entry, [(recipient, outcome) for recipient in recipients])

    return returns
