"""postconf: what it prints and what it writes, as the reference does (see test_postconf_reference for the comparison)."""

import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.commands.postconf import main
from mailer.commands.postconf_edit import comment_out, edit_rows, main_name, master_name, remove_entries, set_parameters
from mailer.commands.postconf_print import entry, setting
from mailer.config.errors import ConfigError
from mailer.config.maincf import parse_main

MASTER = "smtp inet n - n - - smtpd\n"


class Directory:
    """A configuration directory and a way to run the command on it."""

    def __init__(self, path, capsys):
        self.path = path
        self._capsys = capsys
        self.write()

    def write(self, main_text="", master_text=MASTER):
        (self.path / "main.cf").write_text(main_text)
        (self.path / "master.cf").write_text(master_text)
        return self

    def run(self, *arguments, status=0):
        """Standard output; what went to standard error is in ``errors``, the directory written as D."""
        assert main(["-c", str(self.path), *arguments]) == status
        output = self._capsys.readouterr()
        self.errors = output.err.replace(str(self.path), "D").splitlines()
        return output.out.replace(str(self.path), "D")

    @property
    def main(self):
        return (self.path / "main.cf").read_text()

    @property
    def master(self):
        return (self.path / "master.cf").read_text()


@pytest.fixture
def directory(tmp_path, capsys):
    return Directory(tmp_path, capsys)


# Showing main.cf


def test_only_what_is_set(directory):
    directory.write("myorigin = $x\nx=a\n  b\nbiff = no\nzz = 1\n")
    assert directory.run("-n") == "biff = no\nconfig_directory = D\nmyorigin = $x\nx = a b\n"
    assert directory.errors == ["postconf: warning: D/main.cf: unused parameter: zz=1"]


def test_everything_sorted_with_what_services_bring_along(directory):
    directory.write("mine = 1\nmyorigin = $mine\n", MASTER + "my unix - - n - - smtp\n")
    lines = directory.run().splitlines()
    assert lines == sorted(lines, key=lambda line: line.split(" =")[0])
    names = {line.split(" =")[0] for line in lines}
    assert {"mine", "my_destination_rate_delay", "2bounce_notice_recipient", "transport_maps"} <= names
    assert not {"transport_destination_rate_delay", "smtp_destination_rate_delay", "virtual_maps"} & names


def test_named_parameters_in_that_order(directory):
    directory.write("biff=\n")
    assert directory.run("nosuch", "myorigin", "biff", "-x") == "myorigin = $myhostname\nbiff =\n"
    assert directory.errors == [
        "postconf: warning: nosuch: unknown parameter",
        "postconf: warning: -x: unknown parameter",
    ]


def test_names_or_values_alone(directory):
    assert directory.run("-h", "myorigin") == "$myhostname\n"
    assert directory.run("-H", "myorigin") == "myorigin\n"


def test_defaults_do_not_look_at_the_files(directory):
    directory.write("biff = no\nnonsense\n")
    assert directory.run("-d", "biff") == "biff = yes\n"
    (directory.path / "main.cf").unlink()
    assert directory.run("-d", "biff") == "biff = yes\n"


def test_expansion(directory):
    directory.write("a = 1\nb = ${a?{x$a}:{y}}\nmyorigin = $b ${nope?z}|\nmyhostname = h.example\n")
    assert directory.run("-xh", "myorigin", "mydestination") == "x1 |\nh.example, localhost.example, localhost\n"
    assert directory.errors == ["postconf: warning: D/main.cf: undefined parameter: nope"]
    assert directory.run("-x", "-o", "a=2", "-o", "c=$a", "myorigin") == "myorigin = x2 |\n"


def test_expansion_leaves_deferred_names_alone(directory):
    assert directory.run("-xh", "default_rbl_reply").startswith("$rbl_code ")


