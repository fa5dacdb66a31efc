"""Maps, masquerading, and whose addresses are ours, beyond what the recorded vectors ask."""

import pytest
from clean_vector import context

from mailer.addressing.masquerade import Masquerade
from mailer.addressing.rewriting import Completion
from mailer.addressing.service import Addressing, origin
from mailer.config.errors import ConfigError
from mailer.message.status import TemporaryError
from mailer.testing.tables import answer


def addressing(settings="", **more):
    return Addressing(context(settings, **more))


def test_generic_maps_are_asked_once():
    service = addressing(
        "recipient_delimiter = +\nsmtp_generic_maps = inline:{a@in.example=b@out.example, b@out.example=c@x.example, "
        "@dom.example=@out.example}\npropagate_unmatched_extensions = generic\n"
    )
    maps = service.mapper.open(service.context.settings.smtp_generic_maps, "smtp_generic_maps")
    assert answer(service.mapper.generic(maps, "a@in.example")) == "b@out.example"
    assert answer(service.mapper.generic(maps, "a+x@in.example")) == "b+x@out.example"
    assert answer(service.mapper.generic(maps, "z+y@dom.example")) == "z+y@out.example"
    assert answer(service.mapper.generic(maps, "other@in.example")) == "other@in.example"


def test_expansion_without_tables_is_the_address():
    assert answer(addressing().expand("a@b.example")) == ["a@b.example"]


def test_an_expansion_without_end_is_temporary_and_logged():
    service = addressing("virtual_alias_maps = inline:{ { a@x.example=b@x.example } { b@x.example=a@x.example } }\n")
    with pytest.raises(TemporaryError) as caught:
        answer(service.expand("a@x.example"))
    assert str(caught.value.reply) == "451 4.6.0 Alias expansion error"
    assert service.context.log.lines == [
        "warning unreasonable virtual_alias_maps map nesting for a@x.example -- message not accepted, try again later"
    ]


def test_a_bomb_of_aliases_is_bounded():
    rows = " ".join(f"{{ a{n}@x.example=a{n + 1}@x.example, b{n}@x.example }}" for n in range(3000))
    service = addressing(f"virtual_alias_maps = inline:{{ {rows} }}\n")
    with pytest.raises(TemporaryError):
        answer(service.expand("a0@x.example"))


def test_a_long_list_is_read_to_its_end():
    members = [f"user{number}@x.example" for number in range(5000)]
    table = f"inline:{{ {{ all@x.example={','.join(members)} }} }}"
    settings = f"virtual_alias_expansion_limit = 10000\nvirtual_alias_maps = {table}\n"
    assert answer(addressing(settings).expand("all@x.example")) == members


def test_masquerading():
    masquerade = Masquerade(["!keep.a.example", "A.example"], ["root"])
    assert masquerade.apply("u@h.a.example") == "u@a.example"
    assert masquerade.apply("u@A.EXAMPLE") == "u@A.EXAMPLE"
    assert masquerade.apply("u@x.keep.a.example") == "u@x.keep.a.example"
    assert masquerade.apply("Root@h.a.example") == "Root@h.a.example"
    assert masquerade.apply("u@notA.example") == "u@notA.example"
    assert masquerade.apply("u") == "u"
    assert not Masquerade([], ["root"])


def test_completion_knows_complete_addresses_at_a_glance():
    completion = Completion("origin.example", "domain.example", True, True)
    address = "user%x@host.example"
    assert completion.rewrite(address) is address
    assert completion.rewrite("user%host") == "user@host.domain.example"
    assert completion.rewrite("") == ""


@pytest.mark.parametrize(
    "settings, domain, ours",
    [
        ("", "[127.0.0.1]", True),
        ("", "[192.0.2.1]", False),
        ("", "127.0.0.1", False),
        ("", "[IPv6:::1]", False),
        ("proxy_interfaces = 192.0.2.1, 2001:db8::1\n", "[192.0.2.1]", True),
        ("proxy_interfaces = 192.0.2.1, 2001:db8::1\n", "[IPv6:2001:DB8:0::1]", True),
        ("proxy_interfaces = 192.0.2.1, 2001:db8::1\n", "[IPv6:nonsense]", False),
        ("mydestination = [192.0.2.9]\n", "[192.0.2.9]", True),
        ("mydestination =\n", "localhost", False),
        ("", "LOCALHOST", True),
    ],
)
def test_domains_of_ours(settings, domain, ours):
    assert (answer(addressing(settings).address_class(domain)) == "local") is ours


def test_origin_from_a_file(tmp_path):
    (tmp_path / "name").write_text("origin.example\nmore\n")
    service = addressing("myorigin = TABLES/name\n", directory=tmp_path)
    assert answer(service.rewrite("user", "local")) == "user@origin.example"


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_no_origin_in_the_file(tmp_path, content):
    if content is not None:
        (tmp_path / "name").write_text(content)
    with pytest.raises(ConfigError):
        origin(context("myorigin = TABLES/name\n", tmp_path).settings)


def test_bare_names_in_tables_stand_for_users_at_the_origin_too():
    service = addressing("myorigin = origin.example\nmydestination =\nvirtual_alias_maps = inline:{user=x@y.example}\n")
    assert answer(service.expand("user@origin.example")) == ["x@y.example"]
    assert answer(service.expand("user@other.example")) == ["user@other.example"]
