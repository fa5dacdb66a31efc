"""A mail transfer agent on Twisted that stands where Postfix stands.

Start with ``mailer.interfaces``: it states what each part promises the others.
"""

__version__ = "0.1.0"
