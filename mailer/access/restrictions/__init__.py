"""The restrictions, by what they look at."""
