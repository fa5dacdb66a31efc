"""Listening sockets: who gets them, and what is said when they are not to be had."""

import socket

import pytest

from mailer.master.sockets import CannotBind, bind_inet, bind_unix


def test_a_port_in_use_is_named():
    first = bind_inet("127.0.0.1", 0)
    port = first.getsockname()[1]
    with pytest.raises(CannotBind, match=rf"bind \[127.0.0.1\]:{port}: Address already in use"):
        bind_inet("127.0.0.1", port)
    first.close()


def test_a_stale_socket_is_replaced_and_a_living_one_is_not(tmp_path):
    path = str(tmp_path / "s")
    bind_unix(path).close()
    living = bind_unix(path)
    with pytest.raises(CannotBind, match="another process listens there"):
        bind_unix(path)
    living.close()


def test_a_file_in_the_way_stays(tmp_path):
    path = tmp_path / "s"
    path.write_text("precious")
    with pytest.raises(CannotBind, match="no socket"):
        bind_unix(str(path))
    assert path.read_text() == "precious"


def test_datagram_sockets(tmp_path):
    path = str(tmp_path / "s")
    server = bind_unix(path, socket.SOCK_DGRAM, 0o622)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.sendto(b"W", path)
    assert server.recv(10) == b"W"
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o622
    server.close()
