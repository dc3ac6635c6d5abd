"""Listening: ports, names and paths, the defaults, errors and arguments. protocol.md 11, with Node as the judge."""
import os
import pathlib
import socket
import stat
import struct

import pytest

from support import peers

ANY_PORT = {"port": 0, "host": peers.LOOPBACK}
NO_SUCH_HOST = "a" * 64 + ".invalid"  # a label too long to be asked for, so no query leaves the machine

# ---- TCP ----

def test_port_zero_is_chosen_by_the_system(server):
    address = server.request("server.listen", 1, ANY_PORT)
    assert address["address"] == peers.LOOPBACK and address["family"] == "IPv4" and address["port"] > 0
    assert server.expect_event("server.listening", 1) == address
    assert server.request("server.address", 1) == address
    with peers.dial(address["port"]):
        server.expect_event("server.connection", 1)


@pytest.mark.parametrize("body", [[], [{}], [{"port": 0}]], ids=["no body", "empty body", "port 0"])
def test_the_default_is_any_port_on_every_address(server, body):
    address = server.request("server.listen", 1, *body)
    assert (address["address"], address["family"]) == ("::", "IPv6")
    with peers.dial(address["port"]), peers.dial(("::1", address["port"])):
        families = {server.expect_event("server.connection", 1)["remoteAddress"] for _ in range(2)}
    assert families == {"::ffff:127.0.0.1", "::1"}


def test_ipv6_only(server):
    port = server.request("server.listen", 1, {"host": "::", "port": 0, "ipv6Only": True})["port"]
    with pytest.raises(ConnectionRefusedError):
        peers.dial(port)
    peers.dial(("::1", port)).close()
    server.expect_event("server.connection", 1)


def test_a_host_name(server):
    assert server.request("server.listen", 1, {"port": 0, "host": "localhost"})["address"] in (peers.LOOPBACK, "::1")


def test_a_port_in_digits(server):
    taken, port = peers.refused_port()
    with taken:
        assert server.request("server.listen", 1, {"port": str(port), "host": peers.LOOPBACK})["port"] == port


def test_net_create_server_is_another_name(session):
    session.request("net.createServer", 1, {})
    assert session.request("server.listen", 1, ANY_PORT)["port"] > 0


@pytest.mark.parametrize("backlog", [None, 1, 511, 100000])
def test_any_backlog(server, backlog):
    body = dict(ANY_PORT) if backlog is None else {**ANY_PORT, "backlog": backlog}
    peers.dial(server.request("server.listen", 1, body)["port"]).close()


def test_the_default_backlog_is_511(server, broker):
    port = server.request("server.listen", 1, ANY_PORT)["port"]
    assert backlog_of(broker, port) == min(511, int(pathlib.Path("/proc/sys/net/core/somaxconn").read_text()))


def test_a_given_backlog_reaches_the_kernel(server, broker):
    assert backlog_of(broker, server.request("server.listen", 1, {**ANY_PORT, "backlog": 7})["port"]) == 7


def backlog_of(broker, port):
    """TCP_INFO of a listening socket has the backlog in the place of tcpi_sacked, its sixth 32-bit field."""
    with broker.adopt_listener(port) as listener:
        return struct.unpack_from("6I", listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), 8)[5]


# ---- errors ----

def test_an_address_in_use(server):
    with peers.listener() as taken:
        port = peers.port_of(taken)
        error = server.refused("server.listen", 1, {"port": port, "host": peers.LOOPBACK})
        assert error == {"code": "EADDRINUSE", "message": f"listen EADDRINUSE: address already in use 127.0.0.1:{port}",
                         "errno": -98, "syscall": "listen", "address": "127.0.0.1", "port": port}
        assert server.expect_event("server.error", 1) == error
        server.request("session.ping", 0, {})
        assert server.events("server.close", 1) == []


def test_listen_again_after_an_address_in_use(server):
    with peers.listener() as taken:
        port = peers.port_of(taken)
        server.refused("server.listen", 1, {"port": port, "host": peers.LOOPBACK})
    assert server.request("server.listen", 1, {"port": port, "host": peers.LOOPBACK})["port"] == port


def test_an_address_in_use_by_another_session(server, connect_session):
    other = connect_session()
    port = peers.serve(other)["port"]
    assert server.refused("server.listen", 1, {"port": port, "host": peers.LOOPBACK})["code"] == "EADDRINUSE"


def test_an_address_that_is_not_ours(server):
    error = server.refused("server.listen", 1, {"port": 0, "host": "192.0.2.1"})
    assert (error["code"], error["syscall"], error["address"]) == ("EADDRNOTAVAIL", "listen", "192.0.2.1")
    assert error["message"] == "listen EADDRNOTAVAIL: address not available 192.0.2.1"


def test_a_host_that_does_not_exist(server):
    error = server.refused("server.listen", 1, {"port": 0, "host": NO_SUCH_HOST})
    assert (error["code"], error["syscall"], error["hostname"]) == ("ENOTFOUND", "getaddrinfo", NO_SUCH_HOST)


def test_listen_twice(server):
    server.request("server.listen", 1, ANY_PORT)
    error = server.refused("server.listen", 1, ANY_PORT)
    assert error == {"code": "ERR_SERVER_ALREADY_LISTEN",
                     "message": "Listen method has been called more than once without closing."}
    assert server.request("server.info", 1)["listening"] is True


