"""Other people's servers, each an instance of its own in a temporary directory on loopback ports: Postfix, Dovecot."""

import os
import pwd
import socket
import subprocess
from pathlib import Path

import pytest
from peers import free_port, need, wait_until

POSTFIX_MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {directory}/queue
data_directory = {directory}/data
maillog_file = {directory}/mail.log
maillog_file_prefixes = {directory}
myhostname = postfix.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
smtpd_peername_lookup = no
virtual_mailbox_domains = postfix.test
virtual_mailbox_base = {directory}/mail
virtual_mailbox_maps = static:all/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
notify_classes =
"""

POSTFIX_MASTER_CF = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

DOVECOT_CONF = """\
base_dir = {directory}/run
log_path = {directory}/log
protocols = lmtp
listen = 127.0.0.1
ssl = no
default_login_user = {nobody}
default_internal_user = {nobody}
default_internal_group = {nogroup}
first_valid_uid = 1
mail_location = maildir:{directory}/mail/%n
recipient_delimiter = +
lmtp_save_to_detail_mailbox = no
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={directory}/mail/%n allow_all_users=yes
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
  unix_listener {directory}/lmtp {{
    mode = 0666
  }}
}}
"""


def _answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 2) as sock:
            sock.settimeout(5)
            return sock.recv(3) == b"220"
    except OSError:
        return False


class Postfix:
    """The real one. Mail for anybody at postfix.test goes to the Maildir ``mail/all``."""

    def __init__(self, directory: Path, main="", master="", wrapping=()):
        self._wrapping = wrapping  # a command that runs it
        if os.getuid() != 0:
            pytest.skip("Postfix's master needs root")
        self._program = need("postfix")
        self.directory = directory
        self.port = free_port()
        values = {"directory": directory, "port": self.port, "uid": 65534, "gid": 65534}
        for name in ("queue", "data", "mail"):
            (directory / name).mkdir()
        os.chown(directory / "data", pwd.getpwnam("postfix").pw_uid, -1)
        os.chown(directory / "mail", 65534, 65534)
        (directory / "main.cf").write_text(POSTFIX_MAIN_CF.format(**values) + main)
        (directory / "master.cf").write_text(POSTFIX_MASTER_CF.format(**values) + master)
        self._command("start", check=True)
        wait_until(lambda: _answers(self.port), what="the start of Postfix")

    def _command(self, word, check=False):
        subprocess.run(
            [*self._wrapping, self._program, "-c", str(self.directory), word],
            capture_output=True,
            timeout=60,
            check=check,
        )

    def log(self):
        return (self.directory / "mail.log").read_text(errors="replace")

    def wait_for_mail(self, count=1, seconds=20):
        """The contents of ``count`` messages delivered."""
        place = self.directory / "mail/all/new"
        wait_until(lambda: place.is_dir() and len(list(place.iterdir())) >= count, seconds, "mail at Postfix")
        return [path.read_bytes() for path in place.iterdir()]

    def stop(self):
        self._command("stop")


class Dovecot:
    """dovecot-lmtp, on a port and on the UNIX socket ``lmtp``. Mail for any USER goes to the Maildir ``mail/USER``."""

    def __init__(self, directory: Path):
        if os.getuid() != 0:
            pytest.skip("Dovecot needs root")
        if not Path("/usr/lib/dovecot/lmtp").exists():
            pytest.skip("dovecot-lmtpd is not installed")
        self.directory = directory
        self.port = free_port()
        self.socket = directory / "lmtp"
        (directory / "mail").mkdir()
        os.chown(directory / "mail", 65534, 65534)
        text = DOVECOT_CONF.format(
            directory=directory, port=self.port, uid=65534, gid=65534, nobody="nobody", nogroup="nogroup"
        )
        (directory / "dovecot.conf").write_text(text)
        self._process = subprocess.Popen(
            [need("dovecot"), "-F", "-c", str(directory / "dovecot.conf")],
            stdout=(directory / "stdout").open("wb"),
            stderr=subprocess.STDOUT,
        )
        wait_until(lambda: _answers(self.port), what=f"the start of Dovecot: {(directory / 'stdout').read_text()}")

    def wait_for_mail(self, user, count=1, seconds=20):
        place = self.directory / "mail" / user / "new"
        wait_until(lambda: place.is_dir() and len(list(place.iterdir())) >= count, seconds, f"mail for {user}")
        return [path.read_bytes() for path in place.iterdir()]

    def stop(self):
        self._process.terminate()
        self._process.wait(20)
