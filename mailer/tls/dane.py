"""TLSA records (RFC 6698, 7671, 7672): which of a host's records are of use, and whether a certificate is what they say.

Usages 2 (a trust anchor in the server's chain) and 3 (the certificate or key itself) count; those of the public authorities
(0, 1) do not, because mail has nobody to ask whom to trust. Where the records come from is for others to know.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from OpenSSL import crypto

__all__ = ["ANCHOR", "END_ENTITY", "Association", "Digests", "matched_by", "parse_digests", "usable_associations"]

ANCHOR, END_ENTITY = 2, 3
_CERTIFICATE, _KEY = 0, 1
_FULL = 0
_NUMBERS = {"sha256": 1, "sha512": 2}
_MOST_RECORDS = 100
_SHOWN = 32  # octets at each end
_PARTIAL_CHAIN = 0x80000


@dataclass(frozen=True, slots=True)
class Association:
    """A TLSA record that is of use."""

    usage: int
    selector: int
    matching: int
    data: bytes

    def __str__(self) -> str:
        """As logs show it."""
        data = self.data.hex().upper()
        shown = data if len(data) <= 4 * _SHOWN else f"{data[: 2 * _SHOWN]}...{data[-2 * _SHOWN :]}"
        return f"{self.usage} {self.selector} {self.matching} {shown}"


@dataclass(frozen=True, slots=True)
class Digests:
    """``algorithms``: by matching type, the most preferred first (tls_dane_digests). ``agility``: "on", "off" or "maybe"
    (tls_dane_digest_agility). ``anchor_digests``: tls_dane_trust_anchor_digest_enable."""

    algorithms: tuple[tuple[int, hashes.HashAlgorithm], ...] = ((2, hashes.SHA512()), (1, hashes.SHA256()))
    agility: str = "on"
    anchor_digests: bool = True

    def algorithm(self, matching: int) -> hashes.HashAlgorithm | None:
        return next((algorithm for number, algorithm in self.algorithms if number == matching), None)

    def rank(self, matching: int) -> int:
        """The lower, the better."""
        return next(at for at, (number, _) in enumerate(self.algorithms) if number == matching)


def parse_digests(words: Iterable[str], agility: str, anchor_digests: bool, warn: Callable[[str], None]) -> Digests:
    """tls_dane_digests: names, ``name=number`` for those that RFC 6698 has no number for; what is wrong is left out."""
    algorithms: list[tuple[int, hashes.HashAlgorithm]] = []
    for word in words:
        name, _, number = word.lower().partition("=")
        kind = getattr(hashes, name.upper(), None) if name.isalnum() else None
        matching = int(number) if number.isdigit() else _NUMBERS.get(name, -1)
        if not isinstance(kind, type) or not issubclass(kind, hashes.HashAlgorithm):
            warn(f'tls_dane_digests: digest algorithm "{name}"({max(matching, 0)}) unknown')
        elif not 0 < matching < 256 or any(known == matching for known, _ in algorithms):
            warn(f"tls_dane_digests: digest algorithm {name} needs an explicit number")
        else:
            algorithms.append((matching, kind()))
    return Digests(tuple(algorithms), agility.lower(), anchor_digests)


def usable_associations(
    records: Iterable[tuple[int, int, int, bytes]], digests: Digests, warn: Callable[[str], None], name: str, relay: str
) -> tuple[Association, ...]:
    """:param records: usage, selector, matching type, data. :param name: theirs. :param relay: ``host[address]:port``."""
    usable: list[Association] = []
    for record in list(records)[:_MOST_RECORDS]:
        association = Association(*record)
        if association.usage not in (ANCHOR, END_ENTITY):
            warn(f"{name} unsupported TLSA certificate usage: {association}")
        elif not _sound(association, digests):
            warn(f"{relay}: unusable TLSA RR: {association}")
        elif association not in usable:
            usable.append(association)
    return tuple(_strongest(usable, digests))


def _sound(association: Association, digests: Digests) -> bool:
    """Whether something could match it at all."""
    if association.selector not in (_CERTIFICATE, _KEY):
        return False
    if association.matching == _FULL:
        try:
            if association.selector == _CERTIFICATE:
                x509.load_der_x509_certificate(association.data)
            else:
                load_der_public_key(association.data)
        except Exception:  # hostile DER may fail in many ways, all of which make the record useless
            return False
        return True
    algorithm = digests.algorithm(association.matching)
    if algorithm is None or len(association.data) != algorithm.digest_size:
        return False
    return association.usage == END_ENTITY or digests.anchor_digests


def _strongest(usable: list[Association], digests: Digests) -> list[Association]:
    """RFC 7671, section 9: of several digests for one thing only the best counts, so that a broken one does not hurt."""
    if digests.agility == "off":
        return usable
    counts = Counter((each.usage, each.selector, each.matching) for each in usable if each.matching != _FULL)
    best: dict[tuple[int, int], int] = {}
    for usage, selector, matching in counts:
        rank = digests.rank(matching)
        best[usage, selector] = min(rank, best.get((usage, selector), rank))
    if digests.agility == "maybe":
        # Only where each digest is there as often as the others do they stand for the same certificates.
        for usage, selector in list(best):
            if len({n for (u, s, _), n in counts.items() if (u, s) == (usage, selector)}) > 1:
                del best[usage, selector]
    return [
        each
        for each in usable
        if each.matching == _FULL
        or digests.rank(each.matching) == best.get((each.usage, each.selector), digests.rank(each.matching))
    ]


def matched_by(
    chain: Sequence[x509.Certificate], associations: Iterable[Association], digests: Digests
) -> tuple[Association, int] | None:
    """The record that vouches for a server, and how deep in its chain; None: no one does.

    Names have to be looked at too where the record's usage is ANCHOR, but not where it is END_ENTITY (RFC 7671, 5.1, 5.2).

    :param chain: as the server has sent it, its own certificate first.
    """
    if not chain:
        return None
    anchors: list[tuple[Association, int, x509.Certificate]] = []
    for association in associations:
        if association.usage == END_ENTITY:
            if _is(chain[0], association, digests):
                return association, 0
            continue
        for depth, certificate in enumerate(chain[1:], 1):
            if _is(certificate, association, digests):
                anchors.append((association, depth, certificate))
        if (association.selector, association.matching) == (_CERTIFICATE, _FULL):
            anchors.append((association, len(chain), x509.load_der_x509_certificate(association.data)))
    for association, depth, anchor in anchors:
        if _leads_to(chain, anchor):
            return association, depth
    return None


def _is(certificate: x509.Certificate, association: Association, digests: Digests) -> bool:
    if association.selector == _CERTIFICATE:
        octets = certificate.public_bytes(Encoding.DER)
    else:
        octets = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if association.matching == _FULL:
        return octets == association.data
    algorithm = digests.algorithm(association.matching)
    if algorithm is None:
        return False
    digest = hashes.Hash(algorithm)
    digest.update(octets)
    return digest.finalize() == association.data


def _leads_to(chain: Sequence[x509.Certificate], anchor: x509.Certificate) -> bool:
    """Whether the first certificate is good if the anchor is trusted, and nothing else."""
    store = crypto.X509Store()
    store.set_flags(_PARTIAL_CHAIN)
    store.add_cert(crypto.X509.from_cryptography(anchor))
    leaf, *others = (crypto.X509.from_cryptography(each) for each in chain)
    try:
        crypto.X509StoreContext(store, leaf, others).verify_certificate()
    except crypto.X509StoreContextError:
        return False
    return True
