"""Calls between the daemons of one instance over UNIX sockets, and the remote homes of the interfaces that they share.

Whoever calls is given a provider of an interface and cannot tell whether it stands in the same process. docs/processes.rst
says what the calls promise and how one is added.
"""
