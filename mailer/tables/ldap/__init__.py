"""``ldap:``: tables in LDAP directories (ldap_table(5), RFC 4511)."""
