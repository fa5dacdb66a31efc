"""Whatever a message looks like: it is taken or refused, in pieces as in one, and what is queued is proper content."""

import re

from clean_vector import Bench
from hypothesis import given, settings
from hypothesis import strategies as st

PLAIN = Bench("append_dot_mydomain = yes\nmessage_size_limit = 4000\nheader_size_limit = 60\n")
CHECKED = Bench(
    "header_checks = regexp:{{/^Subject/ PREPEND X-P: 1} {/^Cc/ IGNORE} {/^To: b/ REPLACE To: c}}\n"
    "body_checks = regexp:{{/^b/ PREPEND before} {/^c/ REPLACE d} {/^i/ IGNORE}}\nbody_checks_size_limit = 30\n"
    "strict_8bitmime_body = yes\nmessage_reject_characters = \\7\nmessage_strip_characters = \\1\n"
)
LINES = st.lists(
    st.sampled_from(
        ["", "To: a", "To: b <x@y>, (c", "Cc: u", "Bcc: v", " folded", "Subject: x", "Message-Id: <a>", "Received: x"]
        + [
            "Content-Type: multipart/mixed; boundary=b",
            "Content-Type: message/rfc822",
            "--b",
            "--b--",
            "body",
            "c",
            "i",
        ]
        + ["Content-Transfer-Encoding: 8bit", "no field", "ä", "x" * 100, "\x01\x07", "From x", "Resent-To: r", "A : b"]
    ),
    max_size=15,
)


def message(lines, client):
    return {"client": client, "sender": "s", "recipients": [["r@y.example", ""]], "message": lines}


@settings(max_examples=150)
@given(LINES, st.sampled_from(["local", "remote", "sendmail"]), st.integers(1, 40), st.sampled_from([PLAIN, CHECKED]))
def test_any_message(lines, client, size, bench):
    vector = message(lines, client)
    whole = bench.send(vector)
    assert whole == bench.send(vector, lambda content: [content[at : at + size] for at in range(0, len(content), size)])
    for entry in bench.queue.entries.values():
        content = entry.content.inline
        assert content.endswith(b"\r\n")
        assert not re.search(rb"(?<!\r)\n", content)
