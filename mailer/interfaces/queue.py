"""The queue store: messages between reception and their last recipient's fate.

States (Postfix's words): ``incoming`` (durable, not yet taken up), ``active`` (known to the scheduler), ``deferred``
(waiting for ``next_attempt``), ``hold`` (until an administrator says otherwise), ``corrupt``. The store knows nothing of
destinations or transports. The scheduler is the only consumer; tools (postqueue, postsuper) work on the same store, with
or without a server running, so every call has to cope with an entry that has just gone.
"""

from zope.interface import Attribute, Interface

from mailer.interfaces.sink import IMessageSink

__all__ = ["IContent", "IQueue", "IQueueEntry"]


class IContent(Interface):
    """A message's content: CRLF lines, not dot-stuffed, ending in CRLF. Immutable, readable many times at once."""

    size = Attribute("Length in octets (CRLF counted).")
    inline = Attribute("The whole content as bytes when it is small and at hand, else None.")
    filed = Attribute(
        "Whether it lies in the message's own file in the queue, where other processes can read it (bool)."
    )

    def chunks(start=0):
        """An asynchronous iterator over the content from offset ``start``, in pieces of at most 64 KiB.

        :raise TemporaryError: the content cannot be read now.
        """


class IQueueEntry(Interface):
    """A queued message as its consumer sees it."""

    queue_id = Attribute("str")
    envelope = Attribute("mailer.message.envelope.Envelope")
    recipients = Attribute(
        "The first of those still to be delivered, by ``id``: list of Recipient with their ``id`` set, no more than the"
        " consumer asked for at ``subscribe``; ``IQueue.recipients`` gives the others."
    )
    pending = Attribute("How many recipients are still to be delivered in all (int, >= len(recipients)).")
    nrcpt = Attribute("How many recipients the message was queued with, delivered ones included (the log's nrcpt=).")
    bounced = Attribute(
        "How many recipients were recorded as BOUNCED in a pass that a crash cut short: their bounce is still owed (int,"
        " nearly always 0). Such an entry may have no recipients left."
    )
    expired = Attribute("Whether an administrator asked to return it to its sender now (postsuper -e; bool).")
    content = Attribute("IContent")
    size = Attribute("Content octets as Postfix counts message size (LF line ends count one).")
    arrival = Attribute("Seconds since the epoch at reception.")
    attempts = Attribute("How often the whole entry has been deferred.")
    warned = Attribute("Whether the delay warning has been sent (bool).")


class IQueue(IMessageSink):
    """The store. All methods are called in the reactor thread; whatever touches a disk happens elsewhere."""

    def subscribe(consumer, recipients=1000):
        """Announce the one consumer, an object with ``room() -> bool``, ``arrived(entry)``, ``withdrawn(queue_ids)`` and
        ``due(flush)``.

        After each durable commit ``arrived`` is called with the entry, which is then already ``active``, if ``room()``
        said yes at that moment; otherwise the entry waits as ``incoming`` for ``claim``.

        ``withdrawn`` names active entries that an administrator has deleted, put on hold or requeued: the consumer starts
        no further delivery of them, records what is still under way, and lets go of each with ``defer`` (``remove`` when no
        recipient is left).
        ``due`` says that entries may have become due earlier than ``next_attempt`` promised (release, flush, postsuper); with
        ``flush`` true an administrator also wants destinations tried again that are thought dead.

        :param recipients: how many recipients an entry brings along at most, when it arrives and when it is claimed.
        """

    async def claim(now, limit, deferred=True, incoming=True):
        """Take up to ``limit`` entries that wait: (if ``incoming``) incoming ones first, oldest first, then (if
        ``deferred``) those deferred entries whose next_attempt is not after ``now``, earliest first. They become
        ``active``.

        :return: list of IQueueEntry. An unreadable one becomes ``corrupt``, is logged, and is not in the list.
        """

    async def recipients(queue_id, after, limit):
        """The next recipients still to be delivered of an entry with many.

        :param after: the greatest recipient id seen so far.
        :return: list of Recipient with ``id > after``, in order of ``id``, at most ``limit``; empty at the end and when
            the entry has gone.
        """

    async def next_attempt():
        """The earliest next_attempt of all deferred entries (seconds since the epoch), or None."""

    def record(queue_id, outcomes):
        """Note recipients' fates: a list of ``(recipient id, Outcome)``, in order, without waiting.

        SENT (and, of probes, DELIVERABLE and UNDELIVERABLE) recipients are no longer pending; BOUNCED ones are kept with
        their outcome until ``defer`` or ``remove``; DEFERRED ones stay pending with their last outcome. Written with the
        next batch; a crash before that repeats the delivery.
        """

    async def failures(queue_id):
        """All outcomes kept with the entry: list of ``(Recipient, Outcome)`` for bounced and deferred recipients."""

    def remove(queue_id):
        """The entry is finished; forget it with the next batch, content included. Never waits."""

    def defer(queue_id, next_attempt, warned=None):
        """Back to ``deferred`` until then; an entry withdrawn meanwhile stays where the administrator put it. Bounced
        recipients recorded so far are forgotten (their bounce is durable).

        :param warned: True notes that the delay warning has been sent.
        """

    async def hold(queue_ids):
        """Put on hold. :return: how many there were."""

    async def release(queue_ids):
        """From hold to deferred, due now. :return: how many."""

    async def flush(queue_ids=None, domain=None):
        """Make deferred entries due now: all, those named, or those with a pending recipient in ``domain``.

        :return: how many.
        """

    async def load(queue_id):
        """One entry whatever its state, or None."""

    def listing():
        """An asynchronous iterator over ``QueueListing`` rows (mailer.message.listing) for postqueue, in queue order."""

    async def flushed():
        """Return when everything told so far by record, remove and defer is written."""
