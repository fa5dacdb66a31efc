"""Greylisting for mailer."""
