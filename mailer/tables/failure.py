"""When what a table asks cannot tell."""

from __future__ import annotations

from mailer.message.status import TemporaryError

__all__ = ["QueryError"]


class QueryError(TemporaryError):
    """The source behind a table failed; the cause says how. postmap(1) calls it ``Application error``."""
