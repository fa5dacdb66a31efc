"""The SASL server back ends that come with mailer (smtpd_sasl_type); nothing is imported before it is used."""

from mailer.plugins.declaration import SaslServer

dovecot = SaslServer("dovecot", "Dovecot's auth service; smtpd_sasl_path is its socket", "mailer.sasl.dovecot.build")
cyrus = SaslServer("cyrus", "saslauthd or sasldb as Cyrus SASL's smtpd.conf says", "mailer.sasl.cyrus.build")
table = SaslServer(
    "table", "stored passwords in the lookup tables that smtpd_sasl_path names", "mailer.sasl.table.build", "passwords"
)
ldap = SaslServer("ldap", "LDAP bind; smtpd_sasl_path is a file as in ldap_table(5)", "mailer.sasl.directory.build")
