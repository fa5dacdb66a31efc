"""Stored passwords and the back ends that are made of them: tables, sasldb, a directory."""

from __future__ import annotations

import base64
import hashlib

import pytest
from back_ends import World, never, run
from ldap3.core.exceptions import LDAPInvalidCredentialsResult, LDAPSocketOpenError

from mailer.config.errors import ConfigError
from mailer.message.sasl import Login, SaslPeer, SaslRefused
from mailer.sasl.cyrus import build as build_cyrus
from mailer.sasl.directory import Directory, DirectoryServer
from mailer.sasl.passwords import BadStored, matches
from mailer.sasl.sasldb import SaslDatabase
from mailer.sasl.table import TableServer
from mailer.tables.bdb.hashfile import hash_image
from mailer.tables.parameters import Parameters

SECRET = "s\xe4cret".encode()
SHA512 = base64.b64encode(hashlib.sha512(SECRET + b"salt").digest() + b"salt").decode()
SCRAM = "4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="


def pbkdf2():
    return "$1$salt$1000$" + hashlib.pbkdf2_hmac("sha1", SECRET, b"salt", 1000).hex()


@pytest.mark.parametrize(
    "stored", ["{PLAIN}s\xe4cret", "{clear}s\xe4cret", f"{{SSHA512}}{SHA512}", f"{{PBKDF2}}{pbkdf2()}"]
)
def test_python_alone(stored):
    assert matches(stored, SECRET)
    assert not matches(stored, b"secret")
    assert not matches(stored, b"")


def test_bcrypt():
    bcrypt = pytest.importorskip("bcrypt", reason="the extra passwords is not installed")
    stored = bcrypt.hashpw(SECRET, bcrypt.gensalt(4)).decode()
    for form in (stored, f"{{BLF-CRYPT}}{stored}", stored.replace("$2b$", "$2y$"), f"{{CRYPT}}{stored}"):
        assert matches(form, SECRET)
        assert not matches(form, b"x")
    assert not matches(stored, b"x" * 100)


def test_argon2():
    argon2 = pytest.importorskip("argon2", reason="the extra passwords is not installed")
    stored = argon2.PasswordHasher(1, 8, 1).hash(SECRET)
    for form in (stored, f"{{ARGON2ID}}{stored}"):
        assert matches(form, SECRET)
        assert not matches(form, b"x")


def test_sha_crypt():
    pytest.importorskip("passlib", reason="the extra passwords is not installed")
    # The examples of the specification of SHA-crypt, as openssl passwd has them, too.
    sha256 = "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"
    sha512 = "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"
    for stored in (sha256, sha512, f"{{SHA512-CRYPT}}{sha512}", f"{{CRYPT}}{sha256}"):
        assert matches(stored, b"Hello world!")
        assert not matches(stored, b"Hello world?")


@pytest.mark.parametrize(
    "stored",
    [
        "secret",
        "{NTLM}x",
        "{SSHA}%%",
        "{SHA}eA==",
        "{PBKDF2}x",
        "$2b$nonsense",
        "{SCRAM-SHA-256}1,2",
        "{ARGON2ID}x",
        "$6$x",
        "",
    ],
)
def test_values_that_cannot_be_used(stored):
    with pytest.raises(BadStored) as error:
        matches(stored, b"x")
    assert not stored or stored not in str(error.value)


def plain(server, name, password, peer=None, mechanism="plain"):
    initial = base64.b64encode(b"\0".join([b"", name.encode(), password])).decode()
    return run(server.authenticate(mechanism, initial, peer or SaslPeer(), never))


def test_table():
    world = World()
    table = TableServer("inline:{{bob={PLAIN}secret},{bad=secret}}", world.context)
    assert [mechanism.name for mechanism in run(table.mechanisms())] == ["PLAIN", "LOGIN"]
    assert plain(table, "bob", b"secret") == Login("bob")
    for name, password in (("bob", b"wrong"), ("nobody", b"secret")):
        with pytest.raises(SaslRefused) as refused:
            plain(table, name, password)
        assert (refused.value.username, refused.value.temporary) == (name, False)
    with pytest.raises(SaslRefused) as refused:
        plain(table, "bad", b"secret")
    assert refused.value.temporary
    assert len(world.log.lines) == 1 and "login name bad: no password scheme" in world.log.lines[0]


