"""Rewriting and resolving addresses: trivial-rewrite(8), and the table lookups of cleanup(8) and smtpd(8)."""
