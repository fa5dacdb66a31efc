"""A message's first lines: what a client may have put where a header should begin.

A mailbox's ``From `` line becomes a header of its own (after DATA only), and a message that begins with white space gets an
empty line first, because its first line would otherwise continue our Received. All other content passes untouched.
"""

from __future__ import annotations

__all__ = ["MessageTop"]

_LONGEST = 2048


class MessageTop:
    """Holds the beginning of a message back until it is known for what it is.

    ``settled`` turns True when everything further may be passed on as it is.
    """

    __slots__ = ("_held", "_mailbox_lines", "settled")

    def __init__(self, mailbox_lines: bool = True) -> None:
        self._held = b""
        self._mailbox_lines = mailbox_lines
        self.settled = False

    def feed(self, content: bytes, last: bool = False) -> bytes:
        """Take content, give what is known to be right. ``last``: no more comes."""
        if content[:1] not in (b">", b"F", b" ", b"\t") and not self._held:
            self.settled = bool(content)
            return content
        content = self._held + content
        done = []
        while not self.settled:
            line, end, rest = content.partition(b"\r\n")
            if not end and not last and len(content) < _LONGEST:
                break
            if self._mailbox_lines and line.lstrip(b">").startswith(b"From "):
                done.append(b"X-Mailbox-Line: " + line + end)
                content = rest
                self.settled = not end
            else:
                self.settled = True
                if line[:1] in (b" ", b"\t"):
                    done.append(b"\r\n")
        if self.settled:
            done.append(content)
            content = b""
        self._held = content
        return b"".join(done)
