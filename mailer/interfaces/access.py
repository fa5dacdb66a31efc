"""Access control as the SMTP server asks for it: one question per stage of a session."""

from zope.interface import Interface

__all__ = ["IAccess"]


class IAccess(Interface):
    """Each method takes a ``mailer.message.session.Session`` and returns None (go on) or the Reply to refuse with.

    What a check asks for besides (HOLD, FILTER, PREPEND, DISCARD, REDIRECT, BCC) it notes on ``session.envelope``; why it
    decided so it appends to ``session.decisions``. A table or server that cannot tell now gives a 4xx Reply, never a yes.
    """

    async def connect(session):
        """smtpd_client_restrictions (now or, with smtpd_delay_reject, at the first recipient)."""

    async def helo(session):
        """smtpd_helo_restrictions; ``session.client.helo`` is set."""

    async def etrn(session, domain):
        """smtpd_etrn_restrictions."""

    async def mail(session):
        """smtpd_sender_restrictions; ``session.envelope.sender`` is set."""

    async def rcpt(session):
        """With smtpd_delay_reject the delayed stages first, then smtpd_relay_restrictions and
        smtpd_recipient_restrictions, then reject_unlisted_recipient; ``session.recipient`` is set."""

    async def data(session):
        """smtpd_data_restrictions."""

    async def end_of_data(session):
        """smtpd_end_of_data_restrictions; ``session.size`` is the message's size."""