def test_listen_again_after_close(server):
    first = server.request("server.listen", 1, ANY_PORT)
    server.request("server.close", 1)
    server.request("server.listen", 1, {**ANY_PORT, "port": first["port"]})
    with peers.dial(first["port"]):
        server.expect_event("server.connection", 1)


@pytest.mark.parametrize("body, code, message", [
    ({"port": 65536}, "ERR_SOCKET_BAD_PORT", "options.port should be >= 0 and < 65536. Received type number (65536)."),
    ({"port": -1}, "ERR_SOCKET_BAD_PORT", "options.port should be >= 0 and < 65536. Received type number (-1)."),
    ({"port": "abc"}, "ERR_SOCKET_BAD_PORT", "options.port should be >= 0 and < 65536. Received type string ('abc')."),
    ({"port": True}, "ERR_INVALID_ARG_VALUE", "The argument 'options' is invalid."),
    ({"host": "x"}, "ERR_INVALID_ARG_VALUE", "The argument 'options' must have the property \"port\" or \"path\""),
    ({"port": 0, "host": 1}, "ERR_INVALID_ARG_TYPE", ""),
    ({"port": 0, "backlog": "long"}, "ERR_INVALID_ARG_TYPE", ""),
    ({"port": 0, "ipv6only": True}, "ERR_NB_UNKNOWN_OPTION", "")], ids=lambda value: str(value)[:40])
def test_arguments_of_listen_are_checked_as_in_node(server, body, code, message):
    error = server.refused("server.listen", 1, body)
    assert error["code"] == code and error["message"].startswith(message)
    assert server.events("server.error", 1) == []


# ---- Unix paths ----

def test_a_unix_path(server, folder):
    path = str(folder / "server")
    assert server.request("server.listen", 1, {"path": path}) == {"path": path}
    assert server.expect_event("server.listening", 1) == server.request("server.address", 1) == {"path": path}
    with peers.dial(path) as peer:
        connection = server.expect_event("server.connection", 1)
        assert connection["peer"] == {"uid": os.getuid(), "gid": os.getgid(), "pid": os.getpid()}
        assert "remoteAddress" not in connection and connection["socket"] % 2 == 0
        peer.sendall(b"hello")
        assert server.received(connection["socket"], 5) == b"hello"


def test_close_unlinks_the_path(server, folder):
    path = folder / "server"
    server.request("server.listen", 1, {"path": str(path)})
    assert path.is_socket()
    server.request("server.close", 1)
    assert not path.exists()


def test_a_port_wins_over_a_path(server, folder):
    assert "port" in server.request("server.listen", 1, {**ANY_PORT, "path": str(folder / "server")})
    assert not (folder / "server").exists()


@pytest.mark.parametrize("make", ["file", "live socket", "stale socket"])
def test_a_foreign_file_is_in_use_and_stays(server, folder, make):
    path = folder / "taken"
    other = make_file(path, make)
    error = server.refused("server.listen", 1, {"path": str(path)})
    assert error == {"code": "EADDRINUSE", "message": f"listen EADDRINUSE: address already in use {path}", "errno": -98,
                     "syscall": "listen", "address": str(path), "port": -1}
    server.request("server.release", 1)
    assert path.exists()
    if other:
        other.close()


def make_file(path, kind):
    if kind == "file":
        return path.write_text("precious") and None
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    sock.listen()
    return sock if kind == "live socket" else sock.close()


def test_a_path_of_somebody_else_is_not_unlinked(server, folder):
    path = folder / "server"
    server.request("server.listen", 1, {"path": str(path)})
    path.unlink()
    path.write_text("precious")
    server.request("server.close", 1)
    assert path.read_text() == "precious"


def test_a_path_in_no_directory(server, folder):
    path = str(folder / "none" / "server")
    error = server.refused("server.listen", 1, {"path": path})
    assert (error["code"], error["syscall"], error["address"], error["port"]) == ("EACCES", "listen", path, -1)
    assert error["message"] == f"listen EACCES: permission denied {path}"


def test_a_path_of_107_bytes_is_the_longest(server, folder):
    path = f"{folder}/".ljust(107, "x")
    assert server.request("server.listen", 1, {"path": path}) == {"path": path}
    server.request("server.close", 1)
    assert os.listdir(folder) == []


def test_a_path_of_108_bytes_is_refused_and_leaves_nothing(server, folder):
    path = f"{folder}/".ljust(108, "x")
    error = server.refused("server.listen", 1, {"path": path})
    assert error["code"] == "ENAMETOOLONG" and error["address"] == path
    assert os.listdir(folder) == []


@pytest.mark.parametrize("path", ["", "\0abstract", "/tmp/with\0nul"])
def test_a_path_that_names_no_file_is_refused(server, path):
    server.refused("server.listen", 1, {"path": path})


@pytest.mark.parametrize("readable", [False, True])
@pytest.mark.parametrize("writable", [False, True])
def test_the_mode_of_a_path(server, folder, readable, writable):
    path = folder / "server"
    server.request("server.listen", 1, {"path": str(path), "readableAll": readable, "writableAll": writable})
    mode = stat.S_IMODE(path.stat().st_mode)
    assert bool(mode & stat.S_IWOTH) == writable
    if readable:
        assert mode & 0o444 == 0o444
