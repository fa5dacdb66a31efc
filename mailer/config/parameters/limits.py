"""How much one client may ask of the SMTP server, and what changes under stress.

The meanings follow postconf(5), smtpd(8), anvil(8) and STRESS_README.
"""

from __future__ import annotations

from mailer.config.declaration import Parameter
from mailer.config.parameters.area import Area

__all__ = ["PARAMETERS"]

limits = Area("rate-limits")

PARAMETERS: tuple[Parameter, ...] = (
    limits.time(
        "anvil_rate_time_unit", "60s", "Length in seconds of the period over which client rates are counted.", minimum=1
    ),
    limits.time(
        "anvil_status_update_time",
        "600s",
        "Seconds between log lines with the peak client counts and rates.",
        minimum=1,
    ),
    limits.time(
        "in_flow_delay",
        "1s",
        "Seconds to pause before a message is taken when mail arrives faster than it leaves.",
        maximum=10,
    ),
    limits.integer(
        "smtpd_client_auth_rate_limit", "0", "Most AUTH commands of one client per time unit, zero for no limit."
    ),
    limits.integer(
        "smtpd_client_connection_count_limit", "50", "Most simultaneous connections of one client, zero for no limit."
    ),
    limits.list(
        "smtpd_client_connection_limit_exceptions",
        "",
        "Former name of smtpd_client_event_limit_exceptions, still used as its default.",
        deprecated=True,
    ),
    limits.integer(
        "smtpd_client_connection_rate_limit", "0", "Most connections of one client per time unit, zero for no limit."
    ),
    limits.list(
        "smtpd_client_event_limit_exceptions",
        "${smtpd_client_connection_limit_exceptions:$mynetworks}",
        "Clients that are exempt from the connection and rate limits.",
    ),
    limits.integer(
        "smtpd_client_ipv4_prefix_length",
        "32",
        "Length in bits of the IPv4 network that counts as one client.",
        maximum=32,
    ),
    limits.integer(
        "smtpd_client_ipv6_prefix_length",
        "84",
        "Length in bits of the IPv6 network that counts as one client.",
        maximum=128,
    ),
    limits.integer(
        "smtpd_client_message_rate_limit",
        "0",
        "Most MAIL FROM commands of one client per time unit, zero for no limit.",
    ),
    limits.integer(
        "smtpd_client_new_tls_session_rate_limit",
        "0",
        "Most new TLS sessions of one client per time unit, zero for no limit.",
    ),
    limits.integer(
        "smtpd_client_recipient_rate_limit",
        "0",
        "Most RCPT TO commands of one client per time unit, zero for no limit.",
    ),
    limits.time(
        "smtpd_error_sleep_time",
        "1s",
        "Seconds by which replies are delayed once a client has passed the soft error limit.",
    ),
    limits.integer(
        "smtpd_hard_error_limit",
        "${stress?{1}:{20}}",
        "Errors without delivered mail after which a client is disconnected.",
        minimum=1,
    ),
    limits.integer(
        "smtpd_junk_command_limit",
        "${stress?{1}:{100}}",
        "NOOP, VRFY, ETRN and RSET commands after which each further one counts as an error.",
        minimum=1,
    ),
    limits.integer(
        "smtpd_min_data_rate",
        "500",
        "Bytes a second that must flow when the SMTP server's request deadlines are in force.",
        minimum=1,
    ),
    limits.string(
        "smtpd_per_record_deadline",
        "",
        "Former name of smtpd_per_request_deadline, still used as its default.",
        deprecated=True,
    ),
    limits.boolean(
        "smtpd_per_request_deadline",
        "${smtpd_per_record_deadline?{$smtpd_per_record_deadline}:{${stress?{yes}:{no}}}}",
        "Whether the SMTP server's time limits cover a whole request or reply, not each read or write.",
    ),
    limits.integer(
        "smtpd_recipient_limit", "1000", "Most recipients of one message that the SMTP server accepts.", minimum=1
    ),
    limits.integer(
        "smtpd_recipient_overshoot_limit",
        "1000",
        "Recipients beyond the limit before each further one counts as an error.",
        minimum=1,
    ),
    limits.integer(
        "smtpd_soft_error_limit",
        "10",
        "Errors without delivered mail after which replies to a client are delayed.",
        minimum=1,
    ),
    limits.string(
        "stress", "", "Not empty while all processes of a service are busy, set by the master for its children."
    ),
)
