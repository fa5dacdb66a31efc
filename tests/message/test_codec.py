"""Nothing is lost between an envelope and its JSON."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.message.codec import (
    dump_envelope,
    dump_outcome,
    dump_recipients,
    load_envelope,
    load_outcome,
    load_recipients,
    outline,
)
from mailer.message.envelope import Client, Envelope, Notify, Recipient
from mailer.message.status import Fate, Outcome

# Whatever bytes a peer may send, as addresses hold them.
texts = st.binary(max_size=20).map(lambda octets: octets.decode("utf-8", "surrogateescape"))
clients = st.builds(Client, *[texts] * 10)
envelopes = st.builds(
    Envelope,
    sender=texts,
    client=clients,
    source=st.sampled_from(["smtp", "local", "notify"]),
    context=st.sampled_from(["remote", "local"]),
    body=st.sampled_from(["", "7BIT", "8BITMIME"]),
    smtputf8=st.booleans(),
    ret=st.sampled_from(["", "FULL", "HDRS"]),
    envid=texts,
    fullname=texts,
    overrides=st.frozensets(st.sampled_from(["no_milters", "no_address_mappings"])),
    hold=texts,
    filter=texts,
    redirect=texts,
    verp=texts,
    probe=st.sampled_from(["", "verify", "trace"]),
)
recipients = st.builds(Recipient, texts, texts, st.sampled_from([*map(Notify, range(16))]), texts)


@given(envelopes)
def test_envelopes(envelope):
    text = dump_envelope(envelope)
    assert text.isascii()
    assert load_envelope(text, 0.0) == envelope
    assert outline(text) == envelope.sender


@given(st.lists(recipients, max_size=5), st.integers(1, 1000))
def test_recipients(given_ones, first):
    for number, recipient in enumerate(given_ones, first):
        recipient.id = number
    text = dump_recipients(given_ones)
    assert text.isascii()
    assert load_recipients(text, first) == given_ones


@given(st.builds(Outcome, st.sampled_from(Fate), texts, texts, relay=texts, remote_mta=texts, diagnostic=texts))
def test_outcomes(outcome):
    assert load_outcome(dump_outcome(outcome)) == outcome


def test_the_ordinary_envelope_is_short():
    envelope = Envelope("a@b.example", Client("c.example", "192.0.2.1", "25", "c.example", "c.example", "ESMTP"))
    assert json.loads(dump_envelope(envelope)) == {
        "sender": "a@b.example",
        "client": ["c.example", "192.0.2.1", "25", "c.example", "c.example", "ESMTP"],
    }


def test_what_was_carried_out_is_not_kept():
    envelope = Envelope("a@b.example", size=5, discard="why", bcc=["x@y.example"], prepend=[b"X: y"])
    kept = load_envelope(dump_envelope(envelope), 1.0)
    assert (kept.size, kept.discard, kept.bcc, kept.prepend, kept.arrival) == (0, "", [], [], 1.0)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"sender":"a"}', '{"sender":"a","client":1}', "null"])
def test_damaged_envelopes_are_told(text):
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError)):
        load_envelope(text, 0.0)


@pytest.mark.parametrize("text", ["", "[", "[1]", '[["a","b","c","d","e","f"]]', '[["a","b","x"]]', "7"])
def test_damaged_recipients_are_told(text):
    with pytest.raises((ValueError, TypeError)):
        load_recipients(text, 1)
