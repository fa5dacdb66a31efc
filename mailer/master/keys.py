"""TLS keys that change while daemons run: the daemons have given up the rights to read them, so they are replaced.

Looked at every few seconds. What has changed is read once it has stayed the same for two looks (a certificate and its key are
seldom replaced in one step), and only if all of it is good are new daemons started; the old ones finish their sessions. Keys
that are of no use are reported, and those in use stay in use.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

from mailer.master.plan import Plan

__all__ = ["KeyWatch"]

#: Seconds between two looks.
INTERVAL = 5.0

#: Chain files; pairs: kind of key, certificate file, key file.
_Keys = tuple[tuple[str, ...], tuple[tuple[str, str, str], ...]]


class KeyWatch:
    """:param reactor: IReactorTime. :param changed: called when keys have been replaced by others that are good."""

    def __init__(self, reactor: Any, log: Any, changed: Callable[[], None]) -> None:
        self._reactor = reactor
        self._log = log
        self._changed = changed
        self._keys: list[_Keys] = []
        self._seen: list[Any] = []
        self._known: list[Any] = []
        self._timer: Any = None

    def start(self, plan: Plan) -> None:
        """Watch the keys of a plan whose daemons have just read them."""
        self.stop()
        self._keys = list(dict.fromkeys(keys for keys in _keys_of(plan) if any(keys)))
        self._seen = self._known = self._look()
        if self._keys:
            self._timer = self._reactor.callLater(INTERVAL, self._tick)

    def stop(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _tick(self) -> None:
        self._timer = self._reactor.callLater(INTERVAL, self._tick)
        before, self._seen = self._seen, self._look()
        if self._seen != self._known and self._seen == before:
            self._known = self._seen
            if self._good():
                self._changed()

    def _look(self) -> list[Any]:
        looks: list[Any] = []
        for path in dict.fromkeys(path for keys in self._keys for path in _paths(keys)):
            try:
                status = os.stat(path)
            except OSError:
                looks.append(None)
            else:
                looks.append((status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns))
        return looks

    def _good(self) -> bool:
        # Imported when keys change, which is seldom; until then this process needs no TLS.
        from mailer.tls.certificates import BadCertificates, read_chain_files, read_pair

        try:
            for chain_files, pairs in self._keys:
                if chain_files:
                    read_chain_files(chain_files)
                for kind, certificate, key in () if chain_files else pairs:
                    read_pair(certificate, key, kind)
        except BadCertificates as error:
            for line in error.warnings:
                self._log.warning(line.removesuffix(": disabling TLS support"))
            self._log.warning("the TLS keys in use stay in use")
            return False
        return True


def _paths(keys: _Keys) -> Iterator[str]:
    chain_files, pairs = keys
    yield from chain_files or (path for _, *paths in pairs for path in paths)


def _keys_of(plan: Plan) -> Iterator[_Keys]:
    for listener in plan.listeners:
        for each in (listener, listener.behind):
            if each is not None:
                yield _server_keys(each.settings)
    for transport in plan.transports:
        if transport.service.command == "smtp":
            yield _smtp_keys(transport.settings)
        elif transport.service.command == "lmtp":
            yield _lmtp_keys(transport.settings)


def _pairs(*pairs: tuple[str, str, str]) -> tuple[tuple[str, str, str], ...]:
    return tuple(pair for pair in pairs if pair[1] and pair[1].lower() != "none")


def _server_keys(settings: Any) -> _Keys:
    return tuple(settings.smtpd_tls_chain_files), _pairs(
        ("RSA", settings.smtpd_tls_cert_file, settings.smtpd_tls_key_file),
        ("DSA", settings.smtpd_tls_dcert_file, settings.smtpd_tls_dkey_file),
        ("ECDSA", settings.smtpd_tls_eccert_file, settings.smtpd_tls_eckey_file),
    )


def _smtp_keys(settings: Any) -> _Keys:
    return tuple(settings.smtp_tls_chain_files), _pairs(
        ("RSA", settings.smtp_tls_cert_file, settings.smtp_tls_key_file),
        ("DSA", settings.smtp_tls_dcert_file, settings.smtp_tls_dkey_file),
        ("ECDSA", settings.smtp_tls_eccert_file, settings.smtp_tls_eckey_file),
    )


def _lmtp_keys(settings: Any) -> _Keys:
    return tuple(settings.lmtp_tls_chain_files), _pairs(
        ("RSA", settings.lmtp_tls_cert_file, settings.lmtp_tls_key_file),
        ("DSA", settings.lmtp_tls_dcert_file, settings.lmtp_tls_dkey_file),
        ("ECDSA", settings.lmtp_tls_eccert_file, settings.lmtp_tls_eckey_file),
    )
