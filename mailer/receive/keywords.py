"""What EHLO announces, in Postfix's order, less what smtpd_discard_ehlo_keywords and its address maps take away."""

from __future__ import annotations

from typing import Any

__all__ = ["EhloKeywords"]

_SILENT = "SILENT-DISCARD"
#: All keywords, in the order in which the log names discarded ones.
_LOG_ORDER = (
    "8BITMIME", "AUTH", "ETRN", "PIPELINING", "SIZE", "VRFY", "XVERP", "XCLIENT", "XFORWARD", "STARTTLS",
    "ENHANCEDSTATUSCODES", "DSN", "SMTPUTF8", "CHUNKING",
)  # fmt: skip
#: Postfix's log has another word for this one.
_LOG_NAMES = {"SMTPUTF8": "EHLO_MASK_SMTPUTF8"}
_XCLIENT = "XCLIENT NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR DESTPORT"
_XFORWARD = "XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT"


class EhloKeywords:
    """Decides what a client is offered.

    :param tables: ITables, needed for smtpd_discard_ehlo_keyword_address_maps only.
    """

    def __init__(self, settings: Any, tables: Any) -> None:
        self._hostname: str = settings.myhostname
        self._size = f"SIZE {settings.message_size_limit}" if settings.message_size_limit else "SIZE"
        self._absent = {"VRFY"} if settings.disable_vrfy_command else set()
        if not settings.smtputf8_enable:
            self._absent.add("SMTPUTF8")
        #: What nobody gets for whom the address maps say nothing else.
        self.ordinary = _keywords(settings.smtpd_discard_ehlo_keywords)
        maps = settings.smtpd_discard_ehlo_keyword_address_maps
        self._maps = tables.maps(maps) if maps else None
        self._replies: dict[tuple[frozenset[str], tuple[str, ...]], bytes] = {}

    async def discarded(self, address: str) -> frozenset[str]:
        """The keywords that the client at ``address`` does not get, SILENT-DISCARD perhaps among them.

        :raise TemporaryError: the address maps cannot tell now.
        """
        if self._maps is not None:
            value = await self._maps.lookup(address)
            if value is not None:
                return _keywords(value.replace(",", " ").split())
        return self.ordinary

    def to_log(self, discarded: frozenset[str]) -> list[str]:
        """Those of ``discarded`` that the log should name; none if silence is asked for."""
        if not discarded or _SILENT in discarded:
            return []
        return [_LOG_NAMES.get(word, word) for word in _LOG_ORDER if word in discarded]

    def reply(self, discarded: frozenset[str], extra: tuple[str, ...] = ()) -> bytes:
        """The whole reply to EHLO.

        :param extra: XVERP, XCLIENT, XFORWARD, STARTTLS, ``AUTH mechanisms`` and ``AUTH=mechanisms`` as far as this client
            may use them.
        """
        key = discarded, extra
        known = self._replies.get(key)
        if known is None:
            if len(self._replies) > 1000:
                self._replies.clear()
            known = self._replies[key] = self._compose(discarded | self._absent, extra)
        return known

    def _compose(self, discarded: frozenset[str], extra: tuple[str, ...]) -> bytes:
        granted = {_keyword(word): word for word in extra}
        session = [granted.get(word, "") for word in ("STARTTLS", "AUTH", "AUTH=", "XVERP")]
        if "XCLIENT" in granted:
            session.append(_XCLIENT)
        if "XFORWARD" in granted:
            session.append(_XFORWARD)
        offered = ["PIPELINING", self._size, "VRFY", "ETRN", *session]
        offered += ["ENHANCEDSTATUSCODES", "8BITMIME", "DSN", "SMTPUTF8", "CHUNKING"]
        lines = [self._hostname, *(word for word in offered if word and _keyword(word).rstrip("=") not in discarded)]
        text = "".join(f"250-{line}\r\n" for line in lines[:-1]) + f"250 {lines[-1]}\r\n"
        return text.encode("utf-8", "surrogateescape")


def _keyword(word: str) -> str:
    """``AUTH`` of ``AUTH PLAIN``, ``AUTH=`` of ``AUTH=PLAIN``."""
    return "AUTH=" if word.startswith("AUTH=") else word.partition(" ")[0]


def _keywords(words: Any) -> frozenset[str]:
    """Keywords in upper case; unknown ones are passed over, as Postfix does with a warning of postconf's."""
    folded = {word.upper() for word in words}
    return frozenset(folded & {*_LOG_ORDER, _SILENT})