def test_a_bad_expansion_is_fatal(directory):
    directory.write("myorigin = ${x\n")
    assert directory.run("-x", "myorigin", status=1) == ""
    assert directory.errors == [
        'postconf: warning: truncated macro reference: "${x"',
        "postconf: fatal: macro processing error",
    ]
    assert directory.run("-n", "myorigin") == "myorigin = ${x\n"


def test_classes(directory):
    directory.write("mine = 1\nmyorigin = $mine\n", MASTER + "my unix - - n - - spawn\n")
    assert directory.run("-C", "user") == "mine = 1\n"
    assert directory.run("-C", "service,user") == "mine = 1\nmy_time_limit = $command_time_limit\n"
    names = {line.split(" =")[0] for line in directory.run("-C", "builtin").splitlines()}
    assert "biff" in names and not {"mine", "my_time_limit"} & names
    assert directory.run("-C", "some", status=1) == ""
    assert directory.errors == ['postconf: fatal: unknown -C option value "some" in "some"']


def test_a_broken_main_cf_is_fatal(directory):
    directory.write("biff = no\nnonsense\n")
    assert directory.run("-n", status=1) == ""
    assert directory.errors == ["postconf: fatal: D/main.cf, line 2: missing '=' after attribute name: \"nonsense\""]
    (directory.path / "main.cf").unlink()
    directory.run(status=1)
    assert directory.errors == ["postconf: fatal: open D/main.cf: No such file or directory"]


def test_without_master_cf_there_are_only_fewer_names(directory):
    (directory.path / "master.cf").unlink()
    assert directory.run("-n") == "config_directory = D\n"
    assert directory.errors == ["postconf: warning: open D/master.cf: No such file or directory"]
    directory.run("-M", status=1)
    assert directory.errors == ["postconf: fatal: open D/master.cf: No such file or directory"]


def test_read_only_parameters(directory):
    directory.write("process_name = x\n")
    assert directory.run("-n") == "config_directory = D\n"
    assert directory.errors == ["postconf: warning: D/main.cf: read-only parameter assignment: process_name=x"]
    assert directory.run("process_name") == "process_name = postconf\n"


@pytest.mark.parametrize(
    ("value", "folded"),
    [
        ("", "p ="),
        (" a \n b ", "p = a b"),
        ("x" * 76, "p = " + "x" * 76),
        ("x" * 77, "p =\n    " + "x" * 77),
        ("x" * 70 + " yyyyy", "p = " + "x" * 70 + " yyyyy"),
        ("x" * 70 + " yyyyyy", "p = " + "x" * 70 + "\n    yyyyyy"),
    ],
)
def test_folding(value, folded):
    assert setting("p", value, fold=True) == folded


# Showing master.cf

SERVICES = """\
smtp inet n - n - - smtpd
sub inet n - n - - smtpd -o biff=$x
  -o { smtpd_banner = a  b } -v
long unix - n n - 5? pipe flags=R argv=/bin/x
"""


def test_entries(directory):
    directory.write("x = yes\n", SERVICES.replace("5?", "5"))
    assert directory.run("-M", "sub", "long/unix", "nope") == (
        "sub        inet  n       -       n       -       -       smtpd -o biff=$x -o {smtpd_banner=a  b} -v\n"
        "long       unix  -       n       n       -       5       pipe flags=R argv=/bin/x\n"
    )
    assert directory.errors == ['postconf: warning: unmatched request: "nope"']
    assert directory.run("-Mfx", "sub/inet") == (
        "sub        inet  n       -       n       -       -       smtpd\n"
        "    -o biff=yes\n    -o {smtpd_banner=a  b}\n    -v\n"
    )


def test_a_bad_entry_is_fatal(directory):
    directory.write("", SERVICES)
    directory.run("-M", status=1)
    assert directory.errors == [
        'postconf: fatal: invalid process_limit field "5?" in "long unix - n n - 5? pipe flags=R argv=/bin/x"'
    ]
    directory.write("", "\na b c\n")
    directory.run("-n", status=1)
    assert directory.errors == ["postconf: fatal: file D/master.cf: line 2: bad field count"]


