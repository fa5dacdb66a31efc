"""Runs the vectors recorded from Postfix (tests/vectors/clean) through the chain."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import replace
from pathlib import Path

from twisted.internet.task import Clock

from mailer.addressing.service import build as build_addressing
from mailer.clean.chain import build as build_chain
from mailer.config.machine import Interface, Machine
from mailer.config.maincf import parse_main
from mailer.config.settings import Settings
from mailer.interfaces.context import Context
from mailer.log.maillog import printable
from mailer.message.envelope import Client, Envelope, Notify, Recipient
from mailer.message.status import MailError
from mailer.receive.content import MessageTop
from mailer.tables.opening import Tables
from mailer.testing.log import RecordingLog
from mailer.testing.queue import MemoryQueue
from mailer.testing.tables import answer

NOW = 1_700_000_000.0
BASE = """\
compatibility_level = 3.6
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.home.example
mydomain = home.example
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
local_recipient_maps =
"""
_NOTIFY = {name: Notify[name] for name in ("NEVER", "SUCCESS", "FAILURE", "DELAY")}


def context(settings: str, directory: Path | None = None) -> Context:
    """A service's context. ``TABLES`` in the settings stands for the directory."""
    text = BASE + settings.replace("TABLES", str(directory))
    entries = parse_main(text, "main.cf").entries
    machine = Machine(lambda: "vm", lambda: (Interface(ipaddress.ip_address("127.0.0.1"), 8),))
    bare = Context(
        settings=Settings(entries, machine=machine), reactor=Clock(), seconds=lambda: NOW, log=RecordingLog()
    )
    return replace(bare, tables=Tables(bare))


class Bench:
    """The chain of one configuration in front of a queue in memory."""

    def __init__(self, settings: str, directory: Path | None = None) -> None:
        self.context = context(settings, directory)
        self.log = self.context.log
        self.queue = MemoryQueue(lambda: NOW)
        addressing = build_addressing(self.context)
        self.complete = addressing.completions["local"].rewrite
        self.sink = build_chain(self.context, addressing, self.queue)

    def send(self, vector: dict, pieces=lambda content: [content]) -> dict:
        """What became of the message, in the words of the vector's ``expect``."""
        sendmail = vector["client"] == "sendmail"
        envelope = Envelope(
            sender=unquoted(vector["sender"]),
            source="local" if sendmail else "smtp",
            context="remote" if vector["client"] == "remote" else "local",
            client=Client() if sendmail else Client("unknown", "127.0.0.1", helo="client.example", protocol="ESMTP"),
            arrival=NOW,
            fullname=vector.get("fullname", ""),
            body="8BITMIME" if "8BITMIME" in vector.get("mail", "") else "",
        )
        self.log.lines.clear()
        self.queue.entries.clear()
        writer = self.sink.open(envelope)
        for address, options in vector["recipients"]:
            writer.recipient(recipient(address, options))
        writer.write(b"Received: from client.example\r\n\tby mail.home.example\r\n")
        top = MessageTop()
        message = "".join(line + "\r\n" for line in vector["message"]).encode("utf-8", "surrogateescape")
        for piece in pieces(message):
            if content := top.feed(piece):
                writer.write(content)
        if content := top.feed(b"", last=True):
            writer.write(content)
        try:
            queue_id = answer(writer.commit())
        except MailError as error:
            result = {"reply": "refused" if sendmail else str(error.reply)}
        else:
            result = {"reply": "ok" if sendmail and queue_id else f"250 2.0.0 Ok: queued as {writer.queue_id}"}
            if sendmail and not queue_id:
                result["reply"] = "refused"
            if queue_id:
                result.update(queued(self.queue.entries[queue_id]))
        result["log"] = [printable(logged(line)) for line in self.log.lines]
        return hidden(result, writer.queue_id)


def logged(line: str) -> str:
    severity, _, text = line.partition(" ")
    return text if severity == "info" else f"{severity}: {text}"


def recipient(address: str, options: str) -> Recipient:
    """What the SMTP server makes of RCPT TO."""
    notify, orcpt = Notify.UNSET, ""
    for option in options.split():
        name, _, value = option.partition("=")
        if name == "NOTIFY":
            for word in value.split(","):
                notify |= _NOTIFY[word]
        elif name == "ORCPT":
            orcpt = re.sub(r"\+([0-9A-F]{2})", lambda match: chr(int(match[1], 16)), value)
    internal = unquoted(address)
    return Recipient(internal, internal, notify, orcpt or f"rfc822;{address}")


def unquoted(address: str) -> str:
    local, at, domain = address.rpartition("@")
    if not at:
        local, domain = domain, ""
    if local.startswith('"') and local.endswith('"') and len(local) > 1:
        local = re.sub(r"\\(.)", r"\1", local[1:-1])
    return f"{local}{at}{domain}"


def queued(entry) -> dict:
    envelope = entry.envelope
    content = entry.content.inline.decode("utf-8", "surrogateescape")
    made_here, _, content = content.partition("\tby mail.home.example\r\n")
    assert made_here == "Received: from client.example\r\n"
    result = {
        "state": entry.state,
        "content": content.split("\r\n")[:-1],
        "sender": envelope.sender,
        "recipients": [[r.address, r.original, r.orcpt, int(r.notify)] for r in entry.everyone],
    }
    if envelope.body == "8BITMIME":
        result["encoding"] = "8bit"
    if envelope.redirect:
        result["redirect_to"] = envelope.redirect
    if envelope.filter:
        result["content_filter"] = envelope.filter
    return result


def hidden(value, queue_id: str):
    """What differs from one run to the next gets a fixed name, as in the recordings."""
    if isinstance(value, dict):
        return {key: hidden(item, queue_id) for key, item in value.items()}
    if isinstance(value, list):
        return [hidden(item, queue_id) for item in value]
    if not isinstance(value, str):
        return value
    value = re.sub(r"<\d{14}\.QUEUEID@", "<TIME.QUEUEID@", value.replace(queue_id, "QUEUEID"))
    return re.sub(r"^((?:Resent-)?Date: )\w{3}, .. \w{3} \d{4} ..:..:.. [+-]\d{4} \(\w+\)$", r"\1DATE", value)
