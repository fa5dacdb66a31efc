"""A real slapd in a temporary directory, on a loopback port and a UNIX socket, to be stopped, hung and started again."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from peers import ROOT, free_port, need, wait_until

SAMPLE = ROOT / "etc/ldap-relay"
SCHEMAS = Path("/etc/ldap/schema")

CONF = """\
include {schemas}/core.schema
include {schemas}/cosine.schema
include {schemas}/inetorgperson.schema
include {schemas}/misc.schema
include {sample}/mailrelay.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {directory}/slapd.pid
{globals}
database mdb
suffix "dc=example,dc=com"
rootdn "cn=admin,dc=example,dc=com"
rootpw admin
directory {directory}/db
maxsize 1073741824
dbnosync
index objectClass eq
index mail,mailAlternateAddress,mailLocalAlias,mailStatus,mailDeliveryAddress eq,pres
{database}
"""


class Slapd:
    """:param ldif: the content. :param options: lines of slapd.conf for all, and for the database."""

    def __init__(self, directory: Path, ldif: str, options: str = "", database: str = "", port: int | None = None):
        self._program = need("slapd")
        if not (SCHEMAS / "core.schema").exists():
            pytest.skip("slapd's schemas are not installed")
        self.directory = directory
        self.port = port or free_port()
        self.tls_port = free_port()
        self.socket = directory / "ldapi"
        self.process = None
        (directory / "db").mkdir(parents=True)
        self._conf = directory / "slapd.conf"
        self._conf.write_text(
            CONF.format(schemas=SCHEMAS, sample=SAMPLE, directory=directory, globals=options, database=database)
        )
        self._tls = "TLSCertificateFile" in options
        (directory / "content.ldif").write_text(ldif)
        done = subprocess.run(
            [need("slapadd"), "-q", "-f", self._conf, "-l", directory / "content.ldif"],
            capture_output=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr.decode()

    @property
    def url(self):
        return f"ldap://127.0.0.1:{self.port}"

    @property
    def socket_url(self):
        return f"ldapi://{quote(str(self.socket), safe='')}"

    def start(self):
        urls = [self.url, self.socket_url] + ([f"ldaps://127.0.0.1:{self.tls_port}"] if self._tls else [])
        self.process = subprocess.Popen(
            [self._program, "-h", " ".join(urls), "-f", self._conf, "-d", "0"],
            stdout=(self.directory / "log").open("ab"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        wait_until(self._answers, 20, f"the start of slapd: {(self.directory / 'log').read_text()}")
        return self

    def _answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 2).close()
        except OSError:
            return False
        return True

    def hang(self):
        """It takes connections and says nothing more."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait(20)
            self.process = None


def sample_ldif(people, *more):
    """What etc/ldap-relay/generate.py writes."""
    command = [sys.executable, SAMPLE / "generate.py", "--people", str(people), *more]
    return subprocess.run(command, capture_output=True, check=True, text=True, env=os.environ).stdout
