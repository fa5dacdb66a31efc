"""postconf beside the reference's: same output, same exit status, same files afterwards.

A fatal error costs the reference a second of sleep, so there are few of those here and more in test_postconf.
"""

import contextlib
import io
import os
import shutil
import subprocess

import pytest

from mailer.commands.postconf import main

REFERENCE = "/usr/sbin/postconf"

pytestmark = pytest.mark.skipif(
    shutil.which(REFERENCE) is None, reason=f"the reference is not installed: no {REFERENCE} to compare with"
)

MAIN = """\
# a comment
   # another
foo = bar
myorigin = $foo
mydestination = $myhostname, localhost
   # a comment inside
  localhost.$mydomain

  more
x = ${foo?{a}:{b}} ${nope?{a}:{b}} ${{$foo} == {bar} ? {c} : {d}}
smtpd_banner=$x
biff = no
biff = yes
empty =
relayhost = $empty
smtpd_restriction_classes = strict
strict = reject
virtual_alias_maps = ldap:people, static:x
people_server_host = h
people_nonsense = y
smtp_destination_rate_delay = 1s
nope_destination_rate_delay = 1s
mailbox_command = $USER
USER = nobody
smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination, permit_sasl_authenticated, reject_invalid
"""

MASTER = """\
# hello
smtp inet n - n - - smtpd
  -o a=b
# d
  -o c=d
sub inet n - n - - smtpd -o smtpd_client_restrictions=$mua -o mua=permit -o { smtpd_helo_restrictions = a, b $mua }
  -vo biff=yes -oalways_bcc=$biff
smtp  unix - - n - - smtp
#  x

foo unix - n n - 5 pipe flags=DR user=x argv=/bin/y $z -o not=seen
averyverylongservicename unix - - - 60? 1 qmgr
  -o smtpd_sender_restrictions=permit_mynetworks,reject_unauth_destination,permit_sasl_authenticated,reject,and_more
runner unix - n n - 0 spawn user=nobody argv=/usr/local/bin/policy-server --with=many --arguments=of --some=length x
"""

SHOWING = [
    "-n",
    "-nx",
    "-nf",
    "-nh",
    "-nH",
    "-C user",
    "-C service",
    "-C service,user",
    "-Cuser -x",
    "nosuch x biff",
    "-x mydestination smtpd_banner relayhost",
    "-h myorigin mydestination",
    "-f smtpd_recipient_restrictions",
    "-fh smtpd_recipient_restrictions proxy_write_maps smtpd_relay_restrictions",
    "-d mynetworks myhostname mydomain mydestination relay_domains append_dot_mydomain",
    "-dx mynetworks myhostname mydomain mydestination relay_domains append_dot_mydomain",
    "mynetworks myhostname mydomain",
    "-x -o foo=zz myorigin x",
    "-o compatibility_level=3.6 -x mynetworks_style relay_domains smtputf8_enable mynetworks",
    "-o inet_interfaces=loopback-only mynetworks",
    "-o mynetworks_style=class -o inet_protocols=ipv4 mynetworks",
    "-o mydomain=example.com -x myhostname mydomain myorigin",
    "-o myhostname=a.b.example -x mydomain",
    "-o myhostname=a -x mydomain",
    "-xh default_rbl_reply forward_path",
    "process_name service_name config_directory",
    "-M",
    "-Mf",
    "-Mx",
    "-M smtp",
    "-M smtp/unix foo",
    "-M */inet nope",
    "-F",
    "-Ff",
    "-FH foo/unix",
    "-F */*/chroot",
    "-F foo/unix/type nope",
    "-P",
    "-Px",
    "-Pf",
    "-Ph",
    "-PH",
    "-P */*/a",
    "-P sub/inet/mua sub/inet/nope",
    "-l",
]

