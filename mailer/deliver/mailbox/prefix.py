"""What a mailbox delivery puts above the message: Return-Path, X-Original-To, Delivered-To."""

from __future__ import annotations

from mailer.message.address import quote

__all__ = ["delivery_headers"]


def delivery_headers(sender: str, original: str, delivered: str) -> str:
    """Header lines with bare newlines.

    :param original: the recipient as it was given to us, "" to leave it out (enable_original_recipient).
    :param delivered: the recipient as it is delivered to, "" to leave it out.
    """
    lines = [f"Return-Path: <{quote(sender)}>\n"]
    if original:
        lines.append(f"X-Original-To: {quote(original)}\n")
    if delivered:
        lines.append(f"Delivered-To: {quote(delivered)}\n")
    return "".join(lines)
