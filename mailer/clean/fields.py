"""What header field names mean to cleaning: which hold addresses, which are dropped, which may be missing."""

from __future__ import annotations

__all__ = ["RECIPIENT_FIELDS", "RESENT_FIELDS", "SENDER_FIELDS"]

#: Fields whose addresses are completed and mapped as a sender's.
SENDER_FIELDS = frozenset(
    (
        b"disposition-notification-to",
        b"errors-to",
        b"from",
        b"mail-followup-to",
        b"reply-to",
        b"resent-from",
        b"resent-reply-to",
        b"resent-sender",
        b"return-path",
        b"return-receipt-to",
        b"sender",
    )
)

#: Fields whose addresses are completed and mapped as a recipient's.
RECIPIENT_FIELDS = frozenset((b"apparently-to", b"bcc", b"cc", b"resent-bcc", b"resent-cc", b"resent-to", b"to"))

#: One of these, and what is missing is added as a Resent- field.
RESENT_FIELDS = frozenset(
    (
        b"resent-bcc",
        b"resent-cc",
        b"resent-date",
        b"resent-from",
        b"resent-message-id",
        b"resent-reply-to",
        b"resent-sender",
        b"resent-to",
    )
)
