"""The TLS of one SMTP server service: its level, its contexts, its certificates and their renewal.

postconf(5), smtpd_tls_*; TLS_README. What is said and logged in a session is for the session to know.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from OpenSSL import SSL

from mailer.message.tls import TlsSession
from mailer.tls.certificates import BadCertificates, KeyPair, install, read_chain_files, read_pair
from mailer.tls.contexts import CannotUseTls, new_context, note_verification, trust
from mailer.tls.description import Signatures, describe, digest_algorithm
from mailer.tls.files import WatchedFiles
from mailer.tls.layer import TlsLayer
from mailer.tls.loglevel import TlsLogging
from mailer.tls.servernames import ServerNames

__all__ = ["ServerTls"]

#: A session cannot be resumed within less, if at all.
_SHORTEST_CACHE = 120


class ServerTls:
    """``offered``: clients may use TLS; ``required``: they have to; ``wrapper``: from the first octet on. ``level`` is the
    effective smtpd_tls_security_level. ``requires_certificate`` says that a trusted client certificate is needed.

    :param sni: the tables of tls_server_sni_maps as one, or None.
    :param seconds: a clock that only goes forward.
    :param never: no TLS, whatever the settings say.
    """

    def __init__(self, settings: Any, log: Any, sni: Any, seconds: Callable[[], float], never: bool = False) -> None:
        self._settings = settings
        self._log = log
        self._sni = sni
        self._seconds = seconds
        self.wrapper: bool = settings.smtpd_tls_wrappermode and not never
        self.level = "none" if never else self._level()
        self.offered = self.level != "none"
        self.required = self.level == "encrypt"
        self.auth_only: bool = settings.smtpd_tls_auth_only or self.required
        self.timeout: float = settings.smtpd_starttls_timeout
        self.received_header: bool = settings.smtpd_tls_received_header
        self.asks_certificate: bool = settings.smtpd_tls_ask_ccert
        self.requires_certificate = False
        self.logging = TlsLogging(())
        self._context: SSL.Context | None = None
        self._names: ServerNames | None = None
        self._digest: Any = None
        self._signatures: Signatures = {}
        self._files: WatchedFiles | None = None
        if self.offered:
            self._start()

    def _level(self) -> str:
        settings = self._settings
        level: str = settings.smtpd_tls_security_level.lower()
        if level in ("verify", "secure", "fingerprint", "dane", "dane-only"):
            self._log.warning(f'smtpd_tls_security_level: unsupported TLS level "{level}", using "encrypt"')
            level = "encrypt"
        if not level:
            level = "encrypt" if settings.smtpd_enforce_tls else "may" if settings.smtpd_use_tls else "none"
        return "encrypt" if self.wrapper else level

    def _start(self) -> None:
        settings, log = self._settings, self._log
        try:
            self.logging = TlsLogging(settings.smtpd_tls_loglevel)
        except ValueError as error:
            log.warning(f'smtpd_tls_loglevel: unknown TLS logging level "{error}"')
        if self.logging.trace:
            log.info("initializing the server-side TLS engine")
        if settings.smtpd_tls_req_ccert:
            if self.required:
                self.asks_certificate = self.requires_certificate = True
            else:
                log.warning("Can't require client certs unless TLS is required")
        self._files = WatchedFiles(self._paths(), self._seconds)
        try:
            self._context = self._build()
        except CannotUseTls as error:
            for severity, text in error.lines:
                getattr(log, severity)(text)

    def _paths(self) -> list[str]:
        settings = self._settings
        if settings.smtpd_tls_chain_files:
            return list(settings.smtpd_tls_chain_files)
        return [path for _, *files in self._pair_files() for path in files]

    def _pair_files(self) -> list[tuple[str, str, str]]:
        """Kind of key, certificate file, key file."""
        settings = self._settings
        files = (
            ("RSA", settings.smtpd_tls_cert_file, settings.smtpd_tls_key_file),
            ("DSA", settings.smtpd_tls_dcert_file, settings.smtpd_tls_dkey_file),
            ("ECDSA", settings.smtpd_tls_eccert_file, settings.smtpd_tls_eckey_file),
        )
        return [each for each in files if each[1] and each[1].lower() != "none"]

    def _pairs(self) -> list[KeyPair]:
        """:raise BadCertificates, CannotUseTls:"""
        settings = self._settings
        if settings.smtpd_tls_chain_files:
            return read_chain_files(settings.smtpd_tls_chain_files)
        files = self._pair_files()
        if not files and settings.smtpd_tls_cert_file.lower() != "none" and not self._sni:
            lines = [("warning", "No server certs available. TLS won't be enabled")]
            if self.asks_certificate:
                lines.insert(0, ("warning", "Need a server cert to request client certs"))
            raise CannotUseTls(*lines)
        return [read_pair(certificate, key, kind) for kind, certificate, key in files]

    def _build(self) -> SSL.Context:
        """:raise CannotUseTls:"""
        settings = self._settings
        self._digest = digest_algorithm(settings.smtpd_tls_fingerprint_digest)
        if self._digest is None:
            raise CannotUseTls(
                ("warning", f'Digest algorithm "{settings.smtpd_tls_fingerprint_digest}" not found'),
                ("warning", "disabling TLS support"),
            )
        try:
            pairs = self._pairs()
            context = self._context_with(pairs)
        except BadCertificates as error:
            raise CannotUseTls(*(("warning", line) for line in error.warnings)) from None
        if self._sni:
            self._names = ServerNames(self._sni, self._context_with, self._log)
            context.set_tlsext_servername_callback(self._names.chosen)
        return context

    def _context_with(self, pairs: list[KeyPair]) -> SSL.Context:
        """:raise BadCertificates, CannotUseTls:"""
        settings = self._settings
        excluded = list(settings.smtpd_tls_exclude_ciphers)
        if self.required:
            protocols, grade = settings.smtpd_tls_mandatory_protocols, settings.smtpd_tls_mandatory_ciphers
            excluded += settings.smtpd_tls_mandatory_exclude_ciphers
        else:
            protocols, grade = settings.smtpd_tls_protocols, settings.smtpd_tls_ciphers
        if self.asks_certificate:
            excluded.append("aNULL")
        context = new_context(settings, protocols, grade, excluded)
        if settings.tls_preempt_cipherlist:
            context.set_options(SSL.OP_CIPHER_SERVER_PREFERENCE)
        self._set_resumption(context)
        trust(context, settings.smtpd_tls_CAfile, settings.smtpd_tls_CApath, settings.tls_append_default_CA)
        if self.asks_certificate:
            context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_CLIENT_ONCE, note_verification)
            context.set_verify_depth(settings.smtpd_tls_ccert_verifydepth)
            if settings.smtpd_tls_CAfile:
                context.load_client_ca(settings.smtpd_tls_CAfile.encode())
        self._load_dh(context)
        if self.logging.trace:
            context.set_info_callback(self._trace)
        install(context, pairs)
        return context

    def _set_resumption(self, context: SSL.Context) -> None:
        """Sessions are resumed by tickets, or from OpenSSL's memory by clients without them if there shall be a cache; not
        where client certificates are asked for, which would go unverified."""
        settings = self._settings
        lifetime = settings.smtpd_tls_session_cache_timeout
        resumable = lifetime > 0 and not self.asks_certificate
        cached = resumable and bool(settings.smtpd_tls_session_cache_database)
        context.set_session_cache_mode(SSL.SESS_CACHE_SERVER if cached else SSL.SESS_CACHE_OFF)
        if not resumable or not settings.tls_session_ticket_cipher:
            context.set_options(SSL.OP_NO_TICKET)
        if resumable:
            context.set_session_id(b"smtpd")
            context.set_timeout(int(max(lifetime, _SHORTEST_CACHE)))

    def _load_dh(self, context: SSL.Context) -> None:
        path = self._settings.smtpd_tls_dh1024_param_file
        if path and path not in ("auto", "none"):
            try:
                context.load_tmp_dh(path)
            except (SSL.Error, OSError) as error:
                self._log.warning(f"cannot load DH parameters from {path}: {error}: using built-in ones")

    def _trace(self, connection: Any, where: int, result: int) -> None:
        if where & SSL.SSL_CB_LOOP:
            self._log.info(f"SSL_accept:{connection.get_state_string().decode('ascii', 'replace')}")
        elif where & SSL.SSL_CB_ALERT and result & 255:  # 0 is how connections end
            way, weight = "read" if where & SSL.SSL_CB_READ else "write", "fatal" if result >> 8 == 2 else "warning"
            self._log.info(f"SSL3 alert {way}:{weight}:{result & 255}")

    def layer(self, client: str) -> TlsLayer | None:
        """For a new connection; None: TLS is not available, the log says why.

        :param client: ``name[address]``, for the log.
        """
        self._renew()
        if self._context is None:
            return None
        layer = TlsLayer(self._context, server=True)
        layer.connection.get_app_data()["client"] = client
        return layer

    def _renew(self) -> None:
        """Use new certificates; keep the old ones if the new ones are of no use."""
        if self._files is None or not self._files.changed():
            return
        self._signatures.clear()
        try:
            self._context = self._build()
        except CannotUseTls as error:
            for _, text in error.lines:
                self._log.warning(text.removesuffix(": disabling TLS support"))
            if self._context is not None:
                self._log.warning("the server's certificates in use stay in use")
        else:
            self._log.info("the server's certificates were read anew")

    def describe(self, layer: TlsLayer) -> TlsSession:
        """Of an established layer."""
        return describe(layer.connection, True, self.asks_certificate, self._digest, self._signatures)
