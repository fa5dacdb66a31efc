"""A lookup table and a transport for mailer, as samples."""
