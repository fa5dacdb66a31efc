"""Declares the restriction ``defer_greylisted``."""

from mailer.plugins.declaration import Restriction

defer_greylisted = Restriction(
    "defer_greylisted", "defer the first attempt of unknown senders", "mailer_greylist.greylist.build", takes="number"
)
