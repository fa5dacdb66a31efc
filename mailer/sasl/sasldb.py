"""The password file of Cyrus SASL (saslpasswd2(8), sasldblistusers2(8)): a Berkeley DB hash with ``user\\0realm\\0property`` keys
and passwords in the clear."""

from __future__ import annotations

from mailer.interfaces.context import Context
from mailer.message.status import TemporaryError
from mailer.sasl.threads import Threads
from mailer.tables.bdb.read import entries

__all__ = ["SaslDatabase"]

_LARGEST = 256 << 20


class SaslDatabase:
    """Read anew for each question: saslpasswd2 changes it in place, and it is small."""

    def __init__(self, path: str, context: Context) -> None:
        self._path = path
        self._threads = Threads(context.reactor)

    async def password(self, user: str, realm: str) -> bytes | None:
        """:return: None if there is no such user. :raise TemporaryError: the file cannot be read."""
        if self._threads.busy:
            raise TemporaryError("too many questions to the password database under way")
        return await self._threads.run(self._read, user, realm)

    def _read(self, user: str, realm: str) -> bytes | None:
        try:
            with open(self._path, "rb") as file:
                data = file.read(_LARGEST)
        except OSError as error:
            raise TemporaryError(f"unable to open Berkeley db {self._path}: {error.strerror}") from error
        wanted = b"\0".join(text.encode("utf-8", "surrogateescape") for text in (user, realm)) + b"\0userPassword"
        try:
            return next((value for key, value in entries(data) if key.rstrip(b"\0") == wanted), None)
        except ValueError as error:
            raise TemporaryError(f"unable to open Berkeley db {self._path}: {error}") from error
