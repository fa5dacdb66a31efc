"""Rewriting and resolving addresses: what Postfix's trivial-rewrite(8) answers, and what cleanup(8) asks tables for."""

from zope.interface import Interface

__all__ = ["IAddressing"]


class IAddressing(Interface):
    """Addresses in internal form in and out."""

    async def rewrite(address, context):
        """Bring an address into standard form: ``user`` -> ``user@$myorigin``, ``user@host`` -> ``user@host.$mydomain``,
        ``user%domain``, ``site!user``, source routes (append_at_myorigin, swap_bangpath, allow_percent_hack ...).

        :param context: ``local``, ``remote`` (remote_header_rewrite_domain) or ``envelope``.
        """

    async def resolve(sender, recipient):
        """:return: mailer.message.delivery.Destination: address class, transport_maps, relayhost and the
        sender-dependent tables. An address that cannot be delivered resolves to transport ``error``.
        :raise TemporaryError: a table cannot tell now."""

    async def resolve_probe(sender, recipient):
        """The same for an address probe, by the address_verify_* settings of transports and relay hosts."""

    async def address_class(domain):
        """:return: ``local``, ``virtual_alias``, ``virtual_mailbox``, ``relay`` or ``default``."""

    async def recipient_exists(recipient):
        """Whether the recipient is known to its class's tables (local_recipient_maps, virtual_mailbox_maps,
        relay_recipient_maps, virtual_alias_maps, canonical maps ...), as reject_unlisted_recipient asks.

        :return: None when it exists or the class has no list; else the Reply to refuse it with.
        :raise TemporaryError: a table cannot tell now."""

    async def sender_exists(sender):
        """The same for a sender address, as reject_unlisted_sender asks."""

    async def expand(recipient):
        """virtual_alias_maps applied until nothing changes, within virtual_alias_recursion_limit and
        virtual_alias_expansion_limit. :return: list of str. :raise MailError: a limit was hit, or cannot tell now."""
