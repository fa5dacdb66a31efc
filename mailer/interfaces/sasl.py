"""Authentication of SMTP clients: what stands behind smtpd_sasl_type. Back ends are plug-ins."""

from zope.interface import Attribute, Interface

__all__ = ["ISaslServer", "ISaslServerFactory"]


class ISaslServerFactory(Interface):
    """The plug-in: declared in a module of ``twisted.plugins``, found by ``name``."""

    name = Attribute("The type, as smtpd_sasl_type has it: ``dovecot``, ``cyrus`` ...")
    summary = Attribute("One line of help.")
    extra = Attribute("The pip extra it needs, or ''.")

    def build(argument, context):
        """Make the back end of one service; called at start and reload, so it must not wait for a network.

        :param argument: smtpd_sasl_path. :param context: mailer.interfaces.context.Context.
        :return: an ISaslServer. :raise ConfigError: wrong syntax, a missing file, a missing library.
        """


class ISaslServer(Interface):
    """A back end. Base64 is part of the exchange: challenges and responses are passed as they travel, as str."""

    async def mechanisms():
        """What it can do now, in the order of the reply to EHLO; what is announced is chosen from these.

        :return: a tuple of ``mailer.message.sasl.Mechanism``. :raise TemporaryError: it cannot be reached; the log knows why.
        """

    def unusable(mechanism):
        """A client asks for a mechanism that does not exist or is kept from it. :return: the SaslRefused to be raised."""

    async def authenticate(mechanism, initial, peer, ask):
        """Carry out one login.

        :param mechanism: one of ``mechanisms``, in the client's case.
        :param initial: the initial response in base64 (``=``: it is empty), or None if the client sent none.
        :param peer: a ``mailer.message.sasl.SaslPeer``.
        :param ask: ``await ask(challenge)`` sends a challenge and returns the response; both in base64. It raises SaslAborted,
            and whatever ends the session.
        :return: a ``mailer.message.sasl.Login``.
        :raise SaslRefused: it failed, for good or for now. :raise SaslAborted: see ``ask``.
        """

    def close():
        """Give connections back."""
