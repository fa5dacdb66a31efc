"""Reports to senders: bounces, delay warnings, success notices (RFC 3464, 3461), postmaster notices."""

from zope.interface import Interface

__all__ = ["IReporter"]


class IReporter(Interface):
    """Composes notices and submits them to a sink. Each coroutine returns when the notice, if any is due, is durable.

    :param entry: IQueueEntry of the message concerned.
    :param results: list of ``(Recipient, Outcome)``.
    """

    async def bounce(entry, results):
        """Non-delivery notice for recipients that failed for good, or whose message has expired (their outcomes are then
        DEFERRED ones), as NOTIFY and RET ask; for a null sender a double bounce to 2bounce_notice_recipient as
        notify_classes ask."""

    async def delayed(entry, results):
        """Delay warning (delay_warning_time) for recipients still waiting."""

    async def succeeded(entry, results):
        """Success notice for those recipients whose NOTIFY asked for it and whose next host does not take it over;
        also the report that ``sendmail -bv`` and ``-v`` ask for (``entry.envelope.probe``; results of all fates), and, with
        confirm_delay_cleared, that mail went out whose sender had been warned (``entry.warned``)."""
