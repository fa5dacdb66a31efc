"""A message's content on its way to the wire: headers put before it, filters, line breaking and dots.

A filter takes octets and gives octets (``feed`` and ``finish``); conversions for servers that do not take eight bits,
rewriting and checks of outgoing headers are filters. Small contents are prepared at once, large ones piece by piece.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Protocol

from mailer.message.delivery import DeliveryRequest
from mailer.wire.smtp.stuffing import Stuffer

__all__ = ["ContentFilter", "header_of", "prepare"]

_LONGEST_HEADER = 1 << 20


class ContentFilter(Protocol):
    """Changes content as it passes: CRLF lines in, CRLF lines out, chunk boundaries anywhere."""

    def feed(self, chunk: bytes) -> bytes: ...

    def finish(self) -> bytes: ...


async def header_of(content: Any) -> bytes:
    """The header section, with the empty line if there is one; of an endless one the first megabyte.

    :raise TemporaryError: the content cannot be read now.
    """
    if content.inline is not None:
        end = content.inline.find(b"\r\n\r\n")
        return content.inline if end < 0 else content.inline[: end + 4]
    read = b""
    async for chunk in content.chunks():
        searched = max(len(read) - 3, 0)
        read += chunk
        end = read.find(b"\r\n\r\n", searched)
        if end >= 0:
            return read[: end + 4]
        if len(read) > _LONGEST_HEADER:
            break
    return read


def prepare(
    request: DeliveryRequest,
    prefix: bytes,
    filters: Sequence[ContentFilter],
    limit: int,
    broken: Callable[[], None],
    before_end: Callable[[], Any] | None = None,
) -> tuple[bytes | None, AsyncIterator[bytes] | None]:
    """Make content ready.

    :param prefix: header lines to put first.
    :param limit: the longest line; longer ones are broken, which is told by calling ``broken``.
    :param before_end: something to await after the content, before its final dot.
    :return: the content itself if it is at hand, or else where to read it from.
    """
    inline = request.content.inline
    if inline is None or before_end is not None:
        return None, _pieces(request, prefix, [*filters, Stuffer(limit)], broken, before_end)
    content = prefix + inline if prefix else inline
    for each in filters:
        content = each.feed(content) + each.finish()
    stuffer = Stuffer(limit)
    wire = stuffer.feed(content)
    rest = stuffer.finish()
    if stuffer.broken:
        broken()
    return (wire + rest if rest else wire), None


async def _pieces(
    request: DeliveryRequest,
    prefix: bytes,
    filters: list[Any],
    broken: Callable[[], None],
    before_end: Callable[[], Any] | None,
) -> AsyncIterator[bytes]:
    stuffer = filters[-1]
    told = False
    if prefix:
        yield _through(filters, prefix)
    async for chunk in request.content.chunks():
        wire = _through(filters, chunk)
        if stuffer.broken and not told:
            told = True
            broken()
        if wire:
            yield wire
    rest = b""
    for each in filters:
        rest = (each.feed(rest) if rest else b"") + each.finish()
    if rest:
        yield rest
    if before_end is not None:
        await before_end()


def _through(filters: list[Any], chunk: bytes) -> bytes:
    for each in filters:
        if not chunk:
            break
        chunk = each.feed(chunk)
    return chunk