def test_columns_catch_up():
    argv = ["smtpd"]
    assert entry(["a" * 21, "unix", "-", "-", "-", "-", "-"], argv, 0) == "a" * 21 + (
        " unix - -   -       -       -       smtpd"
    )


def test_fields(directory):
    assert directory.run("-F", "smtp") == (
        "smtp/inet/service = smtp\nsmtp/inet/type = inet\nsmtp/inet/private = n\nsmtp/inet/unprivileged = -\n"
        "smtp/inet/chroot = n\nsmtp/inet/wakeup = -\nsmtp/inet/process_limit = -\nsmtp/inet/command = smtpd\n"
    )
    assert directory.run("-Fh", "*/*/type") == "inet\n"
    directory.run("-F", "smtp/inet/colour", status=1)
    assert directory.errors == ['postconf: fatal: invalid service attribute name: "colour"']
    directory.run("-F", "sm*", status=1)
    assert directory.errors == ["postconf: fatal: -F option requires service_name[/type[/field]]"]


def test_overrides(directory):
    directory.write("x = yes\n", SERVICES.replace("5?", "5"))
    assert directory.run("-P") == "sub/inet/biff = $x\nsub/inet/smtpd_banner = a b\n"
    assert directory.run("-Pxh", "sub/inet/biff") == "yes\n"
    assert directory.run("-PH", "*/inet/biff") == "sub/inet/biff\n"


# Editing


def test_edits_keep_the_rest(directory):
    directory.write("# c\nfoo = 1\n  2\n# d\n  3\nbar = 2\n\n")
    assert directory.run("foo=5", "baz=6", "q =  r  s ") == ""
    assert directory.main == "# c\nfoo = 5\n# d\nbar = 2\n\nbaz = 6\nq = r  s\n"


def test_an_addition_has_a_line_of_its_own(directory):
    directory.write("bar = 2")
    directory.run("-e", "foo=1")
    assert directory.main == "bar = 2\nfoo = 1\n"


def test_all_of_several_settings_change(directory):
    directory.write("foo=1\nfoo=2\n")
    directory.run("foo=3", "foo=4")
    assert directory.main == "foo = 4\nfoo = 4\n"
    assert directory.errors == [
        "postconf: warning: ignoring earlier request: 'foo = 3'",
        'postconf: warning: D/main.cf: multiple entries for "foo"',
    ]


def test_comment_out_and_remove(directory):
    directory.write("foo=1\n# x\n\n  2\nbar=3\n")
    directory.run("-#", "foo", "nope")
    assert directory.main == "#foo=1\n# x\n\n#  2\nbar=3\n"
    directory.write("foo=1\n# x\n\n  2\nbar=3\n")
    directory.run("-X", "foo")
    assert directory.main == "# x\n\nbar=3\n"


