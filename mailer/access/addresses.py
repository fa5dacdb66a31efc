"""Mail addresses as access checks see them: rewritten and resolved, once for each examination."""

from __future__ import annotations

from mailer.access.evaluation import Evaluation, target_of
from mailer.access.restriction import Environment
from mailer.message.delivery import Destination
from mailer.message.status import Reply, TemporaryError

__all__ = ["authorized", "resolved", "unlisted_recipient", "unlisted_sender"]

OURS = ("local", "virtual_alias", "virtual_mailbox")


async def resolved(environment: Environment, state: Evaluation, address: str) -> Destination:
    """Where mail for the address would go. :raise TemporaryError: a table cannot tell now."""
    known = state.destinations.get(address)
    if known is None:
        addressing = environment.addressing
        try:
            complete = await addressing.rewrite(address, "local")
            known = await addressing.resolve("", complete)
        except TemporaryError as error:
            raise _cannot_tell(error, address) from error
        state.destinations[address] = known
    return known


async def authorized(environment: Environment, state: Evaluation, recipient: str) -> bool:
    """Whether mail for the recipient is ours to take: a final destination, or a relay domain without sender routing."""
    destination = await resolved(environment, state, recipient)
    if destination.routed and not environment.settings.allow_untrusted_routing:
        return False
    return destination.address_class in OURS or destination.address_class == "relay"


async def unlisted_recipient(environment: Environment, recipient: str) -> Reply | None:
    """The refusal of a recipient that its domain's table does not list. :raise TemporaryError: it cannot tell now."""
    return await _unlisted(environment, environment.addressing.recipient_exists, recipient)


async def unlisted_sender(environment: Environment, sender: str) -> Reply | None:
    """The same for a sender."""
    return await _unlisted(environment, environment.addressing.sender_exists, sender) if sender else None


async def _unlisted(environment: Environment, exists: object, address: str) -> Reply | None:
    try:
        complete = await environment.addressing.rewrite(address, "local")
        reply: Reply | None = await exists(complete)  # type: ignore[operator]
    except TemporaryError as error:
        raise _cannot_tell(error, address) from error
    if reply is not None and complete != address:  # the client hears its own words
        reply = Reply(reply.code, reply.enhanced, reply.text.replace(f"<{complete}>", f"<{address}>", 1))
    return reply


def _cannot_tell(error: TemporaryError, address: str) -> TemporaryError:
    return TemporaryError(error.cause, "4.3.0", target_of(address, "Temporary lookup failure"))
