"""Whether a certificate is one that we want to see: by name (RFC 6125, and what Postfix adds to it), or by fingerprint.

A wanted name that begins with a dot stands for all names below it. ``*`` in a certificate stands for one label, or with
tls_wildcard_matches_multiple_labels for any number of them; nowhere but at the very left. The common name counts only if the
certificate has no DNS name at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cryptography import x509

from mailer.tls.description import common_name

__all__ = ["certificate_names", "matches_name", "wanted_names"]


def wanted_names(patterns: Iterable[str], nexthop: str, host: str) -> list[str]:
    """What smtp_tls_verify_cert_match and its sister mean for one server.

    :param nexthop: its domain or host name, without brackets and port. :param host: the server's name.
    """
    names = {"nexthop": nexthop, "dot-nexthop": f".{nexthop}", "hostname": host}
    return [_ascii(names.get(pattern.lower(), pattern)) for pattern in patterns]


def certificate_names(certificate: x509.Certificate) -> list[str]:
    """The names that it is for, lower case."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = [name for name in extension.value.get_values_for_type(x509.DNSName) if "\0" not in name]
        if extension.value.get_values_for_type(x509.DNSName):
            return [name.lower().rstrip(".") for name in names]
    except (x509.ExtensionNotFound, ValueError):
        pass  # without the extension, or with one that cannot be read, there is only the common name
    name = common_name(certificate.subject)
    return [name.lower().rstrip(".")] if name else []


def matches_name(names: Sequence[str], wanted: Iterable[str], many_labels: bool) -> bool:
    """:param names: of the certificate. :param many_labels: tls_wildcard_matches_multiple_labels."""
    return any(_matches(name, want, many_labels) for want in wanted for name in names)


def _matches(name: str, want: str, many_labels: bool) -> bool:
    if want.startswith("."):
        return len(name) > len(want) and name.endswith(want)
    if name.startswith("*."):
        suffix = name[1:]
        first = want[: -len(suffix)] if want.endswith(suffix) else ""
        return bool(first) and "*" not in suffix and suffix.count(".") > 1 and (many_labels or "." not in first)
    return name == want and "*" not in name


def _ascii(name: str) -> str:
    name = name.lower().rstrip(".")
    if name.isascii():
        return name
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError:
        return name  # it matches no certificate, whose names are all ASCII
