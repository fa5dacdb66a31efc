"""SASL: back ends that decide about our clients' logins, and mechanisms with which we log in elsewhere (``client*``)."""
