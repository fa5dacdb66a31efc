"""SMTP and LMTP without I/O: the server's and the client's side."""
