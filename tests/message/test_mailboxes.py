"""Address lists: what is found in them, and how they are written back."""

from hypothesis import given
from hypothesis import strategies as st

from mailer.message.mailboxes import fold, parse


def found(text, limit=10240):
    return [address.internal for address in parse(text, limit).addresses]


def test_addresses_in_all_their_forms():
    assert found('a@b, "C D" <e@f> (g), h: i@j, <k@l>;, "m n"@o') == ["a@b", "e@f", "i@j", "k@l", "m n@o"]


def test_what_is_no_address():
    assert found("undisclosed-recipients:;") == []
    assert found("(only a comment)") == []
    assert found("") == []


def test_words_side_by_side_are_addresses_each():
    assert found("John Q. Public") == ["John", "Q.Public"]


def test_a_phrase_is_none():
    assert found("John Q. Public <jqp@x>") == ["jqp@x"]


def test_a_route_is_part_of_its_address():
    assert found("<@a,@b:c@d>") == ["@a, @b:c@d"]


def test_quotes_are_remembered():
    quoted, plain = parse('"a@b", a@b').addresses
    assert (quoted.internal, quoted.quoted, quoted.qualified) == ("a@b", True, False)
    assert (plain.internal, plain.quoted, plain.qualified) == ("a@b", False, True)


def test_an_address_that_changes_gets_the_quotes_it_needs():
    addresses = parse("a@b (see), c")
    addresses.addresses[0].internal = "x y@z"
    assert addresses.changed
    assert addresses.text() == '"x y"@z (see),\nc'


def test_nothing_changes_by_itself():
    addresses = parse('"a"@b')
    addresses.addresses[0].internal = "a@b"
    assert addresses.changed  # the quotes were not needed
    addresses = parse("a@b")
    addresses.addresses[0].internal = "a@b"
    assert not addresses.changed


def test_the_empty_address():
    (address,) = parse("foo <>").addresses
    assert address.internal == address.external == ""
    address.internal = ""
    assert parse('""').addresses[0].external == '""'


def test_unfinished_things_end_with_the_text():
    assert parse('"abc').addresses[0].external == '"abc"'
    assert parse("a@[1.2").addresses[0].external == "a@[1.2]"
    assert str(parse("a (b (c").addresses[0]) == "a"
    assert parse("a\\").addresses[0].external == "a"


def test_the_token_limit_drops_the_rest():
    assert found("a, b, c", limit=3) == ["a", "b"]


def test_folding_joins_what_stays_below_seventy():
    assert fold("To: " + "x" * 30 + ",\n" + "y" * 33) == "To: " + "x" * 30 + ", " + "y" * 33
    assert fold("To: " + "x" * 30 + ",\n" + "y" * 34) == "To: " + "x" * 30 + ",\n\t" + "y" * 34
    assert fold("To: a,\nb,\nc") == "To: a, b, c"


@given(st.text(alphabet='ab@.,;:<>()[]"\\ \t\nä', max_size=40))
def test_anything_is_read_and_what_is_written_reads_the_same(text):
    addresses = parse(text)
    again = parse(addresses.text())
    assert [a.internal for a in again.addresses if a.internal] == [
        a.internal for a in parse(again.text()).addresses if a.internal
    ]


def test_a_hostile_list_takes_no_time():
    assert len(parse("<" * 50000, 10240).addresses) <= 1
    assert parse("(" * 100000).addresses == []
    assert len(found("a" * 200000)) == 1


def test_hostile_brackets_take_no_time():
    assert len(parse(">" * 50000).addresses) <= 1
    assert len(parse("<>" * 50000).addresses) > 1000
