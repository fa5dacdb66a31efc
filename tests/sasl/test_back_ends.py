"""The seam for back ends: what ships provides the interface, and an own one is asked within the options' bounds."""

from __future__ import annotations

import base64

import pytest
from back_ends import World, never, run
from zope.interface import implementer
from zope.interface.verify import verifyObject

from mailer.commands.postconf import main as postconf
from mailer.config.errors import ConfigError
from mailer.interfaces.sasl import ISaslServer, ISaslServerFactory
from mailer.message.sasl import Login, Mechanism, SaslPeer, SaslRefused
from mailer.plugins.registry import installed
from mailer.sasl.server import NoMechanisms, SaslServer, build

PATHS = {"dovecot": "private/auth", "cyrus": "smtpd", "table": "inline:{a={PLAIN}b}"}


@pytest.mark.parametrize("kind", ["dovecot", "cyrus", "table", "ldap"])
def test_what_ships_provides_the_interface(kind, tmp_path):
    (tmp_path / "ldap.cf").write_text("search_base = dc=example\n")
    factory = installed(ISaslServerFactory, "SASL server type").find(kind)
    assert verifyObject(ISaslServerFactory, factory)
    context = World(cyrus_sasl_config_path=tmp_path).context
    assert verifyObject(ISaslServer, factory.build(PATHS.get(kind, str(tmp_path / "ldap.cf")), context))


def test_postconf_names_the_types(capsys):
    assert postconf(["-a"]) == 0
    assert capsys.readouterr().out.split() == ["cyrus", "dovecot", "ldap", "table"]


@implementer(ISaslServer)
class Tokens:
    """Lets in whoever has the token, by any mechanism that it is asked for."""

    closed = False

    async def mechanisms(self):
        return (
            Mechanism("XOAUTH2", frozenset(("plaintext",))),
            Mechanism("HIDDEN", frozenset(("private",))),
            Mechanism("ANONYMOUS", frozenset(("anonymous",))),
        )

    def unusable(self, mechanism):
        return SaslRefused(f"not {mechanism}")

    async def authenticate(self, mechanism, initial, peer, ask):
        if initial == base64.b64encode(b"token").decode():
            return Login("bob")
        if initial == "=":
            return Login("")
        raise SaslRefused("authentication failure")

    def close(self):
        self.closed = True


def login(server, mechanism, initial):
    return run(server.authenticate(mechanism, initial, SaslPeer(), run(server.allowed(False)), never))


def test_an_own_back_end():
    tokens = Tokens()
    server = SaslServer(tokens, World().context)
    allowed = run(server.allowed(False))
    assert run(server.announced(allowed)) == ("XOAUTH2",)
    token = base64.b64encode(b"token").decode()
    assert login(server, "xoauth2", token) == login(server, "HIDDEN", token) == Login("bob")
    for mechanism, initial, text in (
        ("XOAUTH2", "x", "authentication failure"),
        ("ANONYMOUS", token, "not ANONYMOUS"),
        ("EXTERNAL", token, "not EXTERNAL"),
        ("XOAUTH2", "=", "no login name"),
    ):
        with pytest.raises(SaslRefused) as refused:
            login(server, mechanism, initial)
        assert refused.value.text == text
    server.close()
    assert tokens.closed


def test_options_that_leave_nothing():
    server = SaslServer(Tokens(), World(smtpd_sasl_security_options="noanonymous, noplaintext, mutual_auth").context)
    with pytest.raises(NoMechanisms):
        run(server.allowed(False))


def test_no_authentication_and_no_such_type():
    assert build(World().context) is None
    with pytest.raises(ConfigError, match="unsupported SASL server implementation: gsasl"):
        build(World(smtpd_sasl_auth_enable="yes", smtpd_sasl_type="gsasl").context)