def test_an_edit_keeps_mode_links_and_odd_bytes(directory):
    real = directory.path / "real.cf"
    real.write_bytes(b"x = \xff\n")
    real.chmod(0o640)
    (directory.path / "main.cf").unlink()
    (directory.path / "main.cf").symlink_to("real.cf")
    directory.run("a=1")
    assert (directory.path / "main.cf").is_symlink()
    assert real.read_bytes() == b"x = \xff\na = 1\n"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert sorted(os.listdir(directory.path)) == ["main.cf", "master.cf", "real.cf"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-e"], "-e requires name=value argument"),
        (["-e", "foo"], "missing '=' after attribute name: \"foo\""),
        (["-e", "=x"], 'missing attribute name: "=x"'),
        (["a=1\n"], "-e, -X, or -# accepts no multi-line input"),
        (["#a=1"], "-e, -X, or -# accepts no comment input"),
        (["-X"], "missing service argument"),
        (["-X", ""], "-X or -# requires non-blank parameter names"),
        (["-X", "a=1"], "specify one of -e -X"),
        (["-n", "a=1"], "specify one of -e -n"),
        (["-dne"], "specify one of -d -e -n"),
        (["-hH"], "specify one of -h -H"),
        (["-MP"], "specify one of -M -P"),
        (["-Md"], "with option -M, do not specify -d"),
        (["-bt"], "specify one of -b -t"),
        (["-tx"], "with option -t, do not specify -x"),
        (["-F#", "smtp/inet/chroot"], "with option -F, do not specify -#"),
        (["-o", "x"], "invalid parameter override: x: missing '=' after attribute name"),
        (["-M", "smtp=x"], "-Me, -MX or -M# requires service_name/type"),
        (["-M", "a/inet=a inet - - -"], 'bad field count: "a/inet=a inet - - -"'),
        (["-F", "smtp/inet=x"], "-Fe or -FX requires service_name/type/field_name"),
        (["-F", "smtp/inet/chroot=x"], 'invalid chroot field "x" in "x"'),
        (["-F", "smtp/inet/service=a b"], "-Fe does not accept whitespace in non-command field"),
        (["-F", "smtp/inet/command="], 'invalid command field ""'),
        (["-P", "smtp/inet/a=b c"], "-Pe does not accept whitespace in parameter value"),
        (["-P", "smtp/inet/*=b"], "-Pe does not accept wild-card parameter name"),
    ],
)
def test_refusals_change_nothing(directory, arguments, told):
    directory.write("foo=1\n")
    assert directory.run(*arguments, status=1) == ""
    assert directory.errors == [f"postconf: fatal: {told}"]
    assert (directory.main, directory.master) == ("foo=1\n", MASTER)


def test_a_wrong_option_shows_the_usage(directory):
    directory.run("-Z", status=1)
    assert directory.errors[0] == "postconf: invalid option -- 'Z'"
    assert directory.errors[1].startswith("postconf: fatal: usage: ")
    directory.run("-o", status=1)
    assert directory.errors[0] == "postconf: option requires an argument -- 'o'"


OLD = "# c\nsmtp inet n - n - - smtpd\n  -o a=b\n# d\n  -o c=d\nx  unix - - n - - pipe user=x\n#  e\n\n"


def test_entries_are_replaced_and_added(directory):
    directory.write("", OLD)
    directory.run("-M", "smtp/inet=smtp inet n - y - - smtpd -o {a = b c} d", "new/unix=new unix - - - - - smtp")
    assert directory.master == (
        "# c\nsmtp       inet  n       -       y       -       -       smtpd\n    -o {a=b c}\n    d\n# d\n"
        "x  unix - - n - - pipe user=x\n#  e\n\nnew        unix  -       -       -       -       -       smtp\n"
    )


def test_entries_are_commented_out_and_removed(directory):
    directory.write("", OLD)
    directory.run("-M#", "smtp/inet")
    assert directory.master == (
        "# c\n#smtp inet n - n - - smtpd\n#  -o a=b\n# d\n#  -o c=d\nx  unix - - n - - pipe user=x\n#  e\n\n"
    )
    directory.write("", OLD)
    directory.run("-MX", "*/inet")
    assert directory.master == "# c\n# d\nx  unix - - n - - pipe user=x\n#  e\n\n"


def test_fields_change(directory):
    directory.write("", OLD)
    directory.run("-F", "*/unix/chroot=y", "no/inet/chroot=y")
    assert directory.master == (
        "# c\nsmtp inet n - n - - smtpd\n  -o a=b\n# d\n  -o c=d\n#  e\n\n"
        "x          unix  -       -       y       -       -       pipe user=x\n"
    )
    assert directory.errors == ['postconf: warning: unmatched service_name/type: "no/inet/chroot=y"']
    directory.run("-F", "x/unix/command=pipe -v {a b}")
    assert directory.master.endswith("pipe -v {a b}\n")


