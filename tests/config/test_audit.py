"""The list of supported parameters is what the source reads."""

import pytest

from mailer.config import audit
from mailer.config.supported import SUPPORTED


def test_supported_is_up_to_date():
    assert audit.supported_names() == SUPPORTED, "run: python -m mailer.config.audit --write"


@pytest.fixture
def source(tmp_path):
    def reads(text):
        (tmp_path / "module.py").write_text(text)
        return audit.supported_names(tmp_path)

    return reads


def test_what_counts_as_a_read(source):
    assert source("x = settings.biff\n") == {"biff"}
    assert source("x = self.settings.biff or self._smtp_settings.soft_bounce\n") == {"biff", "soft_bounce"}
    assert source("x = settings.text('biff'), settings.value('2bounce_notice_recipient')\n") == {
        "biff",
        "2bounce_notice_recipient",
    }
    assert source("x = settings.transport(name, 'extra_recipient_limit')\n") == {
        "transport_extra_recipient_limit",
        "default_extra_recipient_limit",
    }
    assert source("x = other.biff, settings.not_a_parameter, settings.text(biff)\n") == set()
    assert source("def one(title): return settings.value(title)\nx = one('soft_bounce')\n") == {"soft_bounce"}


def test_rendering_is_stable():
    module = '"""Text."""\n\nSUPPORTED = frozenset(())\n'
    once = audit.render(frozenset({"b", "a"}), module)
    assert once == '"""Text."""\n\nSUPPORTED = frozenset(\n    (\n        "a",\n        "b",\n    )\n)\n'
    assert audit.render(frozenset({"b", "a"}), once) == once
    assert audit.render(frozenset(), once) == module
