"""postqueue(1): list the queue, or ask for delivery now.

Who owns the queue (or is root) reads it directly, whether or not a server runs; anybody else asks the server
(mailer.queue.control), as far as authorized_mailq_users and authorized_flush_users allow.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import re
import socket
import sqlite3
import sys
import time
from collections.abc import Iterator
from functools import partial

from mailer.commands.queuetool import Fatal, Tool
from mailer.message.listing import QueueListing
from mailer.message.queueid import is_queue_id
from mailer.queue import surgery
from mailer.queue.direct import DirectQueue, NoQueue
from mailer.queue.mailq import json_lines, table_lines
from mailer.queue.schema import State
from mailer.receive.maildrop import MalformedDrop, names, take
from mailer.tables.match import DomainList, StringList, matches_subdomains

__all__ = ["main"]

_USAGE = "postqueue -f | postqueue -i queueid | postqueue -j | postqueue -p | postqueue -s site"
EX_UNAVAILABLE = 69
EX_NOPERM = 77
_DOWN = "Cannot flush mail queue - mail system is down"
_HOST = re.compile(r"(?=.{1,255}$)(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*")
_LITERAL = re.compile(r"\[(ipv6:[0-9a-f:.]+|[0-9]+(\.[0-9]+){3})\]", re.IGNORECASE)
_MOST_DROPS = 1_000_000


def main(argv: list[str] | None = None) -> int:
    """Console entry point. :return: the exit code."""
    tool = Tool("postqueue", _USAGE, EX_UNAVAILABLE)
    try:
        _run(tool, sys.argv[1:] if argv is None else argv)
    except Fatal as error:
        return tool.give_up(error)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EX_UNAVAILABLE
    except (sqlite3.Error, OSError) as error:
        return tool.give_up(Fatal(str(error)))
    return 0


def _run(tool: Tool, arguments: list[str]) -> None:
    options, words = tool.options(arguments, "c:fi:jps:v")
    deeds = [(option, argument) for option, argument in options if option not in ("-c", "-v")]
    chosen = [argument for option, argument in options if option == "-c"]
    tool.configure(chosen[-1] if chosen else None)
    with contextlib.suppress(Fatal):  # not everybody may write there
        tool.open_log()
    if len(deeds) != 1 or words:
        raise tool.misused()
    owner = tool.owns_queue()
    (option, argument) = deeds[0]
    # Asked by whoever calls: tables, and the modules that read them, need not be readable for the queue's owner.
    flushable = option != "-s" or not _is_site(argument) or _is_flushable(tool, argument)
    tool.become_owner()
    if option in ("-p", "-j"):
        _list(tool, owner, as_json=option == "-j")
    elif option == "-i":
        if not is_queue_id(argument):
            raise Fatal(f'Cannot flush queue ID - invalid name: "{argument}"')
        _flush(tool, owner, "flush-id", argument)
    elif option == "-s":
        if not _is_site(argument):
            raise Fatal(f'Cannot flush mail queue - invalid destination: "{argument}"')
        _flush(tool, owner, "flush-site", argument, flushable)
    else:
        _flush(tool, owner, "flush")


def _is_site(text: str) -> bool:
    if text.startswith("["):
        return _LITERAL.fullmatch(text) is not None
    return _HOST.fullmatch(text) is not None and not text.replace(".", "").isdigit()


# -- listing


def _list(tool: Tool, owner: bool, as_json: bool) -> None:
    if not owner:
        _authorize(tool, "authorized_mailq_users", "view the mail queue")
    listings = _own_listing(tool) if owner else _asked_listing(tool)
    lines = json_lines(listings) if as_json else table_lines(listings, tool.settings.enable_long_queue_ids)
    out = sys.stdout.buffer
    pending: list[bytes] = []
    for line in lines:
        pending.append(line.encode("utf-8", "replace") + b"\n")
        if len(pending) >= 1000:
            out.write(b"".join(pending))
            pending.clear()
    out.write(b"".join(pending))
    out.flush()


def _own_listing(tool: Tool) -> Iterator[QueueListing]:
    try:
        queue: DirectQueue | None = tool.open_queue()
    except NoQueue:
        queue = None
    if queue is None or not queue.running:
        why = _connection_error(tool, "showq")
        tool.say(
            f"warning: Mail system is down -- accessing queue directly (Connect to the Postfix showq service: {why})"
        )
    yield from _maildrop(tool)
    if queue is not None:
        yield from queue.listing()
        queue.close()


def _maildrop(tool: Tool) -> Iterator[QueueListing]:
    """What local users have submitted and nobody has picked up yet."""
    try:
        found = names(tool.maildrop, _MOST_DROPS)
    except OSError:
        return
    for name in found:
        try:
            submission, file = take(tool.maildrop, name)
        except (MalformedDrop, OSError):
            continue
        with file:
            status = os.fstat(file.fileno())
        recipients = [(recipient.address, "") for recipient in submission.recipients]
        yield QueueListing(name, "maildrop", status.st_mtime, status.st_size, submission.sender, False, recipients)


def _asked_listing(tool: Tool) -> Iterator[QueueListing]:
    try:
        connection = _connect(tool, "showq")
    except OSError as error:
        why = f"Connect to the Postfix showq service: {error.strerror}"
        raise Fatal(f"Queue report unavailable - mail system is down ({why})") from error
    with connection, connection.makefile("rb") as answer:
        connection.sendall(b"list\n")
        for line in answer:
            yield _listing(json.loads(line))


def _listing(row: dict[str, object]) -> QueueListing:
    recipients = [(r["address"], r.get("delay_reason", "")) for r in row["recipients"]]  # type: ignore[attr-defined]
    sender = row["sender"] if row["sender"] != "MAILER-DAEMON" else ""
    return QueueListing(
        str(row["queue_id"]),
        str(row["queue_name"]),
        float(row["arrival_time"]),  # type: ignore[arg-type]
        int(row["message_size"]),  # type: ignore[call-overload]
        str(sender),
        bool(row["forced_expire"]),
        recipients,
    )


# -- flushing


def _flush(tool: Tool, owner: bool, verb: str, argument: str = "", flushable: bool = True) -> None:
    if not owner:
        _authorize(tool, "authorized_flush_users", "flush the mail queue")
    queue = _running_queue(tool) if owner else None
    if owner and queue is None:
        if argument:
            tool.say(f"warning: connect to public/flush: {_connection_error(tool, 'flush')}")
        raise Fatal(_DOWN)
    if not flushable:
        raise Fatal(f'Flush service is not configured for destination "{argument}"')
    if queue is None:
        _ask_flush(tool, verb, argument)
        return
    ids = [argument] if verb == "flush-id" else None
    make_due = partial(_make_due, domain=argument if verb == "flush-site" else None)
    for _ in queue.operate(make_due, ids, (State.DEFERRED,), ()):
        pass
    queue.wake("flush")
    queue.close()


def _make_due(connection: sqlite3.Connection, found: list[surgery.Found], domain: str | None) -> list[surgery.Found]:
    if domain is not None:
        found = surgery.with_domain(connection, found, domain)
    return surgery.make_due(connection, found, time.time())


def _running_queue(tool: Tool) -> DirectQueue | None:
    try:
        queue = tool.open_queue()
    except NoQueue:
        return None
    if queue.running:
        return queue
    queue.close()
    return None


def _ask_flush(tool: Tool, verb: str, argument: str) -> None:
    place = "flush" if argument else "qmgr"
    try:
        with _connect(tool, place) as connection:
            connection.sendall(f"{verb} {argument}".strip().encode("ascii", "replace") + b"\n")
            answer = connection.makefile("rb").readline()
    except OSError as error:
        if argument:
            tool.say(f"warning: connect to public/flush: {error.strerror}")
        raise Fatal(_DOWN) from error
    if answer != b"ok\n":
        raise Fatal("Cannot flush mail queue - the server has not understood")


def _is_flushable(tool: Tool, site: str) -> bool:
    title = "fast_flush_domains"
    context = tool.context()
    domains = DomainList(tool.settings.fast_flush_domains, context, title, matches_subdomains(tool.settings, title))
    return bool(tool.finish(domains.match(site)))


# -- the server


def _connect(tool: Tool, service: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        connection.settimeout(tool.settings.ipc_timeout)
        connection.connect(os.path.join(tool.settings.queue_directory, "public", service))
    except BaseException:
        connection.close()
        raise
    return connection


def _connection_error(tool: Tool, service: str) -> str:
    """Why the server cannot be asked, in the system's words."""
    try:
        _connect(tool, service).close()
    except OSError as error:
        return error.strerror or "Connection refused"
    return "Connection refused"


def _authorize(tool: Tool, parameter: str, deed: str) -> None:
    """:param parameter: authorized_mailq_users or authorized_flush_users."""
    settings = tool.settings
    allowed = settings.authorized_mailq_users if "mailq" in parameter else settings.authorized_flush_users
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = "unknown"
    if not tool.finish(StringList(allowed, tool.context(), parameter).match(name)):
        raise Fatal(f"User {name}({uid}) is not allowed to {deed}", EX_NOPERM)
