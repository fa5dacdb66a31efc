"""The declarations of all main.cf parameters: complete, well formed, and the reference's defaults."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter

import pytest

from mailer.config.declaration import Kind, Parameter
from mailer.config.expand import expand
from mailer.config.parameters import PARAMETERS, join
from mailer.config.values import convert

_ALL = list(PARAMETERS.values())
_TEXT = {Kind.STRING, Kind.RAW, Kind.LIST, Kind.TABLES}

_BY_AREA = {
    "address-classes-routing": 15,
    "address-rewriting": 26,
    "address-verify": 21,
    "basic": 11,
    "bcc": 4,
    "bounce-dsn": 22,
    "connection-cache": 9,
    "content-checks": 9,
    "content-filter": 3,
    "lmtp-client": 115,
    "local-delivery": 36,
    "logging-debug": 23,
    "lookup-tables": 18,
    "milter": 21,
    "mailer": 10,
    "mime-headers": 21,
    "multi-instance": 8,
    "paths-install": 18,
    "postscreen": 80,
    "process-control": 27,
    "qmqp": 3,
    "queue-scheduler": 62,
    "rate-limits": 23,
    "requiretls": 5,
    "smtp-client": 56,
    "smtp-sasl": 15,
    "smtp-tls": 44,
    "smtpd-access": 39,
    "smtpd-policy": 8,
    "smtpd-protocol": 12,
    "smtpd-proxy": 6,
    "smtpd-replies": 31,
    "smtpd-sasl": 15,
    "smtpd-tls": 39,
    "smtputf8": 5,
    "submission-cleanup": 5,
    "tls-common": 31,
    "tlsproxy": 51,
    "tlsrpt-sts": 4,
    "verp": 2,
    "virtual-alias": 6,
    "virtual-mailbox": 9,
}

# Parameters whose default in release 3.7 differs, by the reason why ours is another.
_CHANGED_SINCE = {
    # 3.9 turned the defences against SMTP smuggling on.
    "smtpd_forbid_bare_newline",
    "smtpd_forbid_unauth_pipelining",
    # A Milter that fails ends the session, TLS is used by default, caches share one type, one more variable and
    # many more tables may be passed on.
    "milter_default_action",
    "smtp_tls_security_level",
    "smtp_tls_dane_insecure_mx_policy",
    "address_verify_map",
    "postscreen_cache_map",
    "import_environment",
    "proxy_read_maps",
    # Weak ciphers went, and OpenSSL 3.5 chooses the groups.
    "tls_export_cipherlist",
    "tls_low_cipherlist",
    "tls_medium_cipherlist",
    "tls_high_cipherlist",
    "tls_null_cipherlist",
    "tls_eecdh_auto_curves",
    # Aliases follow default_database_type.
    "alias_database",
    "alias_maps",
    # The same meaning, written in the newer syntax.
    "tlsproxy_client_policy_maps",
    "tlsproxy_client_security_level",
    "mail_release_date",
    "mail_version",
}
_COMPUTED = {"mydomain", "myhostname", "mynetworks", "process_id", "process_name"}
_CHOSEN_BY_PACKAGERS = {
    "config_directory",
    "daemon_directory",
    "default_database_type",
    "html_directory",
    "mail_spool_directory",
    "mailbox_delivery_lock",
    "mailq_path",
    "manpage_directory",
    "meta_directory",
    "newaliases_path",
    "readme_directory",
    "sample_directory",
    "sendmail_path",
    "shlib_directory",
    "tls_random_source",
}


def _ids(parameter: Parameter) -> str:
    return parameter.name


def test_every_parameter_is_declared_once() -> None:
    assert len(PARAMETERS) == sum(_BY_AREA.values()) == 968
    assert Counter(parameter.area for parameter in _ALL) == _BY_AREA
    assert list(PARAMETERS) == sorted(PARAMETERS)
    assert all(name == parameter.name for name, parameter in PARAMETERS.items())


def test_a_second_declaration_is_an_error() -> None:
    one = PARAMETERS["myorigin"]
    with pytest.raises(ValueError, match="declared twice: myorigin"):
        join([[one], [PARAMETERS["relayhost"], one]])


def test_the_mapping_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        PARAMETERS["myorigin"] = PARAMETERS["relayhost"]  # type: ignore[index]


def test_each_summary_is_one_distinct_sentence() -> None:
    bad = [
        parameter.name
        for parameter in _ALL
        if not re.fullmatch(r"(?!.*\. )(?!.*\.\.)[A-Z2<][^\n]{18,158}\.", parameter.summary)
    ]
    assert bad == []
    assert [text for text, times in Counter(parameter.summary for parameter in _ALL).items() if times > 1] == []


def _without_references(parameter: Parameter) -> bool:
    return "$" not in parameter.default


@pytest.mark.parametrize("parameter", [p for p in _ALL if p.kind is Kind.BOOLEAN and _without_references(p)], ids=_ids)
def test_boolean_default(parameter: Parameter) -> None:
    assert parameter.default in ("yes", "no")


@pytest.mark.parametrize("parameter", [p for p in _ALL if p.kind is Kind.INTEGER and _without_references(p)], ids=_ids)
def test_integer_default(parameter: Parameter) -> None:
    value = int(parameter.default)
    assert parameter.minimum is None or value >= parameter.minimum
    assert not parameter.maximum or value <= parameter.maximum


@pytest.mark.parametrize("parameter", [p for p in _ALL if p.kind is Kind.TIME and _without_references(p)], ids=_ids)
def test_time_default(parameter: Parameter) -> None:
    found = re.fullmatch(r"(\d+)([smhdw])", parameter.default)
    assert found, parameter.default
    assert found[2] == parameter.unit, "bare numbers count in the unit in which the default is written"
    seconds = int(found[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}[found[2]]
    assert parameter.minimum is None or seconds >= parameter.minimum
    assert not parameter.maximum or seconds <= parameter.maximum


@pytest.mark.parametrize("parameter", [p for p in _ALL if p.kind is Kind.CHOICE], ids=_ids)
def test_choice_default(parameter: Parameter) -> None:
    assert len(parameter.choices) == len(set(parameter.choices)) > 1
    if _without_references(parameter):
        assert parameter.default in parameter.choices


@pytest.mark.parametrize(
    "parameter", [p for p in _ALL if p.kind is Kind.TABLES and p.default and "?" not in p.default], ids=_ids
)
def test_tables_default(parameter: Parameter) -> None:
    for item in re.split(r"[\s,]+", parameter.default):
        assert re.fullmatch(r"[\w$]+(:\S+)?", item), item
        assert item.startswith("$") or ":" in item, item


@pytest.mark.parametrize("parameter", [p for p in _ALL if p.kind in _TEXT], ids=_ids)
def test_text_default(parameter: Parameter) -> None:
    assert parameter.default == parameter.default.strip()
    assert "\n" not in parameter.default
    if parameter.minimum is not None:
        assert len(parameter.default) >= parameter.minimum
    if parameter.maximum:
        assert len(parameter.default) <= parameter.maximum
    if parameter.name != "smtpd_expansion_filter":
        assert parameter.default.count("{") == parameter.default.count("}")


def test_only_fitting_fields_are_used() -> None:
    for parameter in _ALL:
        assert parameter.unit == "s" or parameter.kind is Kind.TIME, parameter.name
        assert bool(parameter.choices) == (parameter.kind is Kind.CHOICE), parameter.name
        if parameter.kind in (Kind.BOOLEAN, Kind.CHOICE):
            assert (parameter.minimum, parameter.maximum) == (None, 0), parameter.name
        assert parameter.minimum is None or parameter.minimum > 0, parameter.name
        assert not parameter.maximum or parameter.maximum >= (parameter.minimum or 0), parameter.name


def test_defaults_refer_to_declared_parameters_only() -> None:
    unknown = {
        (parameter.name, name)
        for parameter in _ALL
        if parameter.kind is not Kind.RAW
        for name in re.findall(r"\$\{?(\w+)", parameter.default)
        if name not in PARAMETERS
    }
    assert unknown == set()


def test_default_references_have_no_loops() -> None:
    graph = {p.name: set(re.findall(r"\$\{?(\w+)", p.default)) & set(PARAMETERS) for p in _ALL}

    def walk(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, (*path, name)
        for other in graph[name]:
            walk(other, (*path, name))

    for name in graph:
        walk(name, ())


@pytest.mark.parametrize("level", ["0", "1", "2", "3.6", "3.11"])
@pytest.mark.parametrize("stress", ["", "yes"])
def test_every_default_expands_to_a_value_of_its_kind(level: str, stress: str) -> None:
    given = {"compatibility_level": level, "stress": stress, "myhostname": "mx.example.com", "mydomain": "example.com"}

    def text(name: str) -> str:
        # The function call is not an expansion of names; its argument is ASCII already.
        return given.get(name, PARAMETERS[name].default).replace("${domain_to_ascii{$mydomain}}", "$mydomain")

    for parameter in _ALL:
        if parameter.kind is Kind.RAW:
            continue
        value = expand(text(parameter.name), text)
        convert(parameter, value)
        if parameter.kind in _TEXT:
            assert len(value) >= (parameter.minimum or 0), parameter.name


def test_defaults_follow_the_compatibility_level() -> None:
    def value(name: str, level: str) -> str:
        return expand(PARAMETERS[name].default, {"compatibility_level": level}.get)

    assert [value("smtpd_relay_restrictions", level) for level in ("0", "1")] == [
        "",
        "permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination",
    ]
    assert [value("mynetworks_style", level) for level in ("1", "2")] == ["subnet", "host"]
    assert [value("smtputf8_enable", level) for level in ("0", "3.6")] == ["no", "yes"]
    assert [value("smtp_tls_security_level", level) for level in ("3.10", "3.11")] == ["", "may"]


def test_renamed_parameters_default_to_nothing() -> None:
    # Their successors take them only when they are set, which an own default would pretend.
    for parameter in _ALL:
        if parameter.summary.startswith("Former name of") and "still used as its default" in parameter.summary:
            assert parameter.deprecated, parameter.name
            assert parameter.default == "", parameter.name
            assert any(re.search(rf"\$\{{?{parameter.name}\b", other.default) for other in _ALL), parameter.name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("delay_warning_time", "h"),
        ("maximal_queue_lifetime", "d"),
        ("bounce_queue_lifetime", "d"),
        ("address_verify_negative_refresh_time", "h"),
        ("smtp_sasl_auth_cache_time", "d"),
        ("postscreen_dnsbl_max_ttl", "h"),
        ("smtpd_timeout", "s"),
        ("smtp_helo_timeout", "s"),
    ],
)
def test_unit_of_bare_numbers(name: str, value: str) -> None:
    assert PARAMETERS[name].unit == value


@pytest.mark.parametrize(
    "name",
    [
        "command_execution_directory",
        "default_rbl_reply",
        "forward_path",
        "luser_relay",
        "mailbox_command",
        "postscreen_expansion_filter",
        "postscreen_reject_footer",
        "smtpd_expansion_filter",
        "smtpd_reject_footer",
    ],
)
def test_text_that_is_expanded_later(name: str) -> None:
    assert PARAMETERS[name].kind is Kind.RAW


def _installed_defaults() -> dict[str, str]:
    command = shutil.which("postconf", path="/usr/sbin")
    if command is None:
        pytest.skip("postconf is not installed")
    listing = subprocess.run([command, "-d"], check=True, capture_output=True, text=True, timeout=30).stdout
    pairs = (line.partition(" =") for line in listing.splitlines())
    defaults = {name: value.strip() for name, _, value in pairs}
    if not defaults["mail_version"].startswith("3.7."):
        pytest.skip("the exceptions are written for release 3.7")
    return defaults


def test_defaults_are_those_of_the_installed_release() -> None:
    installed = _installed_defaults()
    differing = {name for name, p in PARAMETERS.items() if name in installed and installed[name] != p.default}
    assert differing - _CHANGED_SINCE - _COMPUTED - _CHOSEN_BY_PACKAGERS == set()
    assert differing >= _CHANGED_SINCE


def test_no_parameter_of_the_installed_release_is_missing() -> None:
    by_transport = tuple(name.removeprefix("transport") for name in PARAMETERS if name.startswith("transport_"))
    missing = [name for name in _installed_defaults() if name not in PARAMETERS and not name.endswith(by_transport)]
    assert missing == []
