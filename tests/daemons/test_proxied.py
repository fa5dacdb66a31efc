"""Which tables are asked of proxymap, and which it answers for."""

import pytest
from twisted.internet.task import Clock

from mailer.config.load import from_text
from mailer.daemons.place import home
from mailer.daemons.proxied import Proxied
from mailer.daemons.proxymap import approved
from mailer.interfaces.table import TableOptions
from mailer.ipc.client import Client
from mailer.ipc.lookups import RemoteTable
from mailer.master.plan import make_plan

MASTER = "smtp inet n - {chroot} - - smtpd\nsmtp unix - - n - - smtp\nlocal unix - n n - - local\n"


def plan(main, chroot="n", more=""):
    configuration = from_text(f"alias_maps =\nlocal_recipient_maps =\n{main}", MASTER.format(chroot=chroot) + more)
    return make_plan(configuration, ["smtp", "local", "virtual", "third"], lambda host: [])


@pytest.mark.parametrize(
    ("proxied", "chrooted", "type", "name", "remote"),
    [
        (False, False, "hash", "/etc/x", False),
        (True, False, "hash", "/etc/x", True),
        (False, True, "hash", "/etc/x", True),
        (False, True, "pcre", "{ {/x/ y} }", False),
        (False, True, "pcre", "/etc/x", True),
        (False, True, "unix", "passwd.byname", True),
        (False, False, "ldap", "/etc/ldap.cf", True),
        (False, False, "mysql", "/etc/mysql.cf", True),
        (False, True, "static", "x", False),
        (False, True, "inline", "{x=y}", False),
        (False, True, "tcp", "127.0.0.1:5", False),
    ],
)
def test_which_are_remote(proxied, chrooted, type, name, remote):
    table = Proxied(Client(Clock(), "socket", "proxymap"), chrooted)(proxied, type, name, TableOptions())
    assert (table is not None) == remote
    if remote:
        assert isinstance(table, RemoteTable) and table.pattern == (type == "pcre")


def test_what_is_behind_proxy_has_to_be_approved():
    allowed, early = approved(
        plan(
            "virtual_alias_maps = proxy:hash:/etc/aliases, hash:/etc/other\n"
            "smtpd_client_restrictions = check_client_access proxy:cidr:/etc/clients\n"
            "transport_maps = proxy:hash:/etc/transport\n"
            "proxy_read_maps = $virtual_alias_maps $smtpd_client_restrictions\n"
        )
    )
    assert allowed == {"hash:/etc/aliases", "cidr:/etc/clients"}
    assert sorted(early) == sorted(allowed)


def test_tables_with_passwords_wherever_they_are_named():
    allowed, _ = approved(
        plan(
            "transport_maps = unionmap:{ldap:/etc/a.cf,hash:/etc/b}\nmine = mysql:/etc/c.cf\n",
            more="third unix - n n - - third\n  -o virtual_alias_maps=pgsql:/etc/d.cf\n",
        )
    )
    assert allowed == {"ldap:/etc/a.cf", "mysql:/etc/c.cf", "pgsql:/etc/d.cf"}


def test_files_only_for_those_in_a_chroot_and_no_caches_and_no_sockets():
    main = (
        "virtual_alias_maps = hash:/etc/aliases\naddress_verify_map = btree:/var/lib/verify\n"
        "smtp_tls_session_cache_database = btree:/var/lib/scache\n"
        "smtpd_recipient_restrictions = check_policy_service unix:private/policy, permit\n"
    )
    assert approved(plan(main))[0] == set()
    assert approved(plan(main, chroot="y"))[0] == {"hash:/etc/aliases"}


def test_account_files():
    main = "local_recipient_maps = proxy:unix:passwd.byname\n"
    assert approved(plan(main))[0] == {"unix:passwd.byname"}


def test_who_carries_a_transport_out():
    services = {
        service.name: service
        for service in plan(
            "",
            more=(
                "relay unix - - n - - smtp\nlmtp unix - - n - - lmtp\nretry unix - - n - - error\n"
                "discard unix - - n - - discard\nvirtual unix - n n - - virtual\nthird unix - n n - - third\n"
            ),
        ).configuration.services
        if service.type == "unix"
    }
    assert {name: home(service) for name, service in services.items()} == {
        "smtp": "smtp",
        "relay": "smtp",
        "lmtp": "smtp",
        "retry": "qmgr",
        "discard": "qmgr",
        "local": "deliver",
        "virtual": "deliver",
        "third": "deliver",
    }
