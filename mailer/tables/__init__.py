"""Lookup tables: opening ``type:name``, searching them the way each parameter wants it, one module per type."""
