"""The syntax of a host or domain name in myhostname and mydomain (RFC 1035 section 2.3.1, RFC 1123 section 2.1).

As lenient as the reference: underscores pass, and so does a name without a dot. Knows nothing of the DNS.
"""

from __future__ import annotations

from mailer.config.errors import ConfigError

__all__ = ["check_hostname"]

_LONGEST_NAME = 255
_LONGEST_LABEL = 63
_ALLOWED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


def check_hostname(parameter: str, text: str) -> None:
    """Raise ConfigError when ``text`` cannot be a host name."""
    reason = _reason(text)
    if reason:
        raise ConfigError(f"parameter {parameter}: bad parameter value: {text}", f"{reason}; write host.domain.example")


def _reason(text: str) -> str:
    if not text:
        return "empty"
    if len(text) > _LONGEST_NAME:
        return f"longer than {_LONGEST_NAME} characters"
    odd = next((char for char in text if char not in _ALLOWED), None)
    if odd is not None:
        return f"invalid character {odd!r}"
    if text.replace(".", "").isdigit():
        return "numeric hostname"
    for label in text.split("."):
        if not label:
            return "misplaced delimiter"
        if len(label) > _LONGEST_LABEL:
            return f"a label longer than {_LONGEST_LABEL} characters"
        if label[0] == "-" or label[-1] == "-":
            return "misplaced hyphen"
    return ""
