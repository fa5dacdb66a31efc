"""The contract of ITransport for what delivers on this machine, with real files and commands, as whoever runs the tests."""

import asyncio
import os
import pwd
from pathlib import Path

import pytest
from deliveries import InlineHands, context

from mailer.deliver.hands.identity import Identity
from mailer.deliver.local.transport import LocalTransport
from mailer.deliver.local.users import User
from mailer.deliver.pipe import PipeTransport
from mailer.deliver.pipe_settings import PipeSettings
from mailer.deliver.virtual import VirtualTransport
from mailer.message.delivery import Destination
from mailer.testing.transports import TransportContract

NOBODY = Identity(65534, 65534, (65534,))


class Files(TransportContract):
    """``self.place`` is a fresh directory; a message's own header lines end at Subject."""

    @pytest.fixture(autouse=True)
    def fresh(self, tmp_path, monkeypatch):
        self.place = tmp_path
        account = pwd.struct_passwd(("nobody", "x", 65534, 65534, "", "/", "/bin/false"))
        monkeypatch.setattr(pwd, "getpwnam", lambda name: account)

    def finish(self, coroutine):
        return asyncio.run(coroutine)

    def delivered(self):
        files = sorted(self.place.glob("*/new/*"), key=os.path.getmtime)
        return [
            path.read_bytes().partition(b"Delivered-To: ")[2].partition(b"\n")[2].replace(b"\n", b"\r\n")
            for path in files
        ]


class TestVirtual(Files):
    def make_transport(self):
        boxes = {f"{name}@example.org": f"{name}/" for name in ("one", "a", "b", "c")}
        settings = {
            "virtual_mailbox_base": str(self.place),
            "virtual_mailbox_maps": "inline:boxes",
            "virtual_uid_maps": "inline:ids",
            "virtual_gid_maps": "inline:ids",
        }
        ids = {"@example.org": "65534"}
        return VirtualTransport(context(settings, {"inline:boxes": boxes, "inline:ids": ids}), InlineHands())


class Users:
    async def find(self, name):
        return User(name, NOBODY, "/nonexistent", "/bin/sh")


class Addressing:
    async def rewrite(self, address, context):
        return address

    async def resolve(self, sender, recipient):
        return Destination("local", "example.org", recipient)


class TestLocal(Files):
    def make_transport(self):
        settings = {"alias_maps": "", "mail_spool_directory": f"{self.place}/"}
        at = context(settings, name="local", addressing=Addressing())
        return LocalTransport(at, InlineHands(), Users(), None)


class TestPipe(Files):
    def make_transport(self):
        script = f"cat > {self.place}/$$$$.mail"  # a doubled dollar is one
        pipe = PipeSettings(NOBODY, ("/bin/sh", "-c", script), end_of_line="\r\n")
        return PipeTransport(context({}, name="pipe"), pipe, InlineHands())

    def delivered(self):
        return [path.read_bytes() for path in sorted(Path(self.place).glob("*.mail"), key=os.path.getmtime)]
