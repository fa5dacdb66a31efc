"""The PROXY protocol, versions 1 and 2: what a load balancer says of the client in front of it (haproxy's proxy-protocol.txt).

Pure: octets in; a header and its length out, or "not all of it yet", or what is wrong, in the words that Postfix logs. The
header has to be in the first ``LONGEST`` octets; nothing is ever read beyond its end, for that is the client's.
"""

from __future__ import annotations

import ipaddress
import re
import struct
from collections.abc import Collection
from dataclasses import dataclass

__all__ = ["LONGEST", "HeaderError", "ProxyHeader", "complaint", "parse"]

LONGEST = 536

_TEXT = b"PROXY "
_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_FIXED = len(_SIGNATURE) + 4
_SHORT = "short protocol header"
_UNTERMINATED = "missing protocol header terminator"
_NUMBER = re.compile(r"0|[1-9][0-9]{0,4}", re.ASCII).fullmatch
_NAMES = {"ipv4": "IPv4", "ipv6": "IPv6"}


class HeaderError(Exception):
    """This is no header, or not one that can be used; the text says why."""


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """Addresses are IP literals, ports decimal; all are "" for a connection of the load balancer's own (LOCAL)."""

    client: str = ""
    client_port: str = ""
    server: str = ""
    server_port: str = ""


def parse(octets: bytes, families: Collection[str]) -> tuple[ProxyHeader, int] | None:
    """Read the header that a connection begins with.

    :param octets: what has arrived so far, at least one.
    :param families: of ``ipv4`` and ``ipv6`` those that are in use here.
    :return: the header and its length; None: there is more to come. :raise HeaderError:
    """
    if octets.startswith(_TEXT):
        return _parse_text(octets[:LONGEST], families)
    if octets.startswith(_SIGNATURE):
        return _parse_binary(octets, families)
    if _TEXT.startswith(octets) or _SIGNATURE.startswith(octets):
        return None
    raise HeaderError(_SHORT if len(octets) < _FIXED else "unrecognized protocol header")


def complaint(octets: bytes) -> str:
    """What is wrong with a header (at least one octet) that ends here."""
    if octets.startswith(_TEXT):
        return _UNTERMINATED
    return _SHORT if len(octets) < _FIXED else "short version 2 protocol header"


def _parse_text(octets: bytes, families: Collection[str]) -> tuple[ProxyHeader, int] | None:
    end = octets.find(b"\n")
    nul = octets.find(b"\0")
    if 0 <= nul < end or (end < 0 and (nul >= 0 or len(octets) >= LONGEST)):
        raise HeaderError(_UNTERMINATED)
    if end < 0:
        return None
    words = iter(octets[:end].decode("latin-1").replace("\r", " ").split(" "))
    fields = [word for word in words if word][1:] + [""] * 5
    family = {"TCP4": "ipv4", "TCP6": "ipv6"}.get(fields[0].upper(), "")
    if family not in families:
        raise HeaderError("bad or missing protocol type")
    client = _address(fields[1], family, "bad or missing client address")
    server = _address(fields[2], family, "bad or missing server address")
    client_port = _port(fields[3], "bad or missing client port")
    server_port = _port(fields[4], "bad or missing server port")
    return ProxyHeader(client, client_port, server, server_port), end + 1


def _address(text: str, family: str, wrong: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise HeaderError(wrong) from None
    if address.version != (4 if family == "ipv4" else 6) or "%" in text:
        raise HeaderError(wrong)
    return _plain(address)


def _plain(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """IPv4 in IPv6 is IPv4."""
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped if mapped is not None else address)


def _port(text: str, wrong: str) -> str:
    if not _NUMBER(text) or int(text) > 65535:
        raise HeaderError(wrong)
    return text


def _parse_binary(octets: bytes, families: Collection[str]) -> tuple[ProxyHeader, int] | None:
    if len(octets) < _FIXED:
        return None
    version, kind = octets[12], octets[13]
    (length,) = struct.unpack_from(">H", octets, 14)
    if version >> 4 != 2:
        raise HeaderError("unrecognized protocol version")
    whole = _FIXED + length
    if whole > LONGEST:
        raise HeaderError("short version 2 protocol header")
    if len(octets) < whole:
        return None
    command = version & 15
    if command == 0:
        return ProxyHeader(), whole
    if command != 1:
        raise HeaderError("bad command in proxy header")
    return _addresses(kind, octets[_FIXED:whole], families), whole


def _addresses(kind: int, body: bytes, families: Collection[str]) -> ProxyHeader:
    if kind not in (0x11, 0x21):
        raise HeaderError("unsupported network protocol")
    family, size = ("ipv4", 4) if kind == 0x11 else ("ipv6", 16)
    if family not in families:
        raise HeaderError(f"Postfix {_NAMES[family]} support is disabled")
    if len(body) < 2 * size + 4:
        raise HeaderError("short address field")
    client, server = (_plain(ipaddress.ip_address(body[start : start + size])) for start in (0, size))
    ports = struct.unpack_from(">HH", body, 2 * size)
    return ProxyHeader(client, str(ports[0]), server, str(ports[1]))
