"""What etc/ ships is read by the parser it is for, without a complaint."""

from pathlib import Path

import mailer
from mailer.config.check import check
from mailer.config.load import load

ETC = Path(mailer.__file__).parent.parent / "etc"


def test_main_cf_and_master_cf_have_no_problems():
    assert [str(problem) for problem in check(load(ETC))] == []
