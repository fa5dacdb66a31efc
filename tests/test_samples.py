"""What etc/ ships is read by the parser it is for, without a complaint."""

from pathlib import Path

import mailer
from mailer.config.check import check
from mailer.config.load import load
from mailer.interfaces.context import Context
from mailer.tables.ldap.configuration import read_configuration
from mailer.tables.parameters import Parameters
from mailer.testing.log import RecordingLog

ETC = Path(mailer.__file__).parent.parent / "etc"


def test_main_cf_and_master_cf_have_no_problems():
    assert [str(problem) for problem in check(load(ETC))] == []


def test_the_ldap_relay_has_no_problems():
    place = ETC / "ldap-relay"
    configuration = load(place)
    assert [str(problem) for problem in check(configuration)] == []
    log = RecordingLog()
    context = Context(configuration.settings, None, None, log)
    tables = sorted(place.glob("ldap/*.cf"))
    for path in tables:
        read_configuration(Parameters(str(path), context), log)
    assert log.lines == []
    main = (place / "main.cf").read_text()
    assert [path.name for path in tables if f"ldap:/etc/mailer/ldap-relay/ldap/{path.name}" not in main] == []
