"""The input side: whatever takes a message in. SMTP, local submission, bounces and forwarding write to a sink.

Each step of the cleaning chain is a sink that wraps the next one; the queue is the last.
"""

from zope.interface import Attribute, Interface

__all__ = ["IMessageSink", "IMessageWriter", "IProducer"]


class IProducer(Interface):
    """The source of a message's content, which a sink may hold up while it cannot keep pace."""

    def pause():
        """Stop writing soon: what was under way may still arrive, within the producer's own buffer bound."""

    def resume():
        """Go on."""


class IMessageSink(Interface):
    """Takes messages."""

    def open(envelope, producer=None):
        """Begin a message.

        :param envelope: a ``mailer.message.envelope.Envelope``. Until ``commit`` is called its owner may still change it
            (smtpd fills in actions as checks decide); the sink reads it at ``commit``, only ``sender`` and ``client`` earlier.
        :param producer: an IProducer, or None if the writer's content is small or bounded by the caller.
        :return: an IMessageWriter. Nothing is durable yet.
        :raise MailError: the message cannot be taken now (queue_minfree, disk full).
        """


class IMessageWriter(Interface):
    """One message on its way in. Order of calls: recipient and write in any order, then commit or abort, once."""

    queue_id = Attribute(
        "The id that the message will have, a str; known from the start, so that Received can name it."
    )

    def recipient(recipient):
        """Add a ``mailer.message.envelope.Recipient``. Plain call, never waits."""

    def write(chunk):
        """Take some octets of content: CRLF line ends, not dot-stuffed, boundaries anywhere. Plain call, never waits.

        A failure (disk full, too big) is kept and raised by ``commit``; further chunks are then dropped, so the caller
        reads the message to its end as SMTP wants it.
        """

    async def commit():
        """Finish the message. When this returns, the message is durable.

        :return: the reply text's tail after ``Ok: `` is the caller's business; this returns the queue id, or "" when the
            message was discarded on request of a check.
        :raise MailError: the message was not taken; nothing of it is left behind.
        """

    def abort():
        """Forget the message; nothing of it is left behind. Harmless after commit."""
