"""Delivery by SMTP and LMTP, after Postfix's smtp(8): where to, through which connection, and what came of it."""