def test_overrides_change(directory):
    directory.write("", OLD)
    directory.run("-P", "smtp/inet/c=e", "*/unix/f=g")
    assert directory.master.startswith("# c\n# d\nsmtp       inet  n       -       n       -       -       smtpd\n")
    assert directory.run("-P") == "smtp/inet/a = b\nsmtp/inet/c = e\nx/unix/f = g\n"
    assert directory.master.endswith("pipe\n    -o f=g\n    user=x\n")
    directory.run("-PX", "*/*/c", "*/*/f")
    assert directory.run("-P") == "smtp/inet/a = b\n"


# Features


def test_locks_tables_and_tls(directory):
    assert directory.run("-l") == "flock\nfcntl\ndotlock\n"
    tables = directory.run("-m").split()
    assert tables == sorted(tables) and {"inline", "static"} <= set(tables)
    assert directory.run("-T", "run-version").startswith("OpenSSL ")
    directory.run("-T", "colour", status=1)
    assert directory.errors == ["postconf: warning: unknown 'postconf -T' mode: colour"]


def test_templates_of_notices(directory):
    directory.write("myhostname = h.example\n")
    shown = directory.run("-b")
    assert shown.startswith("expanded_failure_text = <<EOF\n") and "h.example" in shown and shown.endswith("EOF\n")
    shown = directory.run("-t", "")
    assert shown.startswith("failure_template = <<EOF\nCharset: us-ascii\nFrom: Mail Delivery System <MAILER-DAEMON>\n")
    assert "$myhostname" in shown and "\nEOF\n\nverify_template = <<EOF\n" in shown
    own = directory.path / "own"
    own.write_text(
        "delay_template = <<X\nSubject: Late\nPostmaster-Subject: L\n\nYour mail is late, says $myhostname.\nX\n"
    )
    assert "Subject: Late\nPostmaster-Subject: L\n\nYour mail is late, says $myhostname.\nEOF\n" in directory.run(
        "-t", str(own)
    )
    assert "expanded_delay_text = <<EOF\nYour mail is late, says h.example.\nEOF\n" in directory.run("-b", str(own))
    directory.run("-b", str(own), "more", status=1)
    assert directory.errors == ["postconf: fatal: options -b and -t require at most one template file"]
    directory.run("-t", "/nonexistent", status=1)
    assert "open /nonexistent: No such file" in directory.errors[0]


# Properties

TEXT = st.text(alphabet="ab =\n\t#$x{}", max_size=60)


@given(TEXT, st.sampled_from("abx"), st.text(alphabet="abc$ {}#", max_size=8))
def test_what_is_set_is_read(text, name, value):
    value = value.strip()
    edited = set_parameters(text, {name: value}, "main.cf")
    try:
        entries = parse_main(edited).entries
    except ConfigError:
        return  # the text was no main.cf before, either
    assert entries[name].value == value
    before = parse_main(text).entries if _parses(text) else {}
    assert {key: entry.value for key, entry in before.items() if key != name}.items() <= {
        key: entry.value for key, entry in entries.items()
    }.items()
    assert set_parameters(edited, {name: value}, "main.cf") == edited


@given(TEXT, st.sampled_from("abx"))
def test_what_is_removed_or_commented_out_is_gone(text, name):
    for edit in (remove_entries, comment_out):
        edited = edit(text, name.__eq__, main_name)
        if _parses(edited):
            assert name not in parse_main(edited).entries


@given(st.text(alphabet="a \n#-o={}t", max_size=60))
def test_edits_of_master_cf_end_in_a_config_error_or_not_at_all(tail):
    text = f"{tail}\na unix - - - - - {tail}\n"
    for pattern in (str.isalpha, "a/unix".__eq__):
        remove_entries(text, pattern, master_name)
    try:
        assert edit_rows(text, lambda row: False, "master.cf") == text
        once = edit_rows(text, lambda row: True, "master.cf")
        assert edit_rows(once, lambda row: True, "master.cf") == once
    except ConfigError as error:
        assert error.problem


def _parses(text):
    try:
        parse_main(text)
    except ConfigError:
        return False
    return True
