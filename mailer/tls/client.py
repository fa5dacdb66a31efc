"""The TLS of one SMTP or LMTP client service: contexts by policy, and the verdict on a server's certificate.

postconf(5), smtp_tls_*; TLS_README. Which policy applies to whom is for others to say, and what to do about a verdict.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from cryptography import x509
from OpenSSL import SSL, crypto

from mailer.message.tls import TlsSession
from mailer.tls.certificates import BadCertificates, KeyPair, install, read_chain_files, read_pair
from mailer.tls.contexts import CannotUseTls, new_context, note_verification, trust
from mailer.tls.dane import ANCHOR, Association, Digests, matched_by
from mailer.tls.description import Signatures, describe, digest_algorithm
from mailer.tls.files import WatchedFiles
from mailer.tls.layer import TlsLayer
from mailer.tls.levels import matches_names
from mailer.tls.loglevel import TlsLogging
from mailer.tls.names import certificate_names, matches_name, wanted_names
from mailer.tls.native import resumed
from mailer.tls.policy import TlsPolicy
from mailer.tls.sessions import Sessions

__all__ = ["ClientTls", "ClientTlsParameters", "read_anchors"]

_MOST_CONTEXTS = 200
_PARTIAL_CHAIN = 0x80000
_ANCHORED = ("hostname", "nexthop")  # names that a certificate below a trust anchor of TLSA records may have


@dataclass(frozen=True)
class ClientTlsParameters:
    """``smtp_tls_...`` or ``lmtp_tls_...`` under one name, those that contexts are made of. ``pairs`` are kind of key,
    certificate file and key file. ``session_lifetime`` is 0 if sessions are not resumed; ``cache`` is their cache in the log."""

    ca_file: str = ""
    ca_path: str = ""
    chain_files: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str, str], ...] = ()
    digest: str = "sha256"
    loglevel: tuple[str, ...] = ()
    depth: int = 9
    session_lifetime: float = 0.0
    cache: str = "smtp"


class ClientTls:
    """``available`` is False if something in main.cf stands in the way of TLS; the log says what.

    :param settings: for those parameters that servers and clients share.
    :param seconds: a clock that only goes forward.
    :param digests: those of TLSA records.
    """

    def __init__(
        self,
        parameters: ClientTlsParameters,
        settings: Any,
        log: Any,
        seconds: Callable[[], float],
        digests: Digests | None = None,
    ) -> None:
        self._parameters = parameters
        self._settings = settings
        self._log = log
        self._contexts: dict[TlsPolicy, SSL.Context] = {}
        self._pairs: list[KeyPair] = []
        self._digests = digests or Digests()
        self._sessions = Sessions(seconds, parameters.session_lifetime)
        self._signatures: Signatures = {}
        self._many_labels: bool = settings.tls_wildcard_matches_multiple_labels
        self.logging = TlsLogging(())
        try:
            self.logging = TlsLogging(parameters.loglevel)
        except ValueError as error:
            log.warning(f'unknown TLS logging level "{error}"')
        if self.logging.trace:
            log.info("initializing the client-side TLS engine")
        self._digest: Any = digest_algorithm(parameters.digest)
        files = parameters.chain_files or [path for _, *paths in parameters.pairs for path in paths]
        self._files = WatchedFiles(files, seconds)
        self.available = self._prepared()

    def _prepared(self) -> bool:
        try:
            self._prepare()
        except CannotUseTls as error:
            for severity, text in error.lines:
                getattr(self._log, severity)(text)
            return False
        return True

    def _prepare(self) -> None:
        """Read what all contexts share. :raise CannotUseTls:"""
        parameters = self._parameters
        if self._digest is None:
            raise CannotUseTls(
                ("warning", f'Digest algorithm "{parameters.digest}" not found'), ("warning", "disabling TLS support")
            )
        trust(SSL.Context(SSL.TLS_METHOD), parameters.ca_file, parameters.ca_path, False)
        try:
            if parameters.chain_files:
                self._pairs = read_chain_files(parameters.chain_files)
            else:
                self._pairs = [
                    read_pair(certificate, key, kind) for kind, certificate, key in parameters.pairs if certificate
                ]
        except BadCertificates as error:
            raise CannotUseTls(*(("warning", line) for line in error.warnings)) from None

    def layer(self, policy: TlsPolicy, server_name: str, relay: str, peer: tuple[str, ...] = ()) -> TlsLayer:
        """For a new connection, which may resume an earlier session.

        :param server_name: sent as SNI, "" for none. :param relay: ``host[address]:port``, for the log.
        :param peer: what connections that may resume each other's sessions have in common, beside policy and name.
        :raise CannotUseTls: the policy asks for protocols or ciphers that do not exist.
        """
        if self._files.changed() and self._prepared():  # else the certificates in use stay in use
            self._contexts.clear()
            self._signatures.clear()
            self._sessions.clear()
        key = TlsPolicy(
            "secure" if policy.trust_anchors else "", policy.protocols, policy.grade, policy.excluded, (), policy.trust_anchors
        )  # fmt: skip
        context = self._contexts.get(key)
        if context is None:
            try:
                context = self._build(policy)
            except CannotUseTls as error:
                lines = ((severity, f"{relay}: {text}") for severity, text in error.lines)
                raise CannotUseTls(*lines) from None
            if len(self._contexts) >= _MOST_CONTEXTS:
                self._contexts.clear()
            self._contexts[key] = context
        layer = TlsLayer(context, False, server_name)
        if peer and self._sessions.enabled:
            self._resume(layer, "&".join((*peer, _digest((policy, server_name)))))
        return layer

    def _resume(self, layer: TlsLayer, key: str) -> None:
        self._trace(f"looking for session {key} in {self._parameters.cache} cache")
        known = layer.connection.get_app_data()
        known["key"] = key
        found = self._sessions.find(key)
        if found is not None:
            session, known["remembered"] = found
            layer.connection.set_session(session)
            self._trace(f"reloaded session {key} from {self._parameters.cache} cache")

    def _trace(self, text: str) -> None:
        if self.logging.trace:
            self._log.info(text)

    def keep(self, layer: TlsLayer) -> None:
        """Remember the session of a connection, once the server has said something under it: before that there is nothing
        in TLSv1.3 to be resumed."""
        known = layer.connection.get_app_data()
        key = known.get("key")
        if (
            key
            and not resumed(layer.connection)
            and self._sessions.save(key, layer.connection, known.get("problem", ""))
        ):
            self._trace(f"save session {key} to {self._parameters.cache} cache")

    def _build(self, policy: TlsPolicy) -> SSL.Context:
        parameters, settings = self._parameters, self._settings
        context = new_context(settings, policy.protocols, policy.grade, policy.excluded, ": aborting TLS session")
        if policy.trust_anchors:
            store: Any = context.get_cert_store()
            for path in policy.trust_anchors:
                for certificate in read_anchors(path):
                    store.add_cert(crypto.X509.from_cryptography(certificate))
            store.set_flags(_PARTIAL_CHAIN)
        else:
            trust(context, parameters.ca_file, parameters.ca_path, settings.tls_append_default_CA)
        context.set_verify(SSL.VERIFY_PEER, note_verification)
        context.set_verify_depth(parameters.depth)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        if self.logging.trace or self._pairs:
            context.set_info_callback(self._watch)
        try:
            install(context, self._pairs)
        except BadCertificates as error:
            raise CannotUseTls(*(("warning", line) for line in error.warnings)) from None
        return context

    def _watch(self, connection: Any, where: int, result: int) -> None:
        """Each step of a handshake. Nothing else tells whether the server has asked for a certificate."""
        if where & SSL.SSL_CB_LOOP:
            step = connection.get_state_string().decode("ascii", "replace")
            if "certificate request" in step:
                connection.get_app_data()["asked"] = True
            if self.logging.trace:
                self._log.info(f"SSL_connect:{step}")

    def describe(self, layer: TlsLayer, policy: TlsPolicy, nexthop: str, host: str, relay: str) -> TlsSession:
        """An established layer, with the verdict on the server: ``matched``, or ``problem`` says why not.

        :param relay: as for ``layer``.
        """
        session = describe(
            layer.connection, False, "asked" in layer.connection.get_app_data(), self._digest, self._signatures
        )
        if session.resumed:
            self._trace(f"{relay}: Reusing old session")
        if policy.level == "fingerprint":
            known = session.fingerprint in policy.match or session.pubkey_fingerprint in policy.match
            # The certificate itself is expected, whoever signed it.
            return replace(
                session, trusted=known, matched=known, problem="" if known else "num=65:no matching DANE TLSA records"
            )
        if policy.associations:
            return self._by_records(session, layer, policy, wanted_names(_ANCHORED, nexthop, host), relay)
        if not matches_names(policy.level) or not session.trusted:
            return session
        certificate = layer.connection.get_peer_certificate().to_cryptography()
        if self._is_for(certificate, wanted_names(policy.match, nexthop, host)):
            return replace(session, matched=True)
        return replace(session, trusted=False, problem="num=62:hostname mismatch")

    def _is_for(self, certificate: x509.Certificate, wanted: list[str]) -> bool:
        return matches_name(certificate_names(certificate), wanted, self._many_labels)

    def _by_records(
        self, session: TlsSession, layer: TlsLayer, policy: TlsPolicy, wanted: list[str], relay: str
    ) -> TlsSession:
        """The verdict of TLSA records (RFC 7672, 3.1 and 3.2); whatever else is known of the certificate does not count."""
        chain = layer.connection.get_peer_cert_chain(as_cryptography=True) or []
        found = matched_by(chain, policy.associations, self._digests)
        if found is None:
            anchored = any(association.usage == ANCHOR for association in policy.associations)
            mismatch = bool(chain) and anchored and not self._is_for(chain[0], wanted)
            problem = "num=62:hostname mismatch" if mismatch else "num=65:no matching DANE TLSA records"
            return replace(session, trusted=False, matched=False, problem=problem)
        association, depth = found
        if association.usage == ANCHOR and not self._is_for(chain[0], wanted):
            return replace(session, trusted=False, matched=False, problem="num=62:hostname mismatch")
        if self.logging.peer:
            self._log.info(f"{relay}: {_matched(association, depth)}")
        return replace(session, trusted=True, matched=not policy.insecure_mx, problem="")


def _digest(what: Any) -> str:
    return hashlib.sha256(repr(what).encode("utf-8", "surrogateescape")).hexdigest().upper()


def _matched(association: Association, depth: int) -> str:
    """Which record vouches for the server, in words."""
    what = "TA certificate" if association.usage == ANCHOR else "EE certificate"
    return f"Matched DANE {what} at depth {depth}: {association}"


def read_anchors(path: str) -> list[x509.Certificate]:
    """The certificates of a trust anchor file. :raise CannotUseTls:"""
    try:
        with open(path, "rb") as file:
            return x509.load_pem_x509_certificates(file.read())
    except OSError as error:
        raise CannotUseTls(("warning", f"error opening trust anchor file: {path}: {error.strerror}")) from None
    except ValueError:
        raise CannotUseTls(("warning", f"error reading trust anchor file: {path}")) from None
