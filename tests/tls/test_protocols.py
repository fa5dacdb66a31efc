import pytest
from OpenSSL import SSL

from mailer.tls.protocols import BadProtocols, Protocols, parse_protocols


@pytest.mark.parametrize(
    "text, expected",
    [
        ((">=TLSv1.2",), Protocols(SSL.TLS1_2_VERSION)),
        ((">=TLSv1", "<=TLSv1.2"), Protocols(SSL.TLS1_VERSION, SSL.TLS1_2_VERSION)),
        ((">=0x0304",), Protocols(0x0304)),
        (("!SSLv2", "!SSLv3", "!tlsv1"), Protocols(0, 0, frozenset({"sslv2", "sslv3", "tlsv1"}))),
        (("!SSLv2:!SSLv3",), Protocols(0, 0, frozenset({"sslv2", "sslv3"}))),
        (("TLSv1.2", "TLSv1.3"), Protocols(0, 0, frozenset({"sslv2", "sslv3", "tlsv1", "tlsv1.1"}))),
        (("TLSv1.2", "!TLSv1.2"), Protocols(0, 0, frozenset({"sslv2", "sslv3", "tlsv1", "tlsv1.1", "tlsv1.2", "tlsv1.3"}))),
        ((), Protocols()),
    ],
)  # fmt: skip
def test_lists(text, expected):
    assert parse_protocols(text) == expected


@pytest.mark.parametrize("text", [(">=TLSv1.9",), ("TLS",), ("!x",), (">=",), ("<=99999",), (">=-1",)])
def test_what_is_no_protocol_is_refused(text):
    with pytest.raises(BadProtocols):
        parse_protocols(text)
