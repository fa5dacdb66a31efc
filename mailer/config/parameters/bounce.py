"""What senders and the postmaster are told about failures and delays, and per-recipient return paths.

The meanings follow postconf(5), bounce(8), bounce(5) and VERP_README.
"""

from __future__ import annotations

from mailer.config.declaration import Parameter
from mailer.config.parameters.area import Area

__all__ = ["PARAMETERS"]

bounce = Area("bounce-dsn")
verp = Area("verp")

PARAMETERS: tuple[Parameter, ...] = (
    bounce.string(
        "2bounce_notice_recipient",
        "postmaster",
        "Address that receives undeliverable bounces when notify_classes contains 2bounce.",
        minimum=1,
    ),
    bounce.boolean(
        "backwards_bounce_logfile_compatibility",
        "yes",
        "Whether bounce log records are also written in their oldest format.",
    ),
    bounce.string(
        "bounce_notice_recipient",
        "postmaster",
        "Address that receives copies of bounces when notify_classes contains bounce.",
        minimum=1,
    ),
    bounce.string(
        "bounce_service_name",
        "bounce",
        "Master.cf service that records failed recipients and sends the bounces.",
        minimum=1,
    ),
    bounce.integer(
        "bounce_size_limit", "50000", "Most bytes of the original message that are returned in a bounce.", minimum=1
    ),
    bounce.string(
        "bounce_template_file", "", "File with templates for the text of bounces and delay or success notices."
    ),
    bounce.boolean(
        "confirm_delay_cleared",
        "no",
        "Whether the sender is told when delayed mail has been delivered after a warning.",
    ),
    bounce.tables(
        "default_delivery_status_filter",
        "",
        "Table that changes the status code or text of every transport's delivery results.",
    ),
    bounce.string(
        "delay_notice_recipient",
        "postmaster",
        "Address that receives copies of delay warnings when notify_classes contains delay.",
        minimum=1,
    ),
    bounce.time(
        "delay_warning_time",
        "0h",
        "Time, in hours by default, after which the sender is warned of a delay, zero for no warning.",
        unit="h",
    ),
    bounce.boolean(
        "disable_verp_bounces",
        "no",
        "Whether a bounce of mail with per-recipient return paths is sent in the ordinary form.",
    ),
    bounce.string(
        "double_bounce_sender",
        "double-bounce",
        "Local part of the sender of postmaster notices and probes, whose undeliverable mail is dropped.",
        minimum=1,
    ),
    bounce.string(
        "empty_address_recipient",
        "MAILER-DAEMON",
        "Local part to which mail for the null address is delivered.",
        minimum=1,
    ),
    bounce.boolean(
        "enable_errors_to",
        "no",
        "Whether errors were reported to the address in Errors-To headers, without effect.",
        deprecated=True,
    ),
    bounce.boolean(
        "enable_threaded_bounces",
        "no",
        "Whether bounces carry References headers, so that readers show them beside the original.",
    ),
    bounce.string(
        "error_notice_recipient",
        "postmaster",
        "Address that receives notices of errors other than bounces, delays and policy.",
        minimum=1,
    ),
    bounce.tables(
        "local_delivery_status_filter",
        "$default_delivery_status_filter",
        "Table that changes the status code or text of the local transport's delivery results.",
    ),
    bounce.list("notify_classes", "resource, software", "Kinds of trouble that are reported to the postmaster."),
    bounce.tables(
        "pipe_delivery_status_filter",
        "$default_delivery_status_filter",
        "Table that changes the status code or text of the pipe transport's delivery results.",
    ),
    bounce.boolean(
        "relocated_prefix_enable",
        "yes",
        "Whether results of relocated_maps are put after a fixed 5.1.6 status and text.",
    ),
    bounce.boolean(
        "soft_bounce",
        "no",
        "Whether permanent errors are turned into temporary ones, so that no mail is lost during tests.",
    ),
    bounce.tables(
        "virtual_delivery_status_filter",
        "$default_delivery_status_filter",
        "Table that changes the status code or text of the virtual transport's delivery results.",
    ),
    verp.string(
        "default_verp_delimiters",
        "+=",
        "Two characters that stand around the recipient in a per-recipient return path.",
        minimum=2,
        maximum=2,
    ),
    verp.string(
        "verp_delimiter_filter",
        "-=+",
        "Characters that may be requested as delimiters of per-recipient return paths.",
        minimum=1,
    ),
)