def test_table_with_realm_and_challenges():
    world = World()
    table = TableServer(f"scram, cram-md5 inline:{{{{bob@example.org={{SCRAM-SHA-256}}{SCRAM}}}}}", world.context)
    names = [mechanism.name for mechanism in run(table.mechanisms())]
    assert names == ["SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "LOGIN"]
    peer = SaslPeer(realm="example.org", hostname="mail.example")
    assert plain(table, "bob", b"pencil", peer) == Login("bob@example.org")
    assert run(table._secret("bob@example.org", peer)) is None  # CRAM-MD5 needs the password itself
    assert run(table._keys("bob@example.org", peer)).iterations == 4096
    assert run(table._keys("ann@example.org", peer)) is None


@pytest.mark.parametrize("tables", ["fail:later", "inline:{a=b} fail:later"])
def test_a_table_that_cannot_tell(tables):
    with pytest.raises(SaslRefused) as refused:
        plain(TableServer(tables, World().context), "bob", b"secret")
    assert refused.value.temporary


@pytest.mark.parametrize("argument", ["", "smtpd", "scram", "bob"])
def test_no_table(argument):
    with pytest.raises(ConfigError):
        TableServer(argument, World().context)


def sasldb(path):
    entries = {
        b"bob\0mail.example\0userPassword": b"secret",
        b"ann\0example.org\0userPassword": SECRET,
        b"ann\0example.org\0cmusaslsecretOTP": b"x",
    }
    path.write_bytes(b"".join(hash_image(entries)))


def test_sasldb(tmp_path):
    sasldb(tmp_path / "db")
    database = SaslDatabase(str(tmp_path / "db"), World().context)
    assert run(database.password("bob", "mail.example")) == b"secret"
    assert run(database.password("bob", "example.org")) is None


def cyrus(tmp_path, *lines):
    (tmp_path / "smtpd.conf").write_text("".join(f"{line}\n" for line in lines))
    world = World(cyrus_sasl_config_path=tmp_path)
    return build_cyrus("smtpd", world.context), world


def test_cyrus_with_sasldb(tmp_path):
    sasldb(tmp_path / "db")
    server, world = cyrus(tmp_path, "# ours", "auxprop_plugin: sasldb", f"sasldb_path: {tmp_path}/db")
    names = [mechanism.name for mechanism in run(server.mechanisms())]
    assert names == ["SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN"]
    peer = SaslPeer(hostname="mail.example")
    assert plain(server, "bob", b"secret", peer) == Login("bob")
    assert plain(server, "ann@example.org", SECRET, peer) == Login("ann@example.org")
    with pytest.raises(SaslRefused) as refused:
        plain(server, "bob", b"wrong", peer)
    assert refused.value.text == "authentication failure"
    assert world.log.lines == ["warning SASL authentication failure: Password verification failed"]


def test_cyrus_without_its_database(tmp_path):
    server, world = cyrus(tmp_path, f"sasldb_path: {tmp_path}/none", "mech_list: PLAIN")
    with pytest.raises(SaslRefused) as refused:
        plain(server, "bob", b"secret")
    assert refused.value.temporary
    assert "unable to open Berkeley db" in world.log.lines[0]


@pytest.mark.parametrize("line", ["nonsense", "pwcheck_method: authdaemond", "auxprop_plugin: sql", "a b: c"])
def test_smtpd_conf_that_cannot_be_used(tmp_path, line):
    with pytest.raises(ConfigError):
        cyrus(tmp_path, line)


class FakeLdap:
    """What ldap3.Connection is to Directory: ``people`` are passwords by entry; the filter has to be ``(uid=NAME)``."""

    people = {"uid=bob,dc=example": "secret", "cn=mta": "mta"}
    hosts = ("ldap://up:389",)
    asked: list = []

    def __init__(self, server, user, password, **options):
        self.server, self.user, self.password = server, user, password

    def bind(self):
        if f"ldap://{self.server.host}:{self.server.port}" not in self.hosts:
            raise LDAPSocketOpenError("down")
        if self.user is not None and self.people.get(self.user) != self.password:
            raise LDAPInvalidCredentialsResult
        return True

    def search(self, base, wanted, scope, attributes, size_limit):
        self.asked.append(wanted)
        entry = f"{wanted.strip('()')},{base}"
        self.response = [{"type": "searchResEntry", "dn": entry}] if entry in self.people else []

    def unbind(self):
        return True


def directory(tmp_path, *lines):
    (tmp_path / "ldap.cf").write_text("".join(f"{line}\n" for line in lines))
    world = World()
    source = Parameters(str(tmp_path / "ldap.cf"), world.context)
    return DirectoryServer(Directory(source, FakeLdap), "ldap", world.context), world


@pytest.mark.parametrize(
    "lines",
    [
        ("server_host = down up", "search_base = dc=example", "bind_dn = cn=mta", "bind_pw = mta"),
        ("server_host = ldap://up", "search_base = dc=example", "bind = no", "query_filter = (uid=%u)"),
        ("server_host = up:389", "user_dn = uid=%u,dc=example"),
    ],
)
def test_directory(tmp_path, lines):
    server, _ = directory(tmp_path, *lines)
    assert plain(server, "bob", b"secret") == Login("bob")
    for name, password in (("bob", b"wrong"), ("nobody", b"secret"), ("bob", b"\xff"), ("bob)(uid=*", b"secret")):
        with pytest.raises(SaslRefused) as refused:
            plain(server, name, password)
        assert not refused.value.temporary


def test_an_empty_password_is_never_tried(tmp_path):
    server, _ = directory(tmp_path, "server_host = down", "user_dn = uid=%u,dc=example")
    with pytest.raises(SaslRefused) as refused:
        plain(server, "bob", b"")
    assert not refused.value.temporary


def test_a_login_name_cannot_widen_the_search(tmp_path):
    server, _ = directory(tmp_path, "server_host = up", "search_base = dc=example")
    with pytest.raises(SaslRefused):
        plain(server, "*)(uid=bob", b"secret")
    assert FakeLdap.asked[-1] == "(uid=\\2a\\29\\28uid=bob)"


def test_a_directory_that_is_down(tmp_path):
    server, world = directory(tmp_path, "server_host = down", "search_base = dc=example")
    with pytest.raises(SaslRefused) as refused:
        plain(server, "bob", b"secret")
    assert refused.value.temporary
    assert "down" in world.log.lines[0]


@pytest.mark.parametrize(
    "line", ["server_host = up", "search_base = x\nscope = some", "search_base = x\ntimeout = soon"]
)
def test_directory_parameters_that_are_wrong(tmp_path, line):
    with pytest.raises(ConfigError):
        directory(tmp_path, line)
