"""What is logged, where and in which form, and aids for debugging.

The meanings follow postconf(5), postlogd(8) and DEBUG_README.
"""

from __future__ import annotations

from mailer.config.declaration import Parameter
from mailer.config.parameters.area import Area

__all__ = ["PARAMETERS"]

FACILITIES = (
    "auth",
    "authpriv",
    "cron",
    "daemon",
    "ftp",
    "kern",
    "lpr",
    "mail",
    "news",
    "security",
    "syslog",
    "user",
    "uucp",
    "local0",
    "local1",
    "local2",
    "local3",
    "local4",
    "local5",
    "local6",
    "local7",
)

log = Area("logging-debug")

PARAMETERS: tuple[Parameter, ...] = (
    log.integer(
        "debug_peer_level", "2", "Amount by which logging becomes more verbose for peers in debug_peer_list.", minimum=1
    ),
    log.list(
        "debug_peer_list", "", "Client, server and nexthop names or networks whose sessions are logged verbosely."
    ),
    log.string("debugger_command", "", "Command that is started with each daemon that runs with the -D option."),
    log.integer(
        "delay_logging_resolution_limit", "2", "Most digits after the decimal point in logged delays.", maximum=6
    ),
    log.boolean("enable_long_queue_ids", "no", "Whether queue ids are long and never repeated."),
    log.string(
        "error_service_name",
        "error",
        "Master.cf service that bounces or defers every message with a given reason.",
        minimum=1,
    ),
    log.integer("fault_injection_code", "0", "Number of the internal error that is provoked for tests, zero for none."),
    log.boolean("helpful_warnings", "yes", "Whether likely configuration mistakes are logged."),
    log.choice(
        "info_log_address_format",
        "external",
        "Form of addresses in the log, quoted as on the wire or bare.",
        ("external", "internal"),
    ),
    log.string("maillog_file", "", "File, or /dev/stdout, that receives the log in place of syslog."),
    log.string(
        "maillog_file_compressor",
        "gzip",
        "Command that compresses the old log when postfix logrotate is run.",
        minimum=1,
    ),
    log.string(
        "maillog_file_permissions", "0600", "Octal access mode, 0600, 0640 or 0644, of a new log file.", minimum=1
    ),
    log.list(
        "maillog_file_prefixes",
        "/var, /dev/stdout",
        "Path prefixes, one of which must start the value of maillog_file.",
        minimum=1,
    ),
    log.string(
        "maillog_file_rotate_suffix",
        "%Y%m%d-%H%M%S",
        "Time format that is appended to the name of a rotated log.",
        minimum=1,
    ),
    log.string(
        "postlog_service_name", "postlog", "Master.cf service that writes maillog_file for all the others.", minimum=1
    ),
    log.time(
        "postlogd_watchdog_timeout",
        "10s",
        "Seconds that the log service may take for a request before a watchdog ends it.",
        minimum=10,
    ),
    log.boolean("qmqpd_client_port_logging", "no", "Whether the client's port is logged by the QMQP server."),
    log.boolean(
        "respectful_logging",
        "${{$compatibility_level} <level {3.6} ? {no} : {yes}}",
        "Whether allowlist and denylist are the words that appear in the log.",
    ),
    log.boolean(
        "show_user_unknown_table_name", "yes", "Whether a User unknown reply names the table that was searched."
    ),
    log.boolean("smtpd_client_port_logging", "no", "Whether the client's port is logged by the SMTP server."),
    log.choice("syslog_facility", "mail", "Facility under which syslog records are written.", FACILITIES),
    log.string(
        "syslog_name",
        "${multi_instance_name?{$multi_instance_name}:{postfix}}",
        "Name before the slash in the process part of every log line.",
        minimum=1,
    ),
    log.string(
        "trace_service_name",
        "trace",
        "Master.cf service that records delivery attempts for sendmail -v and DSN success reports.",
        minimum=1,
    ),
)
