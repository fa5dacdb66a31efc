"""Address verification, as Postfix's verify(8) does it: a probe, and a memory of what it found out."""
