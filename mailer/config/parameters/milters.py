"""Milter protocol filters, the QMQP server and internationalized mail.

The meanings follow postconf(5), MILTER_README, qmqpd(8) and SMTPUTF8_README.
"""

from __future__ import annotations

from mailer.config.declaration import Parameter
from mailer.config.parameters.area import Area

__all__ = ["PARAMETERS"]

milter = Area("milter")
qmqp = Area("qmqp")
smtputf8 = Area("smtputf8")

PARAMETERS: tuple[Parameter, ...] = (
    milter.list(
        "internal_mail_filter_classes",
        "",
        "Kinds of internally generated mail, out of bounce and notify, that filters see.",
    ),
    milter.time(
        "milter_command_timeout",
        "30s",
        "Seconds to send an SMTP command to a Milter and to receive its answer.",
        minimum=1,
    ),
    milter.list(
        "milter_connect_macros",
        "j {daemon_name} {daemon_addr} v _",
        "Macros that Milters receive when a client has connected.",
    ),
    milter.time(
        "milter_connect_timeout", "30s", "Seconds to connect to a Milter and to negotiate protocol options.", minimum=1
    ),
    milter.time(
        "milter_content_timeout",
        "300s",
        "Seconds to send message content to a Milter and to receive its answer.",
        minimum=1,
    ),
    milter.list("milter_data_macros", "i", "Macros that Milters receive at the DATA command."),
    milter.choice(
        "milter_default_action",
        "shutdown",
        "What happens to mail when a Milter cannot be used or misbehaves.",
        ("accept", "reject", "tempfail", "quarantine", "shutdown"),
    ),
    milter.list("milter_end_of_data_macros", "i", "Macros that Milters receive at the end of the message."),
    milter.list("milter_end_of_header_macros", "i", "Macros that Milters receive at the end of the headers."),
    milter.tables(
        "milter_header_checks", "", "Tables that are searched with each header that a Milter adds or changes."
    ),
    milter.list(
        "milter_helo_macros",
        "{tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer}",
        "Macros that Milters receive at HELO or EHLO.",
    ),
    milter.string("milter_macro_daemon_name", "$myhostname", "Value of the {daemon_name} macro.", minimum=1),
    milter.list("milter_macro_defaults", "", "Pairs name=value for macros that have no value of their own."),
    milter.string(
        "milter_macro_v",
        "$mail_name $mail_version",
        "Value of the v macro, by default the name and version of this mail system.",
        minimum=1,
    ),
    milter.list(
        "milter_mail_macros",
        "i {auth_type} {auth_authen} {auth_author} {mail_addr} {mail_host} {mail_mailer}",
        "Macros that Milters receive at MAIL FROM.",
    ),
    milter.list("milter_protocol", "6", "Milter protocol version and options, such as 6 or 2.", minimum=1),
    milter.list(
        "milter_rcpt_macros", "i {rcpt_addr} {rcpt_host} {rcpt_mailer}", "Macros that Milters receive at RCPT TO."
    ),
    milter.list("milter_unknown_command_macros", "", "Macros that Milters receive at an unknown command."),
    milter.list("non_smtpd_milters", "", "Milters for mail that does not come through the SMTP server."),
    milter.tables("smtpd_milter_maps", "", "Tables by client address whose Milters replace smtpd_milters, or DISABLE."),
    milter.list("smtpd_milters", "", "Milters for mail that comes through the SMTP server."),
    qmqp.list("qmqpd_authorized_clients", "", "Clients that may use the QMQP server."),
    qmqp.time("qmqpd_error_delay", "1s", "Seconds before the QMQP server sends a negative reply."),
    qmqp.time("qmqpd_timeout", "300s", "Seconds the QMQP server waits to read or write on the network.", minimum=1),
    smtputf8.string(
        "domain_to_ascii", "", "Function in ${domain_to_ascii{name}} that gives the ASCII form of a domain name."
    ),
    smtputf8.boolean(
        "enable_idna2003_compatibility", "no", "Whether domain names are converted with the older IDNA2003 rules."
    ),
    smtputf8.list(
        "smtputf8_autodetect_classes",
        "sendmail, verify",
        "Sources of mail whose need of SMTPUTF8 is found by a look at its addresses and headers.",
        minimum=1,
    ),
    smtputf8.boolean(
        "smtputf8_enable",
        "${{$compatibility_level} <level {1} ? {no} : {yes}}",
        "Whether internationalized addresses and headers are supported as in RFC 6531.",
    ),
    smtputf8.boolean(
        "strict_smtputf8", "no", "Whether UTF-8 is accepted only in messages that were sent with SMTPUTF8."
    ),
)
