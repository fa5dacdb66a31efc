"""The output side: what delivers a message. Transports are plug-ins, named by the last column of master.cf."""

from zope.interface import Attribute, Interface

from mailer.message.status import TemporaryError

__all__ = ["IOutcomes", "ITransport", "ITransportFactory", "TransportUnavailable"]


class TransportUnavailable(TemporaryError):
    """Raised by ``deliver``: the transport itself cannot work now (its process is gone, its command cannot be started).

    The scheduler stops using it for transport_retry_time. A failure of one nexthop is no such thing.
    """

    def __init__(self, cause: str) -> None:
        super().__init__(cause, "4.3.0", "mail transport unavailable")


class IOutcomes(Interface):
    """Told each recipient's fate, once, as soon as it is known."""

    def tell(recipient, outcome, shown=None):
        """Take the fate of one of the request's recipients (plain call): it is logged and recorded at once.

        :param recipient: a Recipient of the request, the same object.
        :param outcome: a ``mailer.message.status.Outcome``.
        :param shown: the Recipient that the log names instead: the member of an alias that decided the fate.
        """

    def partial(shown, outcome):
        """Log what became of a part of a recipient: one of several members of an alias or a forwarding file. The
        recipient's own fate is told besides.

        :param shown: a Recipient, not one of the request's.
        """

    def unreachable(status, reason):
        """The nexthop as a whole could not be used: no address for it now, no connection, no usable greeting, EHLO/HELO
        or TLS handshake at any of its hosts (not: a refused sender, recipient or content).

        This lowers the number of parallel deliveries to the nexthop and, repeated (``*_failed_cohort_limit``), suspends
        it for minimal_backoff_time: its mail is then deferred untried with ``delivery temporarily suspended: reason``.
        A delivery that ends without this call counts as proof that the nexthop works, whatever its recipients' fates.
        The recipients are told as usual, before or after. At most one call counts for one delivery: the first.

        :param status: RFC 3463 code such as ``4.4.1``.
        :param reason: the text that the recipients' outcomes have, such as
            ``connect to mx.example[192.0.2.1]:25: Connection refused``.
        """


class ITransport(Interface):
    """Delivers. One object per master.cf service; many deliveries run at the same time."""

    async def deliver(request, outcomes):
        """Attempt one delivery.

        When this returns or raises, every recipient of which nothing was told counts as deferred: with the reply of the
        MailError that was raised, else with ``4.3.0``; TransportUnavailable suspends the whole transport. A transport
        normalises nothing: content is CRLF lines.

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
