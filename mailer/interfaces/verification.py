"""Address verification (verify(8)): finding out whether mail to an address would be taken, by trying without a message."""

from zope.interface import Interface

__all__ = ["IVerifier"]


class IVerifier(Interface):
    """Asked by access checks."""

    async def verify(address, patience):
        """What is known of an address; if nothing is, or it is old, a probe is sent.

        :param address: internal form.
        :param patience: seconds to wait for the first result at most; what is known already is returned at once.
        :return: mailer.message.verification.Verification; ``PENDING`` if there is no result yet.
        :raise TemporaryError: cannot tell now.
        """
