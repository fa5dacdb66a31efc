"""DNS as a mail system needs it (RFC 1035, 5321 5.1, 7505). Every answer may be kept; none blocks the reactor."""

from zope.interface import Interface

__all__ = ["IResolver"]


class IResolver(Interface):
    """Each method returns an ``mailer.message.dns.Answer``: ``records`` (empty: there are none), ``exists`` (False:
    NXDOMAIN) and ``secure`` (validated by the resolver). TemporaryError: cannot tell now (time-out, SERVFAIL)."""

    async def mx(domain):
        """Records: ``(preference, host)`` in order of preference; a null MX (RFC 7505) is ``(0, "")``."""

    async def addresses(host, families=("ipv4", "ipv6"), hosts=True, search=""):
        """Records: address literals (str) in the order of ``families`` asked for; IP literals are known.

        :param hosts: whether /etc/hosts counts, before DNS (smtp_host_lookup tells the difference).
        :param search: "", or how resolv.conf's domains complete the name: ``res_defnames`` (one without a dot gets the
            first of them) or ``res_dnsrch`` (all are tried).
        """

    async def ptr(address):
        """Records: host names of an IP address."""

    async def txt(name):
        """Records: strings joined, as bytes."""

    async def tlsa(name):
        """Records: ``(usage, selector, matching_type, data)``."""

    async def ns(domain):
        """Records: host names."""

    async def a(name):
        """Records: IPv4 literals, from DNS only (for DNSBLs: no /etc/hosts)."""
