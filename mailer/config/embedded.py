"""The configuration of a first try: no root, no database, nothing written by hand.

Everything lives below one directory of the user's. main.cf and master.cf are written there once, so that the tools find
them (``mailq -c DIRECTORY/etc``) and the user has something to change; files that are there are never touched.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["default_directory", "establish"]

SMTP_PORT = 2525

_MAIN_CF = """\
# mailer started without a configuration and wrote this one. It is read at every start: change what you like.
# Parameters and their defaults: postconf(5), or `postconf -d`.
compatibility_level = 3.6

queue_directory = {directory}/queue
data_directory = {directory}/data
maillog_file = /dev/stdout

# Only this machine may use it, and only this machine can reach it.
inet_interfaces = loopback-only
mynetworks_style = host

# Everybody at these domains has a Maildir below {directory}/mail, made when the first message comes.
mydestination =
alias_maps =
alias_database =
virtual_mailbox_domains = localhost, $myhostname
virtual_mailbox_base = {directory}/mail
virtual_mailbox_maps = regexp:{{ {{ /^([a-z0-9_][^@+\\/]*)(\\+[^@]*)?@/ $$1/ }} }}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = {minimum_uid}
recipient_delimiter = +
myorigin = localhost
"""

_MASTER_CF = """\
# service   type  private unpriv chroot wakeup maxproc command + args
127.0.0.1:{port} inet n     -      n      -      -       smtpd
pickup      unix  n       -      n      60     1       pickup
cleanup     unix  n       -      n      -      0       cleanup
qmgr        unix  n       -      n      300    1       qmgr
rewrite     unix  -       -      n      -      -       trivial-rewrite
bounce      unix  -       -      n      -      0       bounce
defer       unix  -       -      n      -      0       bounce
trace       unix  -       -      n      -      0       bounce
flush       unix  n       -      n      1000?  0       flush
smtp        unix  -       -      n      -      -       smtp
relay       unix  -       -      n      -      -       smtp
        -o syslog_name=postfix/$service_name
lmtp        unix  -       -      n      -      -       lmtp
virtual     unix  -       n      n      -      -       virtual
error       unix  -       -      n      -      -       error
retry       unix  -       -      n      -      -       error
discard     unix  -       -      n      -      -       discard
"""

#: Whom mail belongs to when root tries us out: the one account that every Unix has for owning nothing else.
_NOBODY = 65534


def default_directory() -> Path:
    """Where a first try keeps everything: the user's data directory (XDG base directory specification)."""
    data = os.environ.get("XDG_DATA_HOME") or os.path.join(os.path.expanduser("~"), ".local", "share")
    return Path(data) / "mailer"


def establish(directory: Path, port: int = SMTP_PORT) -> Path:
    """Make the directory and its configuration, keeping what is there already.

    :return: the configuration directory.
    :raise OSError: it cannot be made.
    """
    directory = directory.expanduser().absolute()
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        uid = gid = _NOBODY
    configuration = directory / "etc"
    for path, mode in ((directory, 0o755), (configuration, 0o755), (directory / "mail", 0o755)):
        path.mkdir(mode=mode, parents=True, exist_ok=True)
    if os.geteuid() == 0:
        os.chown(directory / "mail", uid, gid)
    values = {"directory": directory, "uid": uid, "gid": gid, "minimum_uid": min(uid, 100), "port": port}
    _write_once(configuration / "main.cf", _MAIN_CF.format(**values))
    _write_once(configuration / "master.cf", _MASTER_CF.format(**values))
    return configuration


def _write_once(path: Path, text: str) -> None:
    if not path.exists():
        path.write_text(text)
