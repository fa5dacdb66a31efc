"""postconf -b, -t, -l, -m and -T: the templates of notices, and what this installation can do.

What is shown belongs to other packages; they are imported when they are asked about.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mailer.commands.postconf_source import Fatal, Source, fatal, warn
from mailer.config.errors import ConfigError

if TYPE_CHECKING:
    from mailer.report.templates import Template

__all__ = ["show_locks", "show_sasl", "show_tables", "show_templates", "show_tls"]

_LOCKS = ("flock", "fcntl", "dotlock")
_PUBLIC_KEYS = ("dsa", "ecdsa", "rsa")
_SENDER = "Mail Delivery System <MAILER-DAEMON>"


def show_locks(out: Callable[[str], None]) -> None:
    """-l: ways to lock a mailbox."""
    for name in _LOCKS:
        out(name)


def show_tables(out: Callable[[str], None]) -> None:
    """-m: the table types that are installed, sorted."""
    from mailer.interfaces.table import ITableFactory
    from mailer.plugins.registry import installed

    registry = installed(ITableFactory, "table type")
    for problem in registry.problems:
        warn(problem)
    for name in registry.names():
        out(name)


def show_sasl(server: bool, out: Callable[[str], None]) -> None:
    """-a: the values of smtpd_sasl_type; -A: those of smtp_sasl_type, whose mechanisms are built in whatever it says."""
    from mailer.interfaces.sasl import ISaslServerFactory
    from mailer.plugins.registry import installed

    if not server:
        out("cyrus")
        return
    registry = installed(ISaslServerFactory, "SASL server type")
    for problem in registry.problems:
        warn(problem)
    for name in registry.names():
        out(name)


def show_tls(mode: str, out: Callable[[str], None]) -> None:
    """-T: the TLS library. Raises Fatal for a mode that does not exist."""
    from OpenSSL import SSL

    version = SSL.SSLeay_version(SSL.SSLEAY_VERSION).decode("ascii", "replace")
    if mode in ("compile-version", "run-version"):
        out(version)
    elif mode == "public-key-algorithms":
        for name in _PUBLIC_KEYS:
            out(name)
    else:
        warn(f"unknown 'postconf -T' mode: {mode}")
        raise Fatal("")


def show_templates(source: Source, words: list[str], expanded: bool, out: Callable[[str], None]) -> None:
    """-b (texts, expanded) and -t (whole templates): of a file, of bounce_template_file, or built in. Raises Fatal."""
    from mailer.report import templates

    if len(words) > 1:
        fatal("options -b and -t require at most one template file")
    settings = source.settings.with_overrides({"bounce_template_file": words[0]} if words else {})
    read = templates.load if expanded else templates.unexpanded
    try:
        found = read(settings, warn)
    except ConfigError as error:
        fatal(str(error))
    out("\n\n".join(_text(found[name]) if expanded else _template(found[name]) for name in templates.NAMES))


def _text(template: Template) -> str:
    return f"expanded_{template.name}_text = <<EOF\n{template.text}EOF"


def _template(template: Template) -> str:
    lines = [
        f"{template.name}_template = <<EOF",
        f"Charset: {template.charset}",
        f"From: {template.sender or _SENDER}",
        f"Subject: {template.subject}",
    ]
    if template.postmaster_subject:
        lines.append(f"Postmaster-Subject: {template.postmaster_subject}")
    return "\n".join([*lines, "", template.text + "EOF"])
