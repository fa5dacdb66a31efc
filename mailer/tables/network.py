"""Network address blocks as text: ``10.0.0.0/8``, ``[2001:db8::]/32``, ``192.0.2.1`` (cidr_table(5), mynetworks)."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["Network", "address_number", "parse_network"]


@dataclass(frozen=True, slots=True)
class Network:
    """``bits`` is 32 or 128; an address belongs to it if its number without the lowest ``bits - prefix`` bits is
    ``number >> (bits - prefix)``."""

    bits: int
    number: int
    prefix: int

    @property
    def shift(self) -> int:
        return self.bits - self.prefix

    def __contains__(self, address: tuple[int, int]) -> bool:
        bits, number = address
        return bits == self.bits and number >> (bits - self.prefix) == self.number >> (bits - self.prefix)


@lru_cache(4096)  # the same clients come again and again, and are looked for in several lists
def address_number(text: str) -> tuple[int, int] | None:
    """``bits, number`` of an IPv4 or IPv6 address; None if it is neither."""
    try:
        if ":" in text:
            return 128, int.from_bytes(socket.inet_pton(socket.AF_INET6, text), "big")
        return 32, int.from_bytes(socket.inet_pton(socket.AF_INET, text), "big")
    except (OSError, ValueError):
        return None


def parse_network(pattern: str) -> Network:
    """:raise ValueError: with Postfix's words."""
    address, slash, mask = _parts(pattern)
    text = address + slash + mask
    if not slash:
        whole = address_number(text)
        if whole is None:
            raise ValueError(f'bad address pattern: "{text}"')
        return Network(*whole, whole[0])
    if not (mask.isascii() and mask.isdigit()):
        raise ValueError(f'bad mask value in "{text}"')
    prefix = int(mask[-9:])
    if prefix > (128 if ":" in address else 32):
        raise ValueError(f'bad mask length in "{text}"')
    found = address_number(address)
    if found is None:
        raise ValueError(f'bad network value in "{text}"')
    bits, number = found
    clean = number >> (bits - prefix) << (bits - prefix)
    if clean != number:
        better = _address_text(bits, clean)
        raise ValueError(f'non-null host address bits in "{text}", perhaps you should use "{better}/{prefix}" instead')
    return Network(bits, number, prefix)


def _parts(pattern: str) -> tuple[str, str, str]:
    """``address, "/", mask`` of ``[address]/mask``, ``[address/mask]``, ``[address]`` and the same without brackets."""
    if not pattern.startswith("["):
        return pattern.partition("/")
    inside, bracket, rest = pattern[1:].partition("]")
    if not bracket:
        raise ValueError(f"missing ']' character after \"{pattern}\"")
    if rest and not rest.startswith("/"):
        raise ValueError(f'garbage after "[{inside}]"')
    return (inside, "/", rest[1:]) if rest else inside.partition("/")


def _address_text(bits: int, number: int) -> str:
    family = socket.AF_INET if bits == 32 else socket.AF_INET6
    return socket.inet_ntop(family, number.to_bytes(bits // 8, "big"))
