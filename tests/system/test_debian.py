"""The main.cf and master.cf that Debian's postfix package installs: they start as they are, and mail flows.

Changed are only the port and the directories, which the test does not own on this machine.
"""

import mailbox
import os

import pytest
from peers import wait_until

MAIN_CF = """\
# See /usr/share/postfix/main.cf.dist for a commented, more complete version


# Debian specific:  Specifying a file name will cause the first
# line of that file to be used as the name.  The Debian default
# is /etc/mailname.
myorigin = {directory}/mailname

smtpd_banner = $myhostname ESMTP $mail_name (Debian/GNU)
biff = no

# appending .domain is the MUA's job.
append_dot_mydomain = no

# Uncomment the next line to generate "delayed mail" warnings
#delay_warning_time = 4h

readme_directory = no

# See http://www.postfix.org/COMPATIBILITY_README.html -- default to 3.6 on
# fresh installs.
compatibility_level = 3.6



# TLS parameters
smtpd_tls_cert_file=/etc/ssl/certs/ssl-cert-snakeoil.pem
smtpd_tls_key_file=/etc/ssl/private/ssl-cert-snakeoil.key
smtpd_tls_security_level=may

smtp_tls_CApath=/etc/ssl/certs
smtp_tls_security_level=may
smtp_tls_session_cache_database = btree:${{data_directory}}/smtp_scache


smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated defer_unauth_destination
myhostname = mail.example.test
alias_maps = hash:{directory}/aliases
alias_database = hash:{directory}/aliases
mydestination = $myhostname, example.test, localhost.example.test, , localhost
relayhost =
mynetworks = 127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128
mailbox_size_limit = 0
recipient_delimiter = +
inet_interfaces = all
inet_protocols = all

queue_directory = {directory}/queue
data_directory = {directory}/data
mail_spool_directory = {directory}/spool
maillog_file = {directory}/mail.log
maillog_file_prefixes = {directory}
"""

MASTER_CF = """\
#
# Postfix master process configuration file.
# ==========================================================================
# service type  private unpriv  chroot  wakeup  maxproc command + args
#               (yes)   (yes)   (no)    (never) (100)
# ==========================================================================
{port}      inet  n       -       y       -       -       smtpd
#smtp      inet  n       -       y       -       1       postscreen
#smtpd     pass  -       -       y       -       -       smtpd
#submission inet n       -       y       -       -       smtpd
#  -o syslog_name=postfix/submission
#  -o smtpd_tls_security_level=encrypt
pickup    unix  n       -       y       60      1       pickup
cleanup   unix  n       -       y       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
#qmgr     unix  n       -       n       300     1       oqmgr
tlsmgr    unix  -       -       y       1000?   1       tlsmgr
rewrite   unix  -       -       y       -       -       trivial-rewrite
bounce    unix  -       -       y       -       0       bounce
defer     unix  -       -       y       -       0       bounce
trace     unix  -       -       y       -       0       bounce
verify    unix  -       -       y       -       1       verify
flush     unix  n       -       y       1000?   0       flush
proxymap  unix  -       -       n       -       -       proxymap
proxywrite unix -       -       n       -       1       proxymap
smtp      unix  -       -       y       -       -       smtp
relay     unix  -       -       y       -       -       smtp
        -o syslog_name=postfix/$service_name
#       -o smtp_helo_timeout=5 -o smtp_connect_timeout=5
showq     unix  n       -       y       -       -       showq
error     unix  -       -       y       -       -       error
retry     unix  -       -       y       -       -       error
discard   unix  -       -       y       -       -       discard
local     unix  -       n       n       -       -       local
virtual   unix  -       n       n       -       -       virtual
lmtp      unix  -       -       y       -       -       lmtp
anvil     unix  -       -       y       -       1       anvil
scache    unix  -       -       y       -       1       scache
postlog   unix-dgram n  -       n       -       1       postlogd
#
# ====================================================================
# Interfaces to non-Postfix software.
# ====================================================================
maildrop  unix  -       n       n       -       -       pipe
  flags=DRXhu user=vmail argv=/usr/bin/maildrop -d ${{recipient}}
uucp      unix  -       n       n       -       -       pipe
  flags=Fqhu user=uucp argv=uux -r -n -z -a$sender - $nexthop!rmail ($recipient)
ifmail    unix  -       n       n       -       -       pipe
  flags=F user=ftn argv=/usr/lib/ifmail/ifmail -r $nexthop ($recipient)
bsmtp     unix  -       n       n       -       -       pipe
  flags=Fq. user=bsmtp argv=/usr/lib/bsmtp/bsmtp -t$nexthop -f$sender $recipient
scalemail-backend unix -       n       n       -       2       pipe
  flags=R user=scalemail argv=/usr/lib/scalemail/bin/scalemail-store ${{nexthop}} ${{user}} ${{extension}}
mailman   unix  -       n       n       -       -       pipe
  flags=FRX user=list argv=/usr/lib/mailman/bin/postfix-to-mailman.py ${{nexthop}} ${{user}}
"""

