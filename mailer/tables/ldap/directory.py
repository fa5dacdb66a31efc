"""Searches in a directory: the best server asked, pages fetched, ranges of values completed, referrals followed.

- Paged results (RFC 2696): when a server gives less than the search may have, the search is made again page by page, over a
  connection of its own, since servers keep that state by connection.
- Active Directory gives long lists of values in ranges (``member;range=0-1499``); the rest is read until ``*``.
- Referrals are followed only where chase_referrals says so, without a name and password, as OpenLDAP's library does.

What comes back is complete, or an exception.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from mailer.tables.failure import QueryError
from mailer.tables.ldap.access import Access
from mailer.tables.ldap.ber import Malformed
from mailer.tables.ldap.codes import (
    ADMIN_LIMIT_EXCEEDED,
    BUSY,
    REFERRAL,
    SIZE_LIMIT_EXCEEDED,
    SUCCESS,
    UNAVAILABLE,
    SearchFailed,
    describe,
)
from mailer.tables.ldap.connection import Reply
from mailer.tables.ldap.filters import PRESENT
from mailer.tables.ldap.messages import Entry, Result, Search, page_control, parse_page_cookie
from mailer.tables.ldap.server import DirectoryServer
from mailer.tables.ldap.urls import BadUrl, LdapUrl, parse_url
from mailer.tables.ranking import Ranking, ServerAway

__all__ = ["Directory"]

_RANGE = re.compile(r"(.+);range=(\d+)-(\d+|\*)", re.IGNORECASE)
_MOST_HOPS = 5
_MOST_RANGES = 10_000
_MOST_PAGES = 100_000
_MOST_REFERRED = 50

Observer = Callable[[Search, str, float, str], None]


class Directory:
    """The servers of one `Access`.

    :param context: reactor, dns and log.
    """

    def __init__(self, access: Access, context: Any) -> None:
        self._access = access
        self._context = context
        self._seconds = context.reactor.seconds
        servers = [DirectoryServer(location, access, context) for location in access.servers]
        self.ranking = Ranking(servers, "LDAP", self._seconds, context.log)
        self._referred: dict[Any, DirectoryServer] = {}

    def close(self) -> None:
        for server in (*self.ranking.servers, *self._referred.values()):
            server.close()

    async def search(
        self, search: Search, page: int = 0, chase: bool = False, observe: Observer | None = None
    ) -> list[Entry]:
        """All entries that a search finds.

        :param page: entries of a page where a server gives no more at once; 0: no pages.
        :param chase: follow referrals.
        :param observe: told of the search, the server's name, seconds, and what came of it as text.
        :raise SearchFailed: a server's verdict. :raise Away: none answers. :raise QueryError: a bound was hit.
        """
        started = self._seconds()
        server, reply = await self.ranking.ask(lambda server: self._at(server, search, page))
        if observe is not None:
            outcome = f"{len(reply.entries)} entries" if not reply.result.code else describe(reply.result.code)
            observe(search, server.name, self._seconds() - started, outcome)
        return await self._settled(reply, search, server, page, chase, 0)

    async def _at(self, server: DirectoryServer, search: Search, page: int) -> tuple[DirectoryServer, Reply]:
        """:raise ServerAway: this server has no answer, the next one may."""
        reply = await server.ask(search.encoded())
        result = reply.result
        if result.code in (BUSY, UNAVAILABLE):
            raise ServerAway(f"{describe(result.code)} {result.text}".rstrip())
        if page and _cut_short(search, reply):
            reply = await _paged(server, search, page)
        return server, reply

    async def _settled(
        self, reply: Reply, search: Search, server: DirectoryServer, page: int, chase: bool, hops: int
    ) -> list[Entry]:
        result, entries = reply.result, reply.entries
        targets: list[tuple[str, ...]] = list(reply.references) if chase else []
        if result.code == REFERRAL and chase:
            targets.append(result.referrals)
        elif result.code != SUCCESS:
            raise SearchFailed(result.code, result.text)
        for urls in targets:
            entries += await self._follow(urls, search, page, hops + 1)
        for entry in entries:
            await self._complete(entry, server)
        return entries

    # -- referrals

    async def _follow(self, urls: tuple[str, ...], search: Search, page: int, hops: int) -> list[Entry]:
        """The entries behind the first of ``urls`` that answers."""
        if hops > _MOST_HOPS:
            raise SearchFailed(97, "too many referrals")
        problem = "no usable URL"
        for text in urls:
            try:
                url = parse_url(text)
                server = self._server_of(url)
                redirected = replace(
                    search,
                    base=url.dn or search.base,
                    scope=search.scope if url.scope is None else url.scope,
                    filter=search.filter if url.filter is None else url.filter,
                )
                _, reply = await self._at(server, redirected, page)
            except (BadUrl, ServerAway) as error:
                problem = f"{text}: {error}"
                continue
            return await self._settled(reply, redirected, server, page, True, hops)
        raise QueryError(f"referral cannot be followed: {problem}")

    def _server_of(self, url: LdapUrl) -> DirectoryServer:
        location = url.location
        if location is None:
            return self.ranking.servers[0]
        key = location.scheme, location.host.lower(), location.port
        server = self._referred.get(key)
        if server is None:
            if len(self._referred) >= _MOST_REFERRED:
                raise QueryError("referrals to too many servers")
            access = replace(self._access, bind="simple", dn="", password="", connections=1)
            server = self._referred[key] = DirectoryServer(location, access, self._context)
        return server

    # -- ranges

    async def _complete(self, entry: Entry, server: DirectoryServer) -> None:
        """Put all values in the place of a range of them."""
        if not any(";range=" in name.lower() for name, _ in entry.attributes):
            return
        whole = []
        for name, values in entry.attributes:
            match = _RANGE.fullmatch(name)
            if match is None:
                whole.append((name, values))
            else:
                rest = [] if match[3] == "*" else await _ranges(server, entry.dn, match[1], int(match[3]) + 1)
                whole.append((match[1], values + rest))
        ranged = {name.lower() for name, values in whole if values}
        entry.attributes = [(name, values) for name, values in whole if values or name.lower() not in ranged]


async def _ranges(server: DirectoryServer, dn: str, attribute: str, start: int) -> list[str]:
    values: list[str] = []
    for _ in range(_MOST_RANGES):
        search = Search(dn, 0, PRESENT, (f"{attribute};range={start}-*",))
        try:
            reply = await server.ask(search.encoded())
        except ServerAway as error:
            raise QueryError(f"{server.name}: {error}, in the middle of the values of {attribute}") from None
        if reply.result.code != SUCCESS:
            raise SearchFailed(reply.result.code, reply.result.text)
        for entry in reply.entries:
            for name, more in entry.attributes:
                match = _RANGE.fullmatch(name)
                if match is not None and match[1].lower() == attribute.lower() and int(match[2]) == start and more:
                    values += more
                    if match[3] == "*":
                        return values
                    start = int(match[3]) + 1
                    break
            else:
                raise QueryError(f"{server.name}: no values of {attribute} of {dn} from number {start} on")
    raise QueryError(f"{server.name}: too many values of {attribute} of {dn}")


# -- pages


def _cut_short(search: Search, reply: Reply) -> bool:
    """Whether the server gave less than the search may have."""
    if reply.result.code not in (SIZE_LIMIT_EXCEEDED, ADMIN_LIMIT_EXCEEDED):
        return False
    return not search.size_limit or len(reply.entries) < search.size_limit


async def _paged(server: DirectoryServer, search: Search, page: int) -> Reply:
    """The same search, page by page. :raise ServerAway:"""
    whole = Reply()
    connection = await server.exclusive()
    operation = search.encoded()
    cookie = b""
    try:
        for _ in range(_MOST_PAGES):
            reply = await server.answer(connection, operation, page_control(page, cookie))
            whole.entries += reply.entries
            whole.references += reply.references
            whole.result = reply.result
            if search.size_limit and len(whole.entries) > search.size_limit:
                whole.result = Result(SIZE_LIMIT_EXCEEDED)
                return whole
            cookie = parse_page_cookie(reply.result)
            if reply.result.code != SUCCESS or not cookie:
                return whole
    except Malformed as error:
        raise ServerAway(f"malformed answer: {error}") from None
    finally:
        connection.close()
    raise QueryError(f"{server.name}: too many pages")
