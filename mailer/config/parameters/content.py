"""What happens to message content: headers, MIME, content checks and filters, size limits.

The meanings follow postconf(5), cleanup(8), header_checks(5) and FILTER_README.
"""

from __future__ import annotations

from mailer.config.declaration import Parameter
from mailer.config.parameters.area import Area

__all__ = ["PARAMETERS"]

mime = Area("mime-headers")
checks = Area("content-checks")
filters = Area("content-filter")
submission = Area("submission-cleanup")

PARAMETERS: tuple[Parameter, ...] = (
    mime.boolean(
        "always_add_missing_headers",
        "no",
        "Whether missing From, To, Date and Message-ID headers are added for every client.",
    ),
    mime.boolean(
        "cleanup_replace_stray_cr_lf", "yes", "Whether a stray carriage return or line feed in content becomes a space."
    ),
    mime.boolean(
        "detect_8bit_encoding_header",
        "yes",
        "Whether a Content-Transfer-Encoding header can declare a message as 8-bit.",
    ),
    mime.boolean(
        "disable_mime_input_processing",
        "no",
        "Whether received content is treated as one body, without a look at its MIME structure.",
    ),
    mime.boolean(
        "disable_mime_output_conversion", "no", "Whether 8-bit content is sent unchanged to servers without 8BITMIME."
    ),
    mime.boolean(
        "force_mime_input_conversion",
        "no",
        "Whether received 8-bit content becomes quoted-printable before filters and Milters see it.",
    ),
    mime.string(
        "full_name_encoding_charset",
        "utf-8",
        "Character set in which a generated From header encodes a full name that is not ASCII.",
        minimum=1,
    ),
    mime.integer(
        "header_address_token_limit",
        "10240",
        "Most tokens of an address header that are parsed; the rest is dropped.",
        minimum=1,
    ),
    mime.integer("header_size_limit", "102400", "Longest header in bytes; what exceeds it is dropped.", minimum=1),
    mime.integer(
        "line_length_limit",
        "2048",
        "Longest line in bytes that is kept in one record; longer ones are split up.",
        minimum=512,
    ),
    mime.list(
        "message_drop_headers",
        "bcc, content-length, resent-bcc, return-path",
        "Headers that are removed from every message.",
    ),
    mime.string("message_reject_characters", "", "Characters, in C escape notation, for which a message is rejected."),
    mime.string(
        "message_strip_characters", "", "Characters, in C escape notation, that are removed from message content."
    ),
    mime.integer("mime_boundary_length_limit", "2048", "Most bytes of a MIME boundary that are compared.", minimum=1),
    mime.integer("mime_nesting_limit", "100", "Deepest MIME nesting; a message beyond it is rejected.", minimum=1),
    mime.choice(
        "non_empty_end_of_header_action",
        "fix_quietly",
        "What happens to a message whose headers do not end with an empty line.",
        ("fix_quietly", "add_header", "reject"),
    ),
    mime.boolean("strict_7bit_headers", "no", "Whether mail with 8-bit text in headers is rejected."),
    mime.boolean("strict_8bitmime", "no", "Whether both strict_7bit_headers and strict_8bitmime_body are in force."),
    mime.boolean(
        "strict_8bitmime_body",
        "no",
        "Whether mail with 8-bit body text is rejected unless its MIME headers declare it.",
    ),
    mime.boolean(
        "strict_mime_encoding_domain", "no", "Whether a disallowed encoding of message and multipart types is rejected."
    ),
    mime.string(
        "undisclosed_recipients_header",
        "",
        "Header that is added to a message without recipient headers, empty for none.",
    ),
    checks.tables("body_checks", "", "Tables that are searched with each line of message bodies."),
    checks.integer("body_checks_size_limit", "51200", "Most bytes of each body segment that body_checks looks at."),
    checks.tables("header_checks", "", "Tables that are searched with each primary message header."),
    checks.tables(
        "mime_header_checks",
        "$header_checks",
        "Tables that are searched with each MIME header of the message and its parts.",
    ),
    checks.tables(
        "nested_header_checks",
        "$header_checks",
        "Tables that are searched with each header of an attached message, except MIME ones.",
    ),
    checks.tables(
        "smtp_body_checks", "", "Tables that the SMTP client searches with each line of a body that it sends."
    ),
    checks.tables(
        "smtp_header_checks", "", "Tables that the SMTP client searches with each primary header that it sends."
    ),
    checks.tables(
        "smtp_mime_header_checks", "", "Tables that the SMTP client searches with each MIME header that it sends."
    ),
    checks.tables(
        "smtp_nested_header_checks",
        "",
        "Tables that the SMTP client searches with each attached message's header that it sends.",
    ),
    filters.string(
        "content_filter", "", "Transport and nexthop through which all queued mail passes first for inspection."
    ),
    filters.string(
        "default_filter_nexthop", "", "Nexthop of a content filter that names none; empty means the recipient's domain."
    ),
    filters.list("receive_override_options", "", "Checks, mappings and filters that a receiving service leaves out."),
    submission.integer(
        "extract_recipient_limit",
        "10240",
        "Most recipients that sendmail -t took from headers in early releases, without effect.",
        deprecated=True,
    ),
    submission.integer(
        "hopcount_limit", "50", "Most Received headers of a message, beyond which it is bounced as a loop.", minimum=1
    ),
    submission.integer(
        "message_size_limit", "10240000", "Largest message in bytes including its envelope, zero for no limit."
    ),
    submission.integer(
        "queue_file_attribute_count_limit", "100", "Most name=value attributes that are kept with a message.", minimum=1
    ),
    submission.choice(
        "sendmail_fix_line_endings",
        "always",
        "When the sendmail command turns CRLF line ends of its input into plain ones.",
        ("always", "strict", "never"),
    ),
)
