"""The server's side of SMTP and LMTP as a machine without I/O: octets in, command lines and content out.

It is asked for what comes next, so nothing is looked at before the caller has answered what came before: pipelined
commands wait their turn, and after STARTTLS whatever was sent too early can be dropped unread. It knows how lines and
content are framed (RFC 5321 4.1.1, 4.5.3, RFC 2920, RFC 3030), and neither commands nor replies, time nor policy.
"""

from __future__ import annotations

from mailer.wire.smtp.data import ChunkReader, DataReader

__all__ = ["ServerMachine"]


class ServerMachine:
    """Frames what a client sends.

    Feed octets with ``receive``. Take command lines with ``line`` until it gives None: then more octets are needed.
    After ``expect_data`` or ``expect_chunk`` take ``content`` until ``content_ended``. ``pending`` is the number of octets not
    yet looked at; the caller stops reading from the network while it is large.

    :param line_limit: longest command line in octets; of a longer one the rest is dropped, as Postfix does.
    """

    __slots__ = ("_input", "_reader", "_skipping", "_start", "limit", "line_was_bare")

    def __init__(self, line_limit: int = 2048) -> None:
        self._input = b""
        self._start = 0
        self.limit = line_limit
        self._skipping = False
        self._reader: DataReader | ChunkReader | None = None
        self.line_was_bare = False

    @property
    def pending(self) -> int:
        return len(self._input) - self._start

    @property
    def in_content(self) -> bool:
        return self._reader is not None

    def receive(self, octets: bytes) -> None:
        """Take what the network brought."""
        if self._start == len(self._input):
            self._input = octets
        else:
            self._input = self._input[self._start :] + octets
        self._start = 0

    def line(self) -> bytes | None:
        """The next command line without its line end, or None: not complete yet.

        ``line_was_bare`` tells whether it ended in LF without CR.
        """
        if self._reader is not None:
            raise RuntimeError("content has to be read first")
        start = self._start
        end = self._input.find(b"\n", start)
        if end < 0:
            self._bound_unfinished()
            return None
        self._start = end + 1
        self.line_was_bare = end == start or self._input[end - 1] != 13
        if not self.line_was_bare:
            end -= 1
        if end - start > self.limit:
            end = start + self.limit
        if self._skipping:  # the tail of a line whose head is kept in front
            self._skipping = False
            end = min(end, start + self.limit)
        return self._input[start:end]

    def _bound_unfinished(self) -> None:
        # Of an endless line only as much is kept as will be looked at, and its last octet, which may be a CR.
        if self.pending > self.limit + 1:
            head = self._input[self._start : self._start + self.limit]
            self._input = head + self._input[-1:]
            self._start = 0
            self._skipping = True

    def expect_data(self, strict: bool = True) -> DataReader:
        """What follows is a message up to its lone dot; see DataReader for ``strict``. :return: what reads it."""
        self._reader = reader = DataReader(strict)
        return reader

    def expect_chunk(self, count: int, after_cr: bool = False) -> ChunkReader:
        """What follows are ``count`` octets of a message; ``after_cr``: the chunk before ended in CR."""
        self._reader = reader = ChunkReader(count, after_cr)
        return reader

    @property
    def reader(self) -> DataReader | ChunkReader:
        """The reader of the content under way or just ended: its ``bare`` and ``after_cr``."""
        if self._reader is None:
            raise RuntimeError("no content is expected")
        return self._reader

    def content(self) -> bytes:
        """The content that has arrived, maybe none. Ends with ``reader.ended``; then call ``end_content``."""
        reader = self.reader
        octets = self._input[self._start :] if self._start else self._input
        self._input = b""
        self._start = 0
        if not octets and not reader.ended:
            return b""
        body = reader.feed(octets)
        if reader.ended:
            self._input = reader.rest
            reader.rest = b""
        return body

    def end_content(self) -> None:
        """The content has been dealt with; command lines follow."""
        self._reader = None

    def discard_input(self) -> None:
        """Forget what has not been looked at (RFC 3207 4.2: nothing sent before TLS may be obeyed after it)."""
        self._input = b""
        self._start = 0
        self._skipping = False

    def take(self, count: int) -> bytes:
        """Up to ``count`` octets that are no command: what comes before SMTP begins."""
        octets = self._input[self._start : self._start + count]
        self._start += len(octets)
        return octets

    def peek(self, count: int) -> bytes:
        """Up to ``count`` octets that wait behind the last line."""
        return self._input[self._start : self._start + count]
