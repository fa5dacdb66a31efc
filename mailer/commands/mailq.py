"""mailq(1): ``sendmail -bp``."""

from __future__ import annotations

import sys

from mailer.commands import sendmail

__all__ = ["main"]


def main(argv: list[str] | None = None) -> None:
    """Console entry point."""
    sendmail.main(["-bp", *(sys.argv[1:] if argv is None else argv)])
