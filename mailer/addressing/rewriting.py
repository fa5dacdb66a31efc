"""Bring an address into standard form: ``user@domain`` with a complete domain (trivial-rewrite(8), "rewrite").

Pure: knows the forms that an address may have and the words to complete it with, and neither tables nor whether the
result can be delivered to.
"""

from __future__ import annotations

import re
from typing import Any

from mailer.message.mailboxes import Address

__all__ = ["Completion", "completions"]

#: An address that no setting changes: a dot-string, ``@``, at least two labels. Most addresses are like this.
STANDARD = re.compile(
    r"[^\x00-\x20()<>@,;:\\\"\[\].\x7f]+(?:\.[^\x00-\x20()<>@,;:\\\"\[\].\x7f]+)*"
    r"@[^\x00-\x20()<>@,;:\\\"\[\].\x7f]+(?:\.[^\x00-\x20()<>@,;:\\\"\[\].\x7f]+)+"
).fullmatch


class Completion:
    """The rules of one rewriting context.

    :param origin: what completes an address without a domain, "" for nothing.
    :param domain: what completes a domain without a dot, "" for nothing.
    """

    def __init__(self, origin: str, domain: str, bangs: bool, percents: bool) -> None:
        self.origin = origin
        self.domain = domain
        self._bangs = bangs
        self._percents = percents

    def rewrite(self, address: str) -> str:
        """The standard form of an address in internal form."""
        if not address or STANDARD(address):
            return address
        local, at, domain = address.rpartition("@")
        return self._complete(local, domain) if at else self._unqualified(domain)

    def rewrite_header(self, address: Address) -> None:
        """Bring an address of a header into standard form, in place. Quotes in it are respected."""
        internal = address.internal
        if not internal:
            return
        if address.quoted and not address.qualified:
            internal = self._complete(internal, self.origin) if self.origin else internal
        elif internal[0] == "@" and ":" in internal[:-1] and not address.quoted:
            internal = self.rewrite(internal.partition(":")[2])
        else:
            internal = self.rewrite(internal)
        address.internal = internal

    def _unqualified(self, local: str) -> str:
        qualified = self.reroute(local)
        if qualified is not None:
            return self._complete(*qualified)
        if self.origin:
            return self._complete(local, self.origin)
        return local[:-1] if local.endswith(".") and not local.endswith("..") and local != "." else local

    def reroute(self, local: str) -> tuple[str, str] | None:
        """``site!user`` and ``user%site`` as ``(user, site)``; None for a name that is neither, or must not be."""
        if self._bangs and "!" in local:
            site, _, user = local.partition("!")
            return user, site
        if self._percents and "%" in local:
            user, _, site = local.rpartition("%")
            return user, site
        return None

    def _complete(self, local: str, domain: str) -> str:
        return f"{local}@{self.complete_domain(domain)}"

    def complete_domain(self, domain: str) -> str:
        """A domain with what it lacks: our domain behind a bare host name; without one trailing dot."""
        if domain.startswith("["):
            return domain if domain.endswith("]") else domain + "]"
        if domain.endswith("."):
            return domain[:-1] if len(domain) > 1 and domain[-2] != "." else domain
        return f"{domain}.{self.domain}" if domain and "." not in domain and self.domain else domain


def completions(settings: Any, origin: str) -> dict[str, Completion]:
    """The rules by context: ``local`` (and ``envelope``) and ``remote``.

    :param origin: the value of myorigin, read from its file where it names one.
    """
    remote = settings.remote_header_rewrite_domain
    append_at, append_dot = settings.append_at_myorigin, settings.append_dot_mydomain
    bangs, percents = settings.swap_bangpath, settings.allow_percent_hack
    local = Completion(origin if append_at else "", settings.mydomain if append_dot else "", bangs, percents)
    # The remote domain is appended whatever append_at_myorigin and append_dot_mydomain say about ours.
    return {
        "local": local,
        "envelope": local,
        "remote": Completion(remote if append_at else "", remote if append_dot else "", bangs, percents),
    }
