"""What local(8) reads from main.cf, once."""

from __future__ import annotations

import pwd
from dataclasses import dataclass
from typing import Any

from mailer.config.errors import ConfigError
from mailer.config.values import split_list
from mailer.deliver.command.environment import exported
from mailer.deliver.hands.identity import Identity

__all__ = ["LocalSettings", "local_settings"]


@dataclass(frozen=True)
class LocalSettings:
    """Named as the parameters. ``default_rights`` are those of default_privs."""

    biff: bool
    environment: dict[str, str]
    default_rights: Identity
    allow_commands: frozenset[str]
    allow_files: frozenset[str]
    command_directory: str
    command_directory_filter: str
    command_filter: str
    command_shell: str
    time_limit: float
    delimiters: str
    empty_address: str
    expand_owner: bool
    owner_special: bool
    reset_owner: bool
    propagate: frozenset[str]
    fallback_transport: str
    forward_path: tuple[str, ...]
    forward_filter: str
    home_mailbox: str
    longest_line: int
    luser_relay: str
    mailbox_command: str
    mailbox_limit: int
    mailbox_transport: str
    mbox: dict[str, Any]
    prepend: frozenset[str]
    queue_directory: str
    require_home: bool
    show_original: bool
    spool: str
    frozen: bool


def local_settings(settings: Any) -> LocalSettings:
    """:raise ConfigError: values that cannot be."""
    return LocalSettings(
        biff=settings.biff,
        environment=exported(settings),
        default_rights=_default_rights(settings),
        allow_commands=frozenset(settings.allow_mail_to_commands),
        allow_files=frozenset(settings.allow_mail_to_files),
        command_directory=settings.command_execution_directory,
        command_directory_filter=settings.execution_directory_expansion_filter,
        command_filter=settings.command_expansion_filter,
        command_shell=settings.local_command_shell,
        time_limit=settings.command_time_limit,
        delimiters=settings.recipient_delimiter,
        empty_address=settings.empty_address_recipient,
        expand_owner=settings.expand_owner_alias,
        owner_special=settings.owner_request_special,
        reset_owner=settings.reset_owner_alias,
        propagate=frozenset(settings.propagate_unmatched_extensions),
        fallback_transport=settings.fallback_transport,
        forward_path=split_list(settings.forward_path),
        forward_filter=settings.forward_expansion_filter,
        home_mailbox=settings.home_mailbox,
        longest_line=settings.line_length_limit,
        luser_relay=settings.luser_relay,
        mailbox_command=settings.mailbox_command,
        mailbox_limit=_mailbox_limit(settings),
        mailbox_transport=settings.mailbox_transport,
        mbox={
            "locks": settings.mailbox_delivery_lock,
            "lock_attempts": settings.deliver_lock_attempts,
            "lock_delay": settings.deliver_lock_delay,
            "stale_lock_time": settings.stale_lock_time,
            "strict_owner": settings.strict_mailbox_ownership,
        },
        prepend=frozenset(settings.prepend_delivered_header),
        queue_directory=settings.queue_directory,
        require_home=settings.require_home_directory,
        show_original=settings.enable_original_recipient,
        spool=settings.mail_spool_directory,
        frozen=settings.frozen_delivered_to,
    )


def _default_rights(settings: Any) -> Identity:
    name = settings.default_privs
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        raise ConfigError(f"configuration parameter default_privs: unknown user: {name}") from None
    if user.pw_uid == 0:
        raise ConfigError(f"configuration parameter default_privs: user {name} is privileged")
    return Identity(user.pw_uid, user.pw_gid, (user.pw_gid,))


def _mailbox_limit(settings: Any) -> int:
    limit, message = settings.mailbox_size_limit, settings.message_size_limit
    if limit and not message:
        text = "configuration error: mailbox_size_limit is limited but message_size_limit is unlimited"
        raise ConfigError(text, "set message_size_limit, or mailbox_size_limit = 0")
    if limit and limit < message:
        raise ConfigError("configuration error: mailbox_size_limit is smaller than message_size_limit")
    return int(limit)
