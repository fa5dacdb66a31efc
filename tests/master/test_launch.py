"""The start: what is told, and when it is refused."""

import io

import pytest
from twisted.internet.task import Clock

from mailer.master.launch import CannotStart, read, service
from mailer.master.single import SingleLayout

MAIN = """\
compatibility_level = 3.6
queue_directory = {0}/queue
data_directory = {0}/data
myhostname = mx.example.test
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
maillog_file = {0}/log
maillog_file_prefixes = {0}
"""
MASTER = "127.0.0.1:2525 inet n - n - - smtpd\nsmtp unix - - n - - smtp\n"


@pytest.fixture
def configured(tmp_path):
    def write(main="", master=MASTER):
        (tmp_path / "main.cf").write_text(MAIN.format(tmp_path) + main)
        (tmp_path / "master.cf").write_text(master)
        return tmp_path

    return write


def refused(directory, **options):
    with pytest.raises(CannotStart) as error:
        read(directory, **options)
    return str(error.value).split("\nmailer: ")


def test_a_good_configuration_has_nothing_to_say(configured):
    plan = read(configured())
    assert plan.problems == ()
    assert [listener.addresses for listener in plan.listeners] == [(("127.0.0.1", 2525),)]


def test_warnings_do_not_prevent_the_start_and_are_told(configured, tmp_path):
    directory = configured("smtpd_baner = x\n", MASTER + "odd unix - - n - - virtaul\n")
    errors = io.StringIO()
    assert isinstance(service(Clock(), directory, errors=errors), SingleLayout)
    told = errors.getvalue().splitlines()
    assert told[0] == (
        f"mailer: warning: {directory}/main.cf, line 9: unused parameter: smtpd_baner=x (did you mean smtpd_banner?)"
    )
    assert f"{directory}/master.cf, line 3: service odd: no transport plug-in is named virtaul" in told[1]
    assert told[-1] == f"mailer: configuration from {directory}, mail log to {directory}/log"


def test_all_errors_are_told_at_once_with_the_warnings_before_them(configured):
    directory = configured(
        "message_size_limit = lots\nsmtpd_baner = x\nsmtpd_timeout = 5 parsecs\n",
        MASTER + "[::1]:26 inet n - n - - smtpd\n",
    )
    told = refused(directory)
    assert [line.partition(":")[0] for line in told] == ["warning", "error", "error", "error"]
    assert "line 10" in told[0] and "smtpd_baner" in told[0]
    text = "\n".join(told)
    assert "main.cf, line 9: " in text and "lots" in text
    assert "main.cf, line 11: " in text and "parsecs" in text
    assert "master.cf, line 3: service [::1]:26: inet_protocols (ipv4) leaves no address to listen on" in text


def test_what_the_plan_cannot_bear_stands_with_the_other_findings(configured):
    directory = configured("message_size_limit = lots\n", "nowhere.invalid:26 inet n - n - - smtpd\n")
    told = refused(directory)
    assert len(told) == 2
    assert "lots" in told[0]
    assert told[1].startswith(f"error: {directory}/master.cf, line 1: host not found: nowhere.invalid")


def test_files_that_are_missing_or_broken(tmp_path, configured):
    (told,) = refused(tmp_path / "nowhere")
    assert "nowhere/main.cf: No such file or directory" in told
    (told,) = refused(configured(master="smtp inet n\n"))
    assert "master.cf, line 1" in told


def test_overrides_stand_above_the_file(configured):
    plan = read(configured(), {"message_size_limit": "7"})
    assert plan.configuration.settings.message_size_limit == 7
    assert "many" in refused(configured(), overrides={"message_size_limit": "many"})[0]


def test_a_log_that_cannot_be_written_refuses_the_start(configured, tmp_path):
    directory = configured(f"maillog_file = {tmp_path}/no/log\n")
    with pytest.raises(CannotStart, match="maillog_file: open .*/no/log: No such file or directory"):
        service(Clock(), directory, errors=io.StringIO())


def test_the_embedded_default_says_where_everything_is(tmp_path):
    errors = io.StringIO()
    assert isinstance(service(Clock(), None, embedded=tmp_path / "home", errors=errors), SingleLayout)
    text = errors.getvalue()
    assert f"everything is below {tmp_path}/home" in text
    assert "127.0.0.1:2525" in text and "sendmail -C" in text and "warning" not in text
    with pytest.raises(CannotStart, match="Not a directory"):
        (tmp_path / "file").write_text("")
        service(Clock(), None, embedded=tmp_path / "file" / "x", errors=errors)
