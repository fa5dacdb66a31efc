"""How the SMTP server's replies are written (RFC 5321 4.2, RFC 2034), and those that more than one place gives.

The texts are Postfix's: people and programs match on them.
"""

from __future__ import annotations

import re

from mailer.message.status import Reply

__all__ = ["OK", "OK_RECIPIENT", "OK_SENDER", "START_DATA", "reply_lines", "temporary", "wire"]

OK = b"250 2.0.0 Ok\r\n"
OK_SENDER = b"250 2.1.0 Ok\r\n"
OK_RECIPIENT = b"250 2.1.5 Ok\r\n"
START_DATA = b"354 End data with <CR><LF>.<CR><LF>\r\n"

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")


def reply_lines(reply: Reply) -> list[str]:
    """The lines of a reply, each with its codes, without hyphens."""
    head = f"{reply.code} {reply.enhanced} " if reply.enhanced else f"{reply.code} "
    return [head + line for line in reply.text.split("\n")]


def temporary(line: str) -> str:
    """A reply line as soft_bounce has it: 5xx becomes 4xx, and a 5.y.z behind it 4.y.z."""
    if not line.startswith("5"):
        return line
    return f"4{line[1:4]}{'4' if line[4:6] == '5.' else line[4:5]}{line[5:]}"


def wire(lines: list[str]) -> bytes:
    """Lines such as ``250 text`` as they travel: hyphens in all but the last, nothing unprintable."""
    last = len(lines) - 1
    text = "".join(
        f"{line[:3]}{' ' if at == last else '-'}{_UNPRINTABLE.sub(' ', line[4:])}\r\n" for at, line in enumerate(lines)
    )
    return text.encode("utf-8", "surrogateescape")
