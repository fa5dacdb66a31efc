"""Who may use the SMTP server and for what: restriction lists, tables and local command access.

The meanings follow postconf(5), smtpd(8) and SMTPD_ACCESS_README.
"""

from __future__ import annotations

from mailer.config.declaration import Parameter
from mailer.config.parameters.area import Area

__all__ = ["PARAMETERS"]

access = Area("smtpd-access")

PARAMETERS: tuple[Parameter, ...] = (
    access.list("authorized_flush_users", "static:anyone", "Users who may flush the queue with postqueue or sendmail."),
    access.list("authorized_mailq_users", "static:anyone", "Users who may list the queue with mailq or postqueue."),
    access.list(
        "authorized_submit_users", "static:anyone", "Users who may submit mail with the sendmail or postdrop command."
    ),
    access.list(
        "authorized_verp_clients",
        "",
        "Former name of smtpd_authorized_verp_clients, still used as its default.",
        deprecated=True,
    ),
    access.boolean(
        "disable_vrfy_command", "no", "Whether the VRFY command is refused, so that addresses cannot be probed with it."
    ),
    access.string(
        "empty_address_local_login_sender_maps_lookup_key",
        "<>",
        "Key that stands for the null sender in local_login_sender_maps.",
    ),
    access.tables(
        "local_login_sender_maps",
        "static:*",
        "Tables that give the envelope senders a local login name may use with sendmail.",
    ),
    access.list(
        "parent_domain_matches_subdomains",
        (
            "debug_peer_list,fast_flush_domains,mynetworks,permit_mx_backup_networks,qmqpd_authorized_c"
            "lients,relay_domains,smtpd_access_maps"
        ),
        "Parameters in which a bare domain name also matches all of its subdomains.",
    ),
    access.list(
        "permit_mx_backup_networks",
        "",
        "Networks of the primary MX hosts for which permit_mx_backup may accept mail.",
        deprecated=True,
    ),
    access.list(
        "smtpd_authorized_verp_clients",
        "$authorized_verp_clients",
        "SMTP clients that may request per-recipient return paths with XVERP.",
    ),
    access.list(
        "smtpd_authorized_xclient_hosts",
        "",
        "SMTP clients that may override the session's client attributes with XCLIENT.",
    ),
    access.list(
        "smtpd_authorized_xforward_hosts",
        "",
        "SMTP clients that may forward the original client's attributes with XFORWARD.",
    ),
    access.list("smtpd_client_restrictions", "", "Restrictions that are evaluated for a client's connection."),
    access.list("smtpd_data_restrictions", "", "Restrictions that are evaluated for the DATA command."),
    access.boolean(
        "smtpd_delay_reject", "yes", "Whether client, HELO and sender restrictions wait until RCPT TO or ETRN."
    ),
    access.tables(
        "smtpd_dns_reply_filter", "", "Table that edits or drops DNS replies before the SMTP server uses them."
    ),
    access.list(
        "smtpd_end_of_data_restrictions",
        "",
        "Restrictions that are evaluated when the whole message has been received.",
    ),
    access.list("smtpd_etrn_restrictions", "", "Restrictions that are evaluated for the ETRN command."),
    access.raw(
        "smtpd_expansion_filter",
        "\\t\\40!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\\\]^_`abcdefghijklmnopqrstuvwxyz{|}~",
        "Characters that may appear in $name expansions of SMTP server reply templates; others become underscores.",
        minimum=1,
    ),
    access.choice(
        "smtpd_forbid_bare_newline",
        "normalize",
        "How lines that end in a bare line feed are treated, against SMTP smuggling.",
        ("normalize", "yes", "note", "reject", "no"),
    ),
    access.list(
        "smtpd_forbid_bare_newline_exclusions",
        "$mynetworks",
        "SMTP clients that are exempt from smtpd_forbid_bare_newline.",
    ),
    access.boolean(
        "smtpd_forbid_unauth_pipelining",
        "yes",
        "Whether a client that pipelines where the protocol forbids it is disconnected.",
    ),
    access.list(
        "smtpd_forbidden_commands",
        "CONNECT GET POST regexp:{{/^[^A-Z]/ Bogus}}",
        "Commands or patterns for which the session is ended at once with a 221 reply.",
    ),
    access.boolean("smtpd_helo_required", "no", "Whether a client must send HELO or EHLO before MAIL FROM or ETRN."),
    access.list("smtpd_helo_restrictions", "", "Restrictions that are evaluated for the HELO and EHLO commands."),
    access.list(
        "smtpd_log_access_permit_actions",
        "",
        "Names of permit-like access actions that are logged when they take effect.",
    ),
    access.string(
        "smtpd_null_access_lookup_key", "<>", "Key that stands for the null sender in SMTP server access tables."
    ),
    access.boolean(
        "smtpd_peername_lookup", "yes", "Whether the client's name is looked up from its address and verified."
    ),
    access.list(
        "smtpd_recipient_restrictions",
        "",
        "Restrictions that are evaluated for RCPT TO, beside the relay restrictions.",
    ),
    access.tables(
        "smtpd_reject_filter_maps", "", "Tables that may replace the text of a reject reply before any footer is added."
    ),
    access.raw(
        "smtpd_reject_footer", "", "Text that is appended to every 4xx and 5xx reply, with \\n between its lines."
    ),
    access.tables(
        "smtpd_reject_footer_maps",
        "",
        "Tables that choose the footer by reject reply, before smtpd_reject_footer applies.",
    ),
    access.boolean(
        "smtpd_reject_unlisted_recipient",
        "yes",
        "Whether unknown recipients are rejected even without an explicit restriction.",
    ),
    access.boolean(
        "smtpd_reject_unlisted_sender",
        "no",
        "Whether unknown senders in our own domains are rejected without an explicit restriction.",
    ),
    access.boolean(
        "smtpd_relay_before_recipient_restrictions",
        "${{$compatibility_level} <level {3.6} ? {no} : {yes}}",
        "Whether relay restrictions are evaluated before recipient restrictions.",
    ),
    access.list(
        "smtpd_relay_restrictions",
        (
            "${{$compatibility_level} <level {1} ? {} : {permit_mynetworks, permit_sasl_authenticated, "
            "defer_unauth_destination}}"
        ),
        "Restrictions for RCPT TO that decide who may relay mail through this server.",
    ),
    access.list(
        "smtpd_restriction_classes",
        "",
        "Names of further parameters that hold restriction lists, for use as restrictions.",
    ),
    access.tables(
        "smtpd_sender_login_maps", "", "Tables that give the SASL login names that own an envelope sender address."
    ),
    access.list("smtpd_sender_restrictions", "", "Restrictions that are evaluated for the MAIL FROM command."),
)
