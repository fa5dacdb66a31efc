"""main.cf and master.cf: parsing, ``$name`` expansion, typed parameters, and the Settings of one service."""
