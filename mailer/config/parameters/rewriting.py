"""How addresses are completed, rewritten and masqueraded, and who gets copies of mail.

The meanings follow postconf(5), ADDRESS_REWRITING_README, canonical(5), generic(5), trivial-rewrite(8) and cleanup(8).
"""

from __future__ import annotations

from mailer.config.declaration import Parameter
from mailer.config.parameters.area import Area

__all__ = ["PARAMETERS"]

rewriting = Area("address-rewriting")
bcc = Area("bcc")

PARAMETERS: tuple[Parameter, ...] = (
    rewriting.boolean("allow_percent_hack", "yes", "Whether user%domain is rewritten to user@domain."),
    rewriting.boolean(
        "allow_untrusted_routing",
        "no",
        "Whether untrusted clients may send user@elsewhere@domain addresses to relay_domains.",
    ),
    rewriting.boolean("append_at_myorigin", "yes", "Whether @myorigin is appended to addresses without a domain."),
    rewriting.boolean(
        "append_dot_mydomain",
        "${{$compatibility_level} <level {1} ? {yes} : {no}}",
        "Whether .mydomain is appended to domains without a dot.",
    ),
    rewriting.list(
        "canonical_classes",
        "envelope_sender, envelope_recipient, header_sender, header_recipient",
        "Addresses, in envelope and headers, that canonical_maps rewrites.",
        minimum=1,
    ),
    rewriting.tables(
        "canonical_maps", "", "Tables that rewrite sender and recipient addresses in envelope and headers."
    ),
    rewriting.boolean(
        "enable_original_recipient",
        "yes",
        "Whether the address before rewriting is kept as X-Original-To and in DSN reports.",
    ),
    rewriting.choice(
        "header_from_format",
        "standard",
        "Form of a generated From header, with the name before the address or in a comment.",
        ("standard", "obsolete"),
    ),
    rewriting.list(
        "local_header_rewrite_clients",
        "permit_inet_interfaces",
        "Clients whose message headers are rewritten, completed and masqueraded as local ones.",
    ),
    rewriting.list(
        "masquerade_classes",
        "envelope_sender, header_sender, header_recipient",
        "Addresses, in envelope and headers, that masquerading changes.",
    ),
    rewriting.list(
        "masquerade_domains",
        "",
        "Domains whose subdomains are stripped from addresses; a leading ! keeps one as it is.",
    ),
    rewriting.list("masquerade_exceptions", "", "User names whose addresses are never masqueraded."),
    rewriting.list(
        "propagate_unmatched_extensions",
        "canonical, virtual",
        "Lookups whose result receives the address extension of the key.",
    ),
    rewriting.list(
        "recipient_canonical_classes",
        "envelope_recipient, header_recipient",
        "Addresses, in envelope and headers, that recipient_canonical_maps rewrites.",
        minimum=1,
    ),
    rewriting.tables(
        "recipient_canonical_maps", "", "Tables that rewrite recipient addresses, after which canonical_maps applies."
    ),
    rewriting.string(
        "recipient_delimiter", "", "Characters, each of which may separate a user name from its address extension."
    ),
    rewriting.string(
        "remote_header_rewrite_domain",
        "",
        "Domain that completes header addresses of remote clients, empty for no such rewriting.",
    ),
    rewriting.boolean(
        "resolve_dequoted_address",
        "yes",
        "Whether an address is resolved by looking for @, % and ! inside its quoted local part.",
    ),
    rewriting.boolean(
        "resolve_null_domain", "no", "Whether user@ with an empty domain counts as local, not as invalid."
    ),
    rewriting.boolean("resolve_numeric_domain", "no", "Whether user@1.2.3.4 counts as user@[1.2.3.4], not as invalid."),
    rewriting.string(
        "rewrite_service_name",
        "rewrite",
        "Master.cf service that rewrites addresses and resolves them to a destination.",
        minimum=1,
    ),
    rewriting.boolean(
        "sender_based_routing",
        "no",
        "Whether mail was routed by sender in early releases, without effect.",
        deprecated=True,
    ),
    rewriting.list(
        "sender_canonical_classes",
        "envelope_sender, header_sender",
        "Addresses, in envelope and headers, that sender_canonical_maps rewrites.",
        minimum=1,
    ),
    rewriting.tables(
        "sender_canonical_maps", "", "Tables that rewrite sender addresses, after which canonical_maps applies."
    ),
    rewriting.tables(
        "smtp_generic_maps",
        "",
        "Tables that rewrite local addresses in mail that the SMTP client sends to other sites.",
    ),
    rewriting.boolean("swap_bangpath", "yes", "Whether site!user is rewritten to user@site."),
    bcc.string("always_bcc", "", "Address that receives a copy of every message."),
    bcc.integer(
        "duplicate_filter_limit",
        "1000",
        "Most addresses that are remembered to find duplicate recipients, zero for no limit.",
    ),
    bcc.tables("recipient_bcc_maps", "", "Tables by recipient address with an address that receives a copy."),
    bcc.tables("sender_bcc_maps", "", "Tables by sender address with an address that receives a copy."),
)
