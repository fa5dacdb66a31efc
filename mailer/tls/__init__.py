"""TLS: contexts, certificates, levels and names, on pyOpenSSL; without sockets."""