EDITING = [
    ["foo=5"],
    ["q = r  s "],
    ["-e", "biff=maybe"],
    ["myorigin="],
    ["mydestination=$x"],
    ["-#", "mydestination", "nope"],
    ["-X", "mydestination", "foo"],
    ["a=1", "a=2"],
    ["-M", "smtp/inet=smtp inet n - y - - smtpd -v"],
    ["-M", "smtp/inet=smtp inet n - y - - smtpd -o {a = b c} -o d=e x y"],
    ["-M", "bar/inet=bar inet n - y - - smtpd", "foo/unix=foo unix - - - - - x"],
    ["-M#", "smtp/inet", "nope/inet"],
    ["-MX", "smtp/*"],
    ["-F", "smtp/inet/chroot=y", "*/unix/wakeup=60?"],
    ["-F", "smtp/inet/command=smtpd -v -o x=y", "smtp/inet/service=25"],
    ["-F", "nope/inet/chroot=y"],
    ["-P", "smtp/inet/biff=yes", "foo/unix/biff=yes", "smtp/inet/c="],
    ["-PX", "smtp/inet/a", "nope/inet/a"],
    ["-PX", "*/*/a"],
]

FATAL = [
    ["-e"],
    ["-dn"],
    ["-o", "foo"],
    ["-M", "bar=bar inet n - y - - smtpd"],
    ["-Me", "smtp/inet"],
]

VALUES = [
    "$foo ${foo} $(foo) ${ foo }",
    "${foo?yes} ${foo:no} ${nope:no} ${foo?{a}:{b}} ${nope?{a}:{b}}",
    "$$foo $$$foo",
    "[${foo?{ a }:{ b }}] [${foo? a }] ${foo?a:b} ${foo?:c}",
    "${{a} == {b} ? {c} : {d}} ${{2} < {10} ? {c} : {d}} ${{a} == {a}}",
    "${{010} == {10}?{y}:{n}} ${{2x} < {10}?{y}:{n}} ${{1.5} < {1.10}?{y}:{n}} ${{} == {}?{y}:{n}}",
    "${{3.10} >=level {3.6} ? {y} : {n}} ${{1} ==level {1.0}}",
    "${{$foo}=={bar}?{${foo?{x}}}:{d}} $({a}=={a}?{b})",
    "{$foo} ${foo?a}} $foo.bar $foo-bar",
    "${e?{set}:{empty}} ${ee?{set}:{empty}}",
]


@pytest.fixture
def compare(tmp_path):
    """Run both with the same arguments on copies of the same two files and compare all there is to see."""

    def outcome(run, main_text, master_text, arguments):
        for name, text in (("main.cf", main_text), ("master.cf", master_text)):
            (tmp_path / name).write_text(text)
            # A file that has just changed is read again and again by the reference until it has settled.
            os.utime(tmp_path / name, (1, 1))
        output, status = run(["-c", str(tmp_path), *arguments])
        return output, status, (tmp_path / "main.cf").read_text(), (tmp_path / "master.cf").read_text()

    def compare(arguments, main_text=MAIN, master_text=MASTER):
        assert outcome(ours, main_text, master_text, arguments) == outcome(reference, main_text, master_text, arguments)

    return compare


def reference(arguments):
    done = subprocess.run([REFERENCE, *arguments], capture_output=True, text=True, timeout=60)
    return done.stdout, done.returncode


def ours(arguments):
    with contextlib.redirect_stdout(io.StringIO()) as output, contextlib.redirect_stderr(io.StringIO()):
        status = main(arguments)
    return output.getvalue(), status


@pytest.mark.parametrize("arguments", SHOWING)
def test_showing(compare, arguments):
    compare(arguments.split())


@pytest.mark.parametrize("arguments", EDITING, ids=" ".join)
def test_editing(compare, arguments):
    compare(arguments)


@pytest.mark.parametrize("arguments", FATAL, ids=" ".join)
def test_refusing(compare, arguments):
    compare(arguments)


@pytest.mark.parametrize("value", VALUES)
def test_expanding(compare, value):
    compare(["-xh", "myorigin"], f"foo = bar\ne =\nee = $e\nmyorigin = {value}\n")


@pytest.mark.parametrize("length", range(66, 82))
def test_folding_at_the_same_column(compare, length):
    words = f"{'x' * (length - 20)} {'y' * 6} {'z' * 80} w"
    master = f"a unix - - - - - pipe user={'x' * (length - 60)} argv=x y z\n  {'q' * (length - 10)} {'r' * 5} s\n"
    compare(["-nf"], f"myorigin = {words}\n")
    compare(["-Mf"], "", master)
    compare(["-Ff"], "", master)
    compare(["-P", "a/unix/b=c"], "", master)


@pytest.mark.parametrize("broken", ["foo\n", "= a\n", "a b = c\n"])
def test_a_broken_main_cf(compare, broken):
    compare(["-n"], broken)
