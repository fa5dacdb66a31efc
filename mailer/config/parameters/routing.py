"""Who we are, which domains are ours and where mail goes: the names, address classes and routes.

The meanings follow postconf(5), ADDRESS_CLASS_README, transport(5), virtual(5) and virtual(8).
"""

from __future__ import annotations

from mailer.config.declaration import Parameter
from mailer.config.parameters.area import Area

__all__ = ["PARAMETERS"]

basic = Area("basic")
routing = Area("address-classes-routing")
virtual_alias = Area("virtual-alias")
virtual_mailbox = Area("virtual-mailbox")

PARAMETERS: tuple[Parameter, ...] = (
    basic.string(
        "compatibility_level", "0", "Release whose default settings apply; a lower level keeps older defaults in force."
    ),
    basic.list(
        "inet_interfaces",
        "all",
        "Local addresses or interface names on which mail is received and from which it is sent.",
    ),
    basic.list("inet_protocols", "all", "Internet protocols that may be used, all or any of ipv4 and ipv6."),
    basic.string(
        "mail_name",
        "Postfix",
        "Name of this mail system as it appears in greetings, Received headers and bounces.",
        minimum=1,
    ),
    basic.string(
        "mail_release_date",
        "20260821",
        "Date of the reference release (YYYYMMDD) whose behaviour is followed.",
        minimum=1,
    ),
    basic.string(
        "mail_version",
        "3.12-20260821",
        "Version of the reference release whose behaviour is followed, for macros and banners.",
        minimum=1,
    ),
    basic.string(
        "mydomain", "", "Local domain name, computed by dropping the first label of myhostname unless it is set."
    ),
    basic.string(
        "myhostname", "", "Fully qualified name of this host, taken from the operating system unless it is set."
    ),
    basic.list("mynetworks", "", "Client networks and addresses that are trusted, for instance to relay mail."),
    basic.choice(
        "mynetworks_style",
        "${{$compatibility_level} <level {2} ? {subnet} : {host}}",
        "How mynetworks is computed from the interface addresses when it is not set.",
        ("host", "subnet", "class"),
    ),
    basic.string(
        "myorigin",
        "$myhostname",
        "Domain that completes addresses without one, or a file name that holds that domain.",
        minimum=1,
    ),
    routing.string(
        "default_transport",
        "smtp",
        "Transport, and optionally nexthop, for destinations that are neither local, relayed nor virtual.",
        minimum=1,
    ),
    routing.string(
        "empty_address_default_transport_maps_lookup_key",
        "<>",
        "Key that stands for the null sender in sender_dependent_default_transport_maps.",
        minimum=1,
    ),
    routing.string(
        "empty_address_relayhost_maps_lookup_key",
        "<>",
        "Key that stands for the null sender in sender_dependent_relayhost_maps.",
        minimum=1,
    ),
    routing.tables(
        "local_recipient_maps",
        "proxy:unix:passwd.byname $alias_maps",
        "Tables with the valid local recipients; empty means that every local name is accepted.",
    ),
    routing.string(
        "local_transport",
        "local:$myhostname",
        "Transport, and optionally nexthop, for domains in mydestination and for local addresses.",
        minimum=1,
    ),
    routing.list(
        "mydestination",
        "$myhostname, localhost.$mydomain, localhost",
        "Domains whose mail is delivered by the local transport.",
    ),
    routing.list(
        "proxy_interfaces",
        "",
        "Outside addresses of a proxy or address translator through which this host receives mail.",
    ),
    routing.list(
        "relay_domains",
        "${{$compatibility_level} <level {2} ? {$mydestination} : {}}",
        "Domains for which mail is accepted and passed on to another host.",
    ),
    routing.tables(
        "relay_recipient_maps",
        "",
        "Tables with the valid recipients in relay_domains; empty means that all are accepted.",
    ),
    routing.string(
        "relay_transport", "relay", "Transport, and optionally nexthop, for domains in relay_domains.", minimum=1
    ),
    routing.string(
        "relayhost", "", "Next hop for mail that has no more specific route; in square brackets no MX lookup is done."
    ),
    routing.tables("relocated_maps", "", "Tables with contact information for users and domains that have moved away."),
    routing.tables(
        "sender_dependent_default_transport_maps",
        "",
        "Tables that override default_transport by envelope sender address or domain.",
    ),
    routing.tables(
        "sender_dependent_relayhost_maps", "", "Tables that override relayhost by envelope sender address or domain."
    ),
    routing.tables("transport_maps", "", "Tables that give transport and nexthop for a recipient address or domain."),
    virtual_alias.integer(
        "virtual_alias_address_length_limit",
        "1000",
        "Longest address, in characters, that virtual alias expansion may produce.",
        minimum=1,
    ),
    virtual_alias.list(
        "virtual_alias_domains",
        "$virtual_alias_maps",
        "Domains whose every address is an alias that is looked up in virtual_alias_maps.",
    ),
    virtual_alias.integer(
        "virtual_alias_expansion_limit",
        "1000",
        "Most addresses that virtual alias expansion may produce from one original recipient.",
        minimum=1,
    ),
    virtual_alias.tables(
        "virtual_alias_maps", "$virtual_maps", "Tables that replace recipient addresses or domains by other addresses."
    ),
    virtual_alias.integer(
        "virtual_alias_recursion_limit",
        "1000",
        "Deepest nesting of virtual alias expansion before the message is deferred.",
        minimum=1,
    ),
    virtual_alias.tables(
        "virtual_maps", "", "Former name of virtual_alias_maps, still used as its default.", deprecated=True
    ),
    virtual_mailbox.tables(
        "virtual_gid_maps", "", "Tables that give the group id with which a virtual mailbox is written."
    ),
    virtual_mailbox.string(
        "virtual_mailbox_base", "", "Directory that is put before every path found in virtual_mailbox_maps."
    ),
    virtual_mailbox.list(
        "virtual_mailbox_domains",
        "$virtual_mailbox_maps",
        "Domains whose mail is delivered by virtual_transport into mailboxes.",
    ),
    virtual_mailbox.integer(
        "virtual_mailbox_limit",
        "51200000",
        "Largest size of a virtual mailbox file or Maildir message in bytes, zero for no limit.",
    ),
    virtual_mailbox.list(
        "virtual_mailbox_lock",
        "fcntl, dotlock",
        "Locking methods that are used while a virtual UNIX-style mailbox is written.",
        minimum=1,
    ),
    virtual_mailbox.tables(
        "virtual_mailbox_maps", "", "Tables with the valid virtual mailbox recipients and the path of each mailbox."
    ),
    virtual_mailbox.integer(
        "virtual_minimum_uid", "100", "Lowest user id that is accepted from virtual_uid_maps.", minimum=1
    ),
    virtual_mailbox.string(
        "virtual_transport",
        "virtual",
        "Transport, and optionally nexthop, for domains in virtual_mailbox_domains.",
        minimum=1,
    ),
    virtual_mailbox.tables(
        "virtual_uid_maps", "", "Tables that give the user id with which a virtual mailbox is written."
    ),
)
