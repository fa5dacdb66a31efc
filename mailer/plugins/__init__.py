"""Plug-ins: how one is declared without importing what it needs, and how the declared ones are found."""
