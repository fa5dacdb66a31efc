"""Delivery to this machine's users: aliases, forwarding files, mailboxes and commands.

The meanings follow postconf(5) and local(8).
"""

from __future__ import annotations

from mailer.config.declaration import Parameter
from mailer.config.parameters.area import Area

__all__ = ["PARAMETERS"]

local = Area("local-delivery")

PARAMETERS: tuple[Parameter, ...] = (
    local.tables(
        "alias_database", "$default_database_type:/etc/aliases", "Alias tables that the newaliases command rebuilds."
    ),
    local.tables(
        "alias_maps", "$default_database_type:/etc/aliases", "Alias tables that the local transport searches."
    ),
    local.list(
        "allow_mail_to_commands",
        "alias, forward",
        "Places, out of alias, forward and include, from which mail may go to a command.",
    ),
    local.list(
        "allow_mail_to_files",
        "alias, forward",
        "Places, out of alias, forward and include, from which mail may go to a file.",
    ),
    local.boolean("allow_min_user", "no", "Whether a recipient address may start with a minus sign."),
    local.boolean("biff", "yes", "Whether the local comsat service is told of new mail."),
    local.raw(
        "command_execution_directory",
        "",
        "Directory, with $user, $home and the like, in which delivery commands are run.",
    ),
    local.string(
        "command_expansion_filter",
        "1234567890!@%-_=+:,./abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
        "Characters that may appear in $name expansions of mailbox_command; others become underscores.",
        minimum=1,
    ),
    local.time("command_time_limit", "1000s", "Seconds that a command started by a delivery may take.", minimum=1),
    local.string(
        "default_privs", "nobody", "User with whose rights files and commands of root's aliases are used.", minimum=1
    ),
    local.integer(
        "deliver_lock_attempts", "20", "Attempts to lock a mailbox before the delivery is deferred.", minimum=1
    ),
    local.time("deliver_lock_delay", "1s", "Seconds between attempts to lock a mailbox.", minimum=1),
    local.string(
        "execution_directory_expansion_filter",
        "1234567890!@%-_=+:,./abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
        "Characters that may appear in $name expansions of command_execution_directory.",
        minimum=1,
    ),
    local.boolean(
        "expand_owner_alias",
        "no",
        "Whether a list's sender becomes the expansion of its owner alias, not the alias itself.",
    ),
    local.list(
        "export_environment",
        "TZ MAIL_CONFIG LANG",
        "Environment variables, or name=value pairs, that delivery commands receive.",
    ),
    local.string(
        "fallback_transport", "", "Transport, and optionally nexthop, for local names that are not UNIX users."
    ),
    local.tables("fallback_transport_maps", "", "Tables by local name that override fallback_transport."),
    local.string(
        "forward_expansion_filter",
        "1234567890!@%-_=+:,./abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
        "Characters that may appear in $name expansions of forward_path; others become underscores.",
        minimum=1,
    ),
    local.raw(
        "forward_path",
        "$home/.forward${recipient_delimiter}${extension}, $home/.forward",
        "Places, with $home, $extension and the like, in which a user's forwarding file is looked for.",
    ),
    local.boolean(
        "frozen_delivered_to",
        "yes",
        "Whether the Delivered-To address stays that of the first recipient while aliases are expanded.",
    ),
    local.string("home_mailbox", "", "Mailbox path relative to the user's home; a trailing slash makes it a Maildir."),
    local.string(
        "local_command_shell",
        "",
        "Shell for delivery commands in place of /bin/sh, used for every command when it is set.",
    ),
    local.raw(
        "luser_relay", "", "Address, with $user, $extension and the like, that receives mail for unknown local names."
    ),
    local.string(
        "mail_spool_directory",
        "/var/mail",
        "Directory of the local mailboxes; with a trailing slash each is a Maildir.",
    ),
    local.raw("mailbox_command", "", "Command to which local mail is piped in place of a mailbox."),
    local.tables("mailbox_command_maps", "", "Tables by local name that override mailbox_command."),
    local.list(
        "mailbox_delivery_lock",
        "fcntl, dotlock",
        "Locking methods that are used while a UNIX-style mailbox is written.",
        minimum=1,
    ),
    local.integer(
        "mailbox_size_limit", "51200000", "Largest size of a local mailbox or Maildir file in bytes, zero for no limit."
    ),
    local.string(
        "mailbox_transport",
        "",
        "Transport, and optionally nexthop, for all local mailboxes after aliases and forwarding.",
    ),
    local.tables("mailbox_transport_maps", "", "Tables by local name that override mailbox_transport."),
    local.boolean(
        "owner_request_special", "yes", "Whether owner-name and name-request addresses have their special meaning."
    ),
    local.list(
        "prepend_delivered_header",
        "command, file, forward",
        "Kinds of local delivery, out of command, file and forward, that add a Delivered-To header.",
    ),
    local.boolean(
        "require_home_directory", "no", "Whether delivery waits until the recipient's home directory exists."
    ),
    local.boolean(
        "reset_owner_alias", "no", "Whether a nested alias without an owner alias takes back the original sender."
    ),
    local.boolean(
        "strict_mailbox_ownership",
        "yes",
        "Whether mail is deferred when its mailbox file does not belong to the recipient.",
    ),
    local.boolean(
        "sun_mailtool_compatibility",
        "no",
        "Whether mailboxes are locked as SUN's mailtool expects; use mailbox_delivery_lock instead.",
        deprecated=True,
    ),
)
