"""External commands that take mail: what they are given, how they run, and what their end means. Knows no Twisted."""
