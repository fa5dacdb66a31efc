"""Which processes a configuration asks for."""

from mailer.config.load import from_text
from mailer.master.plan import make_plan
from mailer.master.processplan import PUBLIC, plan_processes

TRANSPORTS = ["smtp", "lmtp", "local", "virtual", "pipe", "error", "retry", "discard", "extra"]


def processes(*lines, main="", cores=2):
    plan = make_plan(from_text("inet_protocols = ipv4\n" + main, "\n".join(lines)), TRANSPORTS, lambda name: [])
    return plan_processes(plan, cores)


def named(found):
    return {process.name: process for process in found.processes}


def test_the_usual_configuration():
    found = processes(
        "127.0.0.1:25 inet n - n - - smtpd",
        "127.0.0.1:587 inet n - n - - smtpd",
        "smtp unix - - n - - smtp",
        "relay unix - - n - - smtp",
        "lmtp unix - - n - - lmtp",
        "local unix - n n - - local",
        "maildrop unix - n n - - pipe user=x argv=/bin/true",
        "extra unix - - n - - extra",
        "error unix - - n - - error",
        "discard unix - - n - - discard",
    )
    one = named(found)
    assert list(one) == ["proxymap", "qmgr", "deliver", "smtp.0", "smtp.1", "smtpd.0", "smtpd.1"]
    assert one["smtpd.0"].sockets == ("127.0.0.1:25", "127.0.0.1:587") == one["smtpd.1"].sockets
    assert one["qmgr"].sockets == ("private/qmgr", *PUBLIC)
    assert one["deliver"].services == {"local/unix", "maildrop/unix", "extra/unix"}
    assert one["smtp.1"].sockets == ("private/smtp.1",)
    both = ("smtp.0", "smtp.1")
    assert found.peers == {
        "local": ("deliver",), "maildrop": ("deliver",), "extra": ("deliver",),
        "smtp": both, "relay": both, "lmtp": both,
    }  # fmt: skip
    assert not any(process.chroot for process in found.processes)


def test_what_differs_in_its_chroot_shares_no_process():
    found = processes(
        "127.0.0.1:25 inet n - y - - smtpd",
        "127.0.0.1:587 inet n - n - - smtpd",
        "smtp unix - - y - - smtp",
        "lmtp unix - - n - - lmtp",
        "local unix - n y - - local",
        cores=1,
    )
    one = named(found)
    assert [(process.name, process.chroot) for process in found.processes[-4:]] == [
        ("smtp.0", False), ("smtp.1", True), ("smtpd.0", False), ("smtpd.1", True),
    ]  # fmt: skip
    assert one["smtpd.0"].services == {"127.0.0.1:587/inet"} and one["smtpd.1"].services == {"127.0.0.1:25/inet"}
    assert found.peers["lmtp"] == ("smtp.0",) and found.peers["smtp"] == ("smtp.1",)
    assert not one["deliver"].chroot


def test_how_many():
    smtpd = "127.0.0.1:25 inet n - n - {} smtpd"

    def count(limit, main="", cores=4):
        return len(named(processes(smtpd.format(limit), main=main, cores=cores))) - 2

    assert [count("-"), count("0"), count("100"), count("3"), count("1")] == [4, 4, 4, 3, 1]
    assert count("1", "mailer_smtpd_processes = 6\n") == 6
    assert len(processes("smtp unix - - n - - smtp", main="mailer_smtp_processes = 3\n", cores=1).peers["smtp"]) == 3


def test_nothing_is_started_for_what_is_not_there():
    assert list(named(processes())) == ["proxymap", "qmgr"]
    assert list(named(processes("discard unix - - n - - discard"))) == ["proxymap", "qmgr"]
