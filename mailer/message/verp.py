"""Return paths that name the recipient (VERP_README): ``list@here`` and ``user@there`` give ``list+user=there@here``."""

from __future__ import annotations

from mailer.message.address import split

__all__ = ["return_path"]


def return_path(sender: str, recipient: str, delimiters: str) -> str:
    """:param delimiters: two characters, before the recipient and in place of its ``@``."""
    local, domain = split(sender)
    user, host = split(recipient)
    tagged = f"{local}{delimiters[0]}{user}" + (f"{delimiters[1]}{host}" if host else "")
    return f"{tagged}@{domain}" if domain else tagged
