"""Reply codes and texts with which the SMTP server refuses a request.

The meanings follow postconf(5) and smtpd(8).
"""

from __future__ import annotations

from mailer.config.declaration import Parameter
from mailer.config.parameters.area import Area

__all__ = ["PARAMETERS"]

TEMPFAIL_ACTIONS = ("defer", "defer_if_permit")

replies = Area("smtpd-replies")

PARAMETERS: tuple[Parameter, ...] = (
    replies.integer("access_map_defer_code", "450", "Reply code for the DEFER action of an access table."),
    replies.integer("access_map_reject_code", "554", "Reply code for the REJECT action of an access table."),
    replies.raw(
        "default_rbl_reply",
        "$rbl_code Service unavailable; $rbl_class [$rbl_what] blocked using $rbl_domain${rbl_reason?; $rbl_reason}",
        "Reply template for clients on a blocklist, with $rbl_ names expanded per reply.",
        minimum=1,
    ),
    replies.integer("defer_code", "450", "Reply code when the defer restriction refuses a request."),
    replies.integer(
        "invalid_hostname_reject_code",
        "501",
        "Reply code when reject_invalid_helo_hostname refuses a malformed HELO name.",
    ),
    replies.list(
        "maps_rbl_domains", "", "Blocklist domains of the former reject_maps_rbl restriction.", deprecated=True
    ),
    replies.integer("maps_rbl_reject_code", "554", "Reply code when a client or name is found on a blocklist."),
    replies.integer(
        "multi_recipient_bounce_reject_code", "550", "Reply code when reject_multi_recipient_bounce refuses a request."
    ),
    replies.integer("non_fqdn_reject_code", "504", "Reply code when a name or address is not fully qualified."),
    replies.tables("rbl_reply_maps", "", "Tables by blocklist domain whose templates replace default_rbl_reply."),
    replies.integer("reject_code", "554", "Reply code when the reject restriction refuses a request."),
    replies.choice(
        "reject_tempfail_action",
        "defer_if_permit",
        "What a reject-type restriction does when it meets a temporary error.",
        TEMPFAIL_ACTIONS,
    ),
    replies.integer(
        "relay_domains_reject_code", "554", "Reply code when a request to relay to a foreign domain is refused."
    ),
    replies.integer(
        "smtpd_forbid_bare_newline_reject_code",
        "550",
        "Reply code when smtpd_forbid_bare_newline is reject; 521 also disconnects.",
        minimum=500,
        maximum=599,
    ),
    replies.integer(
        "unknown_address_reject_code", "450", "Reply code when the sender's or recipient's domain is unknown."
    ),
    replies.choice(
        "unknown_address_tempfail_action",
        "$reject_tempfail_action",
        "What happens when the lookup of a sender's or recipient's domain fails temporarily.",
        TEMPFAIL_ACTIONS,
    ),
    replies.integer(
        "unknown_client_reject_code", "450", "Reply code when the client's address and name do not belong together."
    ),
    replies.choice(
        "unknown_helo_hostname_tempfail_action",
        "$reject_tempfail_action",
        "What happens when the lookup of a HELO name fails temporarily.",
        TEMPFAIL_ACTIONS,
    ),
    replies.integer(
        "unknown_hostname_reject_code", "450", "Reply code when a HELO name has neither an address nor an MX record."
    ),
    replies.integer(
        "unknown_local_recipient_reject_code",
        "550",
        "Reply code for a recipient that is not listed in local_recipient_maps.",
    ),
    replies.integer(
        "unknown_relay_recipient_reject_code",
        "550",
        "Reply code for a recipient that is not listed in relay_recipient_maps.",
    ),
    replies.integer(
        "unknown_virtual_alias_reject_code",
        "550",
        "Reply code for a recipient that is not listed in virtual_alias_maps.",
    ),
    replies.integer(
        "unknown_virtual_mailbox_reject_code",
        "550",
        "Reply code for a recipient that is not listed in virtual_mailbox_maps.",
    ),
    replies.integer(
        "unverified_recipient_defer_code",
        "450",
        "Reply code when a probe of the recipient address fails for a temporary reason.",
        minimum=200,
        maximum=499,
    ),
    replies.integer(
        "unverified_recipient_reject_code",
        "450",
        "Reply code when a probe shows that a recipient address is not deliverable.",
        minimum=200,
        maximum=599,
    ),
    replies.string(
        "unverified_recipient_reject_reason",
        "",
        "Text that replaces the probe's own reason when a recipient is refused.",
    ),
    replies.choice(
        "unverified_recipient_tempfail_action",
        "$reject_tempfail_action",
        "What happens when probing a recipient address fails for a temporary reason.",
        TEMPFAIL_ACTIONS,
    ),
    replies.integer(
        "unverified_sender_defer_code",
        "450",
        "Reply code when a probe of the sender address fails for a temporary reason.",
        minimum=200,
        maximum=499,
    ),
    replies.integer(
        "unverified_sender_reject_code",
        "450",
        "Reply code when a probe shows that a sender address is not deliverable.",
        minimum=200,
        maximum=599,
    ),
    replies.string(
        "unverified_sender_reject_reason", "", "Text that replaces the probe's own reason when a sender is refused."
    ),
    replies.choice(
        "unverified_sender_tempfail_action",
        "$reject_tempfail_action",
        "What happens when probing a sender address fails for a temporary reason.",
        TEMPFAIL_ACTIONS,
    ),
)
