"""DNS for a mail system."""
