"""What this mail system can be told beyond postconf(5): in which processes its parts run, how failed logins are slowed down,
how long plug-ins may take.
"""

from __future__ import annotations

from mailer.config.declaration import Parameter
from mailer.config.parameters.area import Area

__all__ = ["PARAMETERS"]

own = Area("mailer")

PARAMETERS: tuple[Parameter, ...] = (
    own.choice(
        "mailer_layout",
        "auto",
        "Whether all parts share one process (single) or only master keeps root's rights (processes).",
        ("auto", "single", "processes"),
    ),
    own.integer(
        "mailer_smtp_processes",
        "0",
        "Processes that send mail by SMTP and LMTP; 0 for one a processor core.",
    ),
    own.integer(
        "mailer_smtpd_processes",
        "0",
        "Processes that receive mail by SMTP; 0 for one a processor core, or fewer where master.cf says so.",
    ),
    own.time(
        "plugin_block_time_limit",
        "2s",
        "How long another distribution's table or transport may hold up everything else before it is interrupted.",
    ),
    own.time(
        "plugin_delivery_time_limit",
        "1000s",
        "How long a delivery by another distribution's transport may take.",
    ),
    own.time(
        "plugin_lookup_time_limit",
        "10s",
        "How long a lookup in another distribution's table may take.",
    ),
    own.time(
        "smtpd_sasl_failure_delay",
        "1s",
        "How long the answer to the first failed login beyond smtpd_sasl_failure_limit takes; each one more doubles it.",
    ),
    own.integer(
        "smtpd_sasl_failure_limit",
        "5",
        "Failed logins from an address, or for a login name, that are answered without delay.",
    ),
    own.time("smtpd_sasl_failure_max_delay", "30s", "The longest delay of the answer to a failed login."),
    own.time("smtpd_sasl_failure_time", "600s", "How long failed logins are remembered after the last one."),
)
