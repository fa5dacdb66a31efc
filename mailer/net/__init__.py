"""Wire machines on Twisted connections."""
