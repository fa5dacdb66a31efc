"""An outgoing message as its receivers are to see it: envelope addresses, header fields and body lines, in one pass over content
in pieces of any size. What the queue holds stays as it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from mailer.deliver.smtp.outgoing.actions import Remarks
from mailer.deliver.smtp.outgoing.fields import FieldRules
from mailer.deliver.smtp.outgoing.lines import LineChecks
from mailer.deliver.smtp.outgoing.parameters import OutgoingParameters
from mailer.message.delivery import DeliveryRequest
from mailer.message.envelope import Recipient
from mailer.message.header import HeaderScanner, join
from mailer.message.mime import Fields, MimeWalker, NestingExceeded, SectionKind
from mailer.message.status import TemporaryError

__all__ = ["GenericFailed", "Outgoing"]


class GenericFailed(Exception):
    """smtp_generic_maps cannot tell now: no message may show an address that nobody is to see."""


class Outgoing:
    """What one service does to its messages.

    :param mapper: mailer.addressing.mapping.Mapper, needed if there are generic maps.
    """

    def __init__(self, parameters: OutgoingParameters, tables: Any, mapper: Any, log: Any) -> None:
        prefix = parameters.prefix
        self._parameters = parameters
        self._log = log
        self._title = f"{prefix}_generic_maps"
        self._mapper = mapper
        self._generic = mapper.open(parameters.generic_maps, self._title) if parameters.generic_maps else None
        checks = {
            None: tables.maps(parameters.header_checks, f"{prefix}_header_checks"),
            SectionKind.PART: tables.maps(parameters.mime_header_checks, f"{prefix}_mime_header_checks"),
            SectionKind.NESTED: tables.maps(parameters.nested_header_checks, f"{prefix}_nested_header_checks"),
        }
        self.fields = FieldRules(
            checks, self.shown if self._generic else None, parameters.header_size, parameters.tokens, log
        )
        self._body = tables.maps(parameters.body_checks, f"{prefix}_body_checks")
        self._walks = bool(self._body or checks[SectionKind.PART] or checks[SectionKind.NESTED])

    async def shown(self, address: str) -> str:
        """An address as strangers see it. :raise GenericFailed:"""
        try:
            shown: str = await self._mapper.generic(self._generic, address)
        except TemporaryError:
            raise GenericFailed(f"{self._title} map lookup problem for {address}") from None
        return shown

    async def envelope(
        self, request: DeliveryRequest, recipients: list[Recipient]
    ) -> tuple[DeliveryRequest, list[Recipient]]:
        """Request and recipients as MAIL and RCPT name them. :raise GenericFailed:"""
        if self._generic is None:
            return request, recipients
        sender = request.envelope.sender
        if sender:
            request = replace(request, envelope=replace(request.envelope, sender=await self.shown(sender)))
        return request, [
            replace(each, address=await self.shown(each.address), original=each.original or each.address)
            for each in recipients
        ]

    async def content(self, request: DeliveryRequest) -> Any:
        """The content as it goes out: an IContent, or what stands for one. What fails does so when it is read."""
        given = request.content
        if given.inline is None:
            return _Passing(self, request)
        try:
            out = b"".join([piece async for piece in self.pieces(request)])
        except (TemporaryError, GenericFailed) as error:
            return _Failed(error)
        return _Ready(out)

    async def pieces(self, request: DeliveryRequest) -> AsyncIterator[bytes]:
        """:raise TemporaryError: (told in the log) a table cannot tell now. :raise GenericFailed:"""
        walk = _Walk(self, request.queue_id)
        try:
            async for chunk in request.content.chunks():
                piece = await walk.feed(chunk)
                if piece:
                    yield piece
            yield await walk.feed(b"", True)
        except NestingExceeded:
            self._log.warning(f"{request.queue_id}: MIME nesting exceeds safety limit")
            raise TemporaryError("") from None
        except TemporaryError as error:
            if not error.cause or not walk.asking:
                raise
            self._log.warning(f"{request.queue_id}: {walk.asking} checks lookup error")
            raise TemporaryError("") from error

    def walker(self, primary: list[Any]) -> MimeWalker | None:
        parameters = self._parameters
        if not self._walks:
            return None
        return MimeWalker(primary, parameters.header_size, parameters.boundary_length, parameters.nesting)

    def lines(self, queue_id: str) -> LineChecks | None:
        parameters = self._parameters
        if not self._body:
            return None
        remarks = Remarks(self._log, queue_id, "body", self._body.title)
        return LineChecks(self._body, remarks, parameters.body_checks_size, parameters.line_length)

    def scanner(self) -> HeaderScanner:
        return HeaderScanner(self._parameters.header_size, whole_lines=True)

    @property
    def prefix(self) -> str:
        return self._parameters.prefix


class _Walk:
    """One message. ``asking``: what tables are being asked about, for the log."""

    def __init__(self, outgoing: Outgoing, queue_id: str) -> None:
        self._outgoing = outgoing
        self._queue_id = queue_id
        self._scanner: HeaderScanner | None = outgoing.scanner()
        self._primary: list[Any] = []
        self._walker: MimeWalker | None = None
        self._lines = outgoing.lines(queue_id)
        self.asking = ""

    async def feed(self, chunk: bytes, last: bool = False) -> bytes:
        out = b""
        if self._scanner is not None:
            out, chunk = await self._header(self._scanner, chunk, last)
            if self._scanner is not None:
                return out
        if self._walker is None:
            return out + chunk
        return out + await self._body(chunk, last)

    async def _header(self, scanner: HeaderScanner, chunk: bytes, last: bool) -> tuple[bytes, bytes]:
        fields = scanner.feed(chunk, last)
        self._primary += fields
        out = await self._section(fields, scanner.section, None)
        if not scanner.ended:
            return out, b""
        self._scanner = None
        self._walker = self._outgoing.walker(self._primary)
        return out, scanner.rest

    async def _section(self, fields: list[Any], octets: bytes | None, kind: SectionKind | None) -> bytes:
        rules, self.asking = self._outgoing.fields, f"{self._outgoing.prefix} header"
        result = await rules.apply(self._queue_id, fields, kind)
        self.asking = ""
        if result is fields and octets is not None:
            return octets
        return join(rules.shortened(result))

    async def _body(self, chunk: bytes, last: bool) -> bytes:
        assert self._walker is not None
        out: list[bytes] = []
        for event in self._walker.feed(chunk, last):
            if isinstance(event, Fields):
                out.append(await self._end())
                out.append(await self._section(event.fields, event.section, event.kind))
            elif self._lines is None:
                out.append(event.content)
            else:
                if event.fresh:
                    out.append(await self._end())
                    self._lines.begin()
                self.asking = f"{self._outgoing.prefix} body"
                out.append(await self._lines.text(event.content))
        if last:
            out.append(await self._end())
        return b"".join(out)

    async def _end(self) -> bytes:
        if self._lines is None:
            return b""
        self.asking = f"{self._outgoing.prefix} body"
        rest = await self._lines.end()
        self.asking = ""
        return rest


class _Ready:
    """Content that is at hand."""

    def __init__(self, octets: bytes) -> None:
        self.inline = octets
        self.size = len(octets)

    async def chunks(self, start: int = 0) -> AsyncIterator[bytes]:
        yield self.inline[start:]


class _Passing:
    """Content that changes while it is read; ``size`` is what it was before."""

    inline = None

    def __init__(self, outgoing: Outgoing, request: DeliveryRequest) -> None:
        self.size = request.content.size
        self._outgoing = outgoing
        self._request = request

    def chunks(self, start: int = 0) -> AsyncIterator[bytes]:
        return self._outgoing.pieces(self._request)


class _Failed:
    """Content that is not to be had now."""

    inline = None
    size = 0

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def chunks(self, start: int = 0) -> AsyncIterator[bytes]:
        raise self._error
        yield b""  # an asynchronous iterator