USER = "nobody"


@pytest.fixture
def debian(mta):
    """An instance with these files and a few aliases, started."""
    server = mta(start=False)
    place = server.directory
    (place / "main.cf").write_text(MAIN_CF.format(directory=place))
    (place / "master.cf").write_text(MASTER_CF.format(port=server.port))
    (place / "mailname").write_text("example.test\n")
    (place / "aliases").write_text(f"postmaster: root\nroot: {USER}\nteam: {USER}, gone\nfile: {place}/spool/file\n")
    (place / "spool").mkdir()
    (place / "spool").chmod(0o1777)
    server.tool("newaliases")
    assert (place / "aliases.db").exists()
    return server.start()


def test_it_starts_and_says_what_is_missing(debian):
    output = debian.output()
    # Every software that is named in master.cf and not installed costs its own mail a delay, nothing else.
    assert "unknown username: vmail" in debian.wait_for_log("(mail for maildrop will be deferred)")
    assert "scalemail" in debian.wait_for_log("(mail for scalemail-backend will be deferred)")
    assert "daemon started" in debian.wait_for_log("postfix/master[", "daemon started")
    for line in output.splitlines():
        if line.startswith("mailer: warning:"):
            assert "main.cf, line" in line or "master.cf, line" in line, line
    assert "unknown parameter" not in output and "error:" not in output
    assert debian.tool("postconf", "-h", "smtpd_banner").stdout == b"$myhostname ESMTP $mail_name (Debian/GNU)\n"
    assert debian.tool("postconf", "-hx", "myorigin").stdout.strip().endswith(b"/mailname")


@pytest.mark.skipif(os.getuid() != 0, reason="local delivery to other users needs the superuser's rights")
def test_mail_is_taken_and_delivered(debian):
    with debian.smtp() as client:
        code, banner = client.ehlo()
        assert code == 250 and banner.startswith(b"mail.example.test")
    debian.send(["root@example.test", "file@localhost"], sender="me@example.test")
    spool = debian.directory / "spool"
    wait_until(lambda: (spool / USER).exists() and (spool / USER).stat().st_size, what="the mailbox")
    debian.wait_for_log("to=<file@localhost>", "status=sent (delivered to file: ")
    line = debian.wait_for_log(f"to=<{USER}@example.test>")
    assert "orig_to=<root@example.test>" in line and "status=sent (delivered to mailbox)" in line
    (message,) = mailbox.mbox(spool / USER, create=False)
    assert message["Delivered-To"] == "root@example.test"  # the recipient that was queued, not whom the alias names
    # From a client on one of our own addresses: headers are completed as those of local mail.
    assert message["From"] == "me@example.test" and message["Received"].startswith(
        "from client.test (localhost [127.0.0.1])"
    )


def test_unknown_users_and_other_domains(debian):
    with debian.smtp() as client:
        client.ehlo()
        client.mail("me@example.test")
        code, text = client.rcpt("nosuch@example.test")
        assert (code, text) == (
            550,
            b"5.1.1 <nosuch@example.test>: Recipient address rejected: User unknown in local recipient table",
        )
        assert client.rcpt("team+tag@mail.example.test")[0] == 250
        assert client.rcpt("postmaster")[0] == 250


@pytest.mark.skipif(os.getuid() != 0, reason="local delivery to other users needs the superuser's rights")
def test_local_mail_comes_from_mailname(debian):
    debian.tool("sendmail", "root", input=b"Subject: cron\n\noutput\n")
    spool = debian.directory / "spool"
    wait_until(lambda: (spool / USER).exists() and (spool / USER).stat().st_size, what="the mailbox")
    (message,) = mailbox.mbox(spool / USER, create=False)
    assert message["From"] == "root <root@example.test>"
    assert message["Date"] and message["Message-Id"].endswith("@mail.example.test>")
