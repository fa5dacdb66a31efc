"""The only module that looks inside pyOpenSSL: for what OpenSSL knows and pyOpenSSL does not say."""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL

__all__ = ["group_name", "resumed"]


def resumed(connection: SSL.Connection) -> bool:
    """Whether an earlier session was resumed. Should OpenSSL's function be out of reach one day: no."""
    library: Any = getattr(SSL, "_lib", None)
    function = getattr(library, "SSL_session_reused", None)
    handle = getattr(connection, "_ssl", None)
    return bool(function(handle)) if function is not None and handle is not None else False


def group_name(connection: SSL.Connection) -> str:
    """The group of the key exchange, "" if this pyOpenSSL cannot tell."""
    function = getattr(connection, "get_group_name", None)
    return (function() or "") if function is not None else ""
