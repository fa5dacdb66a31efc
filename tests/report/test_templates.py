"""bounce(5): the file format, expansion, and what happens to templates that cannot be used."""

import pytest

from mailer.config.errors import ConfigError
from mailer.config.settings import Settings
from mailer.report.builtin import BUILTIN
from mailer.report.templates import NAMES, load, parse


def templates(text, tmp_path, **settings):
    path = tmp_path / "bounce.cf"
    path.write_bytes(text)
    given = {"myhostname": "mta.example.org", "bounce_template_file": str(path), **settings}
    warnings = []
    return load(Settings({}).with_overrides(given), warnings.append), [
        line.replace(str(path), "F") for line in warnings
    ]


def test_builtin_templates_are_complete():
    warnings = []
    found = parse(BUILTIN, "", {}, warnings.append)
    assert sorted(found) == sorted(NAMES)
    assert not warnings
    assert all(template.text.isascii() and template.subject for template in found.values())


def test_a_template_takes_what_it_does_not_set_from_the_builtin_one(tmp_path):
    found, warnings = templates(
        b"# comment\n\nfailure_template=<<X\nCHARSET: iso-8859-1\nfrom: Mailer <d@x.example>\n\ncaf\xe9 $$5\n\n  end\nX\n",
        tmp_path,
    )
    failure = found["failure"]
    assert (failure.charset, failure.sender) == ("iso-8859-1", "Mailer <d@x.example>")
    assert failure.subject == "Undelivered Mail Returned to Sender"
    assert failure.postmaster_subject == "Postmaster Copy: Undelivered Mail"
    assert failure.text.encode("utf-8", "surrogateescape") == b"caf\xe9 $5\n\n  end\n"
    assert found["delay"].source == "[built-in]"
    assert not warnings


def test_text_may_follow_the_headers_at_once(tmp_path):
    found, _ = templates(b"delay_template = <<E\nFrom: ABC (D)\nHello without blank\nE\n", tmp_path)
    assert (found["delay"].sender, found["delay"].text) == ("ABC (D)", "Hello without blank\n")


def test_names_are_expanded(tmp_path):
    text = b"failure_template = <<E\n\n$myhostname ${mail_name} $(mydomain) $maximal_queue_lifetime_days d\nE\n"
    found, _ = templates(
        text, tmp_path, mydomain="xn--bcher-kva.example", maximal_queue_lifetime="6d", smtputf8_enable="yes"
    )
    assert found["failure"].text == "mta.example.org Postfix b\u00fccher.example 6 d\n"


@pytest.mark.parametrize(
    ("content", "warning"),
    [
        (b"X-Other: bad\n\ntext", 'unknown "X-Other" header label in failure template'),
        (b"Subject: a\n b\n\ntext", "multi-line header in failure template"),
        (b"Subject: caf\xc3\xa9\n\ntext", 'non-ASCII "Subject" header value in failure template'),
        (b"Subject:\n\ntext", 'empty "Subject" header value in failure template'),
        (b"Subject: a\n", "missing message text in failure template"),
    ],
)
def test_a_template_that_cannot_be_used_is_ignored(tmp_path, content, warning):
    found, warnings = templates(b"failure_template = <<E\n" + content + b"\nE\n", tmp_path)
    assert found["failure"].source == "[built-in]"
    assert warnings == [f"F: {warning} -- ignoring this template"]


def test_what_is_no_template_is_reported(tmp_path):
    found, warnings = templates(b"nonsense\nother_template = <<E\n\nx\nE\nfailure_template = <<E\nno end\n", tmp_path)
    assert found["failure"].source == "[built-in]"
    assert [warning.split(" -- ")[0] for warning in warnings] == [
        "F, line 1: missing template name or <<",
        "F: unknown template name: other_template",
        "F: missing end E of failure template",
    ]


def test_an_undefined_name_stops_the_start(tmp_path):
    with pytest.raises(ConfigError, match=r"undefined \$nosuch in failure template"):
        templates(b"failure_template = <<E\n\n$nosuch\nE\n", tmp_path)
    with pytest.raises(ConfigError, match="bounce_template_file: open /nonexistent/x: No such file"):
        load(Settings({}).with_overrides({"bounce_template_file": "/nonexistent/x"}), print)


def test_doubtful_time_units(tmp_path):
    text = b"failure_template = <<E\n\n$delay_warning_time_days $maximal_queue_lifetime_minutes $delay_warning_time_seconds\nE\n"
    found, warnings = templates(text, tmp_path, delay_warning_time="2h")
    assert found["failure"].text == "0 7200 7200\n"
    assert warnings[::3] == [
        'F: zero result in failure template conversion of parameter "delay_warning_time_days"',
        'F: excessive result "7200" in failure template conversion of parameter "maximal_queue_lifetime_minutes"',
        'F: excessive result "7200" in failure template conversion of parameter "delay_warning_time_seconds"',
    ]
    assert warnings[1] == 'please reduce time unit "days" of "delay_warning_time_days" in failure template'
    assert warnings[4] == 'please increase time unit "minutes" of "maximal_queue_lifetime_minutes" in failure template'
