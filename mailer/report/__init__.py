"""Stage 6: what senders and the postmaster are told about a message's fate (RFC 3461, 3464, 6533, bounce(5), bounce(8))."""
