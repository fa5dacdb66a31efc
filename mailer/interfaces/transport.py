"""The output side: what delivers a message. Transports are plug-ins, named by the last column of master.cf."""

from zope.interface import Attribute, Interface

__all__ = ["IOutcomes", "ITransport", "ITransportFactory"]


class IOutcomes(Interface):
    """Told each recipient's fate, once, as soon as it is known."""

    def tell(recipient, outcome):
        """Take the fate of one of the request's recipients (plain call): it is logged and recorded at once.

        :param recipient: a Recipient of the request, the same object.
        :param outcome: a ``mailer.message.status.Outcome``.
        """


class ITransport(Interface):
    """Delivers. One object per master.cf service; many deliveries run at the same time."""

    async def deliver(request, outcomes):
        """Attempt one delivery.

        When this returns or raises, every recipient of which nothing was told counts as deferred: with the reply of the
        MailError that was raised, else with ``4.3.0``. A transport normalises nothing: content is CRLF lines.

        :param request: mailer.message.delivery.DeliveryRequest.
        :param outcomes: IOutcomes.
        """

    async def stop():
        """Close idle connections and give resources back; deliveries in progress are bounded by their own time limits."""


class ITransportFactory(Interface):
    """The plug-in: declared in a module of ``twisted.plugins``, found by ``name``."""

    name = Attribute("The command name in master.cf's last column: ``smtp``, ``virtual``, ``discard`` ...")
    summary = Attribute("One line of help.")
    extra = Attribute("The pip extra it needs, or ''.")

    def build(argument, context):
        """:param argument: the words after the command name in master.cf that are not ``-o`` options, a tuple of str.
        :param context: mailer.interfaces.context.Context of this service.
        :return: an ITransport.
        :raise ConfigError: a wrong argument or setting.
        """
