"""Descriptors that clients send, and those that the daemon inherits. docs/descriptors.md."""
import errno
import fcntl
import os
import random
import select
import socket
import sys
import threading

import pytest

from support import peers
from support.broker import BINARY, wait_until
from support.conformance import Tap
from support.wire import Failed, Session, request_frame
from test_access import as_nobody, open_folder, root_only  # noqa: F401

HELLO = {"features": ["fds"]}


class FdSession(Session):
    """A session with the feature fds. `sent` counts the descriptors, as the broker does."""

    def __init__(self, path):
        self.tap = Tap()
        super().__init__(path, inspect=self.tap)
        self.sent = 0
        assert self.request("session.hello", 0, HELLO)["features"] == ["fds"]

    def pass_fd(self, fd, method, target, **options):
        """Sends a command with one descriptor, and returns its msgid."""
        ordinal, self.sent = self.sent, self.sent + 1
        if method == "socket.create":
            self.tap.opened(target)
        return self.send_fds([fd.fileno() if hasattr(fd, "fileno") else fd], method, target, {"fd": ordinal, **options})

    def create(self, fd, target, **options):
        return self.result(self.pass_fd(fd, "socket.create", target, **options))

    def listen(self, fd, target, **options):
        self.request("server.create", target)
        return self.result(self.pass_fd(fd, "server.listen", target, **options))


@pytest.fixture
def connect_fds(broker):
    sessions = []

    def connect(path=None):
        sessions.append(FdSession(path or broker.path))
        return sessions[-1]

    yield connect
    for one in sessions:
        one.socket.close()


@pytest.fixture
def session(connect_fds):
    return connect_fds()


def tcp_pair():
    with peers.listener() as listener:
        near = peers.dial(peers.port_of(listener))
        return near, peers.accept(listener)


def unix_pair():
    near, far = socket.socketpair()
    far.settimeout(10)
    return near, far


# ---- connections ----


@pytest.mark.parametrize("make_pair, kind", [(tcp_pair, "tcp"), (unix_pair, "pipe")])
def test_a_connection_changes_hands(session, make_pair, kind):
    near, far = make_pair()
    with near, far:
        assert session.create(near, 1) == {"id": 1}
        info = session.request("socket.info", 1)
        assert (info["readyState"], info["kind"]) == ("open", kind)
        if kind == "tcp":
            assert (info["localAddress"], info["localPort"]) == near.getsockname()
            assert (info["remoteAddress"], info["remotePort"]) == near.getpeername()


@pytest.mark.parametrize("make_pair", [tcp_pair, unix_pair])
def test_bytes_go_both_ways_as_for_any_socket(session, make_pair):
    near, far = make_pair()
    with far:
        with near:
            far.sendall(b"before ")
            session.create(near, 1)
        far.sendall(b"behind")
        assert session.received(1, 13) == b"before behind"
        assert session.request("socket.write", 1, b"hello") == {"bytesWritten": 5}
        assert peers.read_exactly(far, 5) == b"hello"
        assert session.request("socket.end", 1, b"bye") == {}
        assert peers.read_to_end(far) == b"bye"
        far.close()
        assert session.expect_event("socket.close", 1) == {"hadError": False, "bytesRead": 13, "bytesWritten": 8}
    assert session.events("socket.connect", 1) == session.events("socket.ready", 1) == []


def test_a_megabyte_each_way(session):
    near, far = tcp_pair()
    data = random.Random(1).randbytes(1 << 20)
    with far:
        with near:
            session.create(near, 1)
        sender = threading.Thread(target=far.sendall, args=(data,))
        sender.start()
        assert session.received(1, len(data)) == data
        sender.join()
        reader = threading.Thread(target=session.request, args=("socket.write", 1, data))
        reader.start()
        assert peers.read_exactly(far, len(data)) == data
        reader.join()


def test_one_direction_only(session):
    near, far = tcp_pair()
    with near, far:
        session.create(near, 1, readable=False)
        assert session.request("socket.info", 1)["readyState"] == "writeOnly"
        far.sendall(b"for somebody else")
        session.request("socket.write", 1, b"out")
        assert peers.read_exactly(far, 3) == b"out"
        session.request("socket.destroy", 1)
        near.settimeout(10)
        assert peers.read_exactly(near, 17) == b"for somebody else"
        session.create(near, 3, writable=False)
        assert session.request("socket.info", 3)["readyState"] == "readOnly"
        assert session.refused("socket.write", 3, b"x")["code"] == "ERR_STREAM_WRITE_AFTER_END"


def test_an_open_one_counts_for_idle(session):
    near, far = unix_pair()
    with near, far:
        session.create(near, 1)
        assert session.request("session.info")["active"] == 1
        session.request("socket.destroy", 1)
        session.expect_event("session.idle")


def test_many_in_one_go(session):
    pairs = [unix_pair() for _ in range(200)]
    msgids = [session.pass_fd(near, "socket.create", 2 * index + 1) for index, (near, _) in enumerate(pairs)]
    for index, (near, far) in enumerate(pairs):
        assert session.result(msgids[index]) == {"id": 2 * index + 1}
        near.close()
        far.sendall(index.to_bytes(2, "big"))
        assert session.received(2 * index + 1, 2) == index.to_bytes(2, "big")
        far.close()
    assert session.request("session.info")["fdsReceived"] == 200


# ---- what is no such connection ----


def make_file(folder):
    return open(folder / "file", "w+")


def make_pipe(folder):
    ends = os.pipe()
    os.close(ends[0])
    return os.fdopen(ends[1], "wb", buffering=0)


OTHERS = {
    "FILE": make_file,
    "pipe": make_pipe,
    "epoll": lambda folder: select.epoll(),
    "device": lambda folder: open("/dev/null", "r+b", buffering=0),
    "UDP": lambda folder: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "UNKNOWN": lambda folder: socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_kinds_are_refused(session, folder, kind):
    with OTHERS[kind](folder) as other:
        error = session.error(session.pass_fd(other, "socket.create", 1))
        assert (error["code"], error["name"], error["argument"]) == ("ERR_INVALID_FD_TYPE", "TypeError", "fd")
        assert error["message"] == f"Unsupported fd type: {kind if kind.isupper() else 'FILE'}"
        session.request("server.create", 3)
        error = session.error(session.pass_fd(other, "server.listen", 3))
        assert (error["code"], error["message"]) == ("EINVAL", "listen EINVAL: invalid argument")
        assert session.expect_event("server.error", 3)["code"] == "EINVAL"
    assert session.request("socket.create", 1) == {"id": 1}, "the id was not taken"


def test_a_listener_is_no_connection_and_a_connection_no_listener(session):
    near, far = tcp_pair()
    with near, far, peers.listener() as listener:
        assert session.error(session.pass_fd(listener, "socket.create", 1))["message"] == "Unsupported fd type: LISTENING"
        session.request("server.create", 3)
        assert session.error(session.pass_fd(near, "server.listen", 3))["code"] == "EINVAL"
        far.sendall(b"still there")
        near.settimeout(10)
        assert peers.read_exactly(near, 11) == b"still there"


def test_the_brokers_own_connections_are_refused(session, broker):
    other = peers.dial(broker.path)
    for own in (session.socket, other):
        error = session.error(session.pass_fd(own, "socket.create", 1))
        assert (error["code"], error["message"]) == ("ERR_INVALID_FD_TYPE", "Unsupported fd type: CONTROL")
    session.request("server.create", 3)
    assert session.error(session.pass_fd(other, "server.listen", 3))["code"] == "ERR_INVALID_FD_TYPE"
    other.close()


def test_one_that_ended_meanwhile(session):
    near, far = tcp_pair()
    with near:
        far.sendall(b"last words")
        far.close()
        session.create(near, 1)
    assert session.received(1, 10) == b"last words"
    session.expect_event("socket.end", 1)
    assert not session.expect_event("socket.close", 1)["hadError"]


def test_one_that_was_reset_meanwhile(session):
    near, far = tcp_pair()
    with near:
        peers.reset(far)
        session.create(near, 1)
    assert session.expect_event("socket.error", 1)["code"] == "ECONNRESET"
    assert session.expect_event("socket.close", 1)["hadError"]


def test_one_that_is_owned_by_another_session(session, connect_fds):
    near, far = tcp_pair()
    other = connect_fds()
    with near, far:
        session.create(near, 1)
        error = other.error(other.pass_fd(near, "socket.create", 1))
        assert (error["code"], error["message"]) == ("EEXIST", "open EEXIST")
        session.socket.close()
        far.settimeout(10)
        assert peers.read_to_end(far) == b""
        wait_until(lambda: is_taken(other, near), "the socket to be free again")


def is_taken(session, fd):
    try:
        session.create(fd, 1)
        return True
    except Failed as failed:
        assert failed.code == "EEXIST"
        return False


# ---- counting ----


def test_the_count_goes_on_whatever_becomes_of_a_frame(session):
    near, far = unix_pair()
    with near, far:
        session.error(session.pass_fd(near, "socket.create", 1, encoding="morse"))
        session.error(session.pass_fd(near, "socket.create", 1, fdd=1))
        session.error(session.pass_fd(near, "no.such", 1))
        session.create(near, 1)
        assert session.refused("socket.create", 3, {"fd": 1})["code"] == "ERR_NB_FD"
        assert session.refused("socket.create", 3, {"fd": 4})["code"] == "ERR_NB_FD"


def test_it_may_come_with_an_earlier_frame_but_not_with_a_later_one(session):
    near, far = unix_pair()
    with near, far:
        assert session.refused("socket.create", 1, {"fd": 0})["code"] == "ERR_NB_FD"
        session.result(session.send_fds([near.fileno()], "session.ping"))
        session.tap.opened(1)
        assert session.request("socket.create", 1, {"fd": 0}) == {"id": 1}
        far.sendall(b"x")
        assert session.received(1, 1) == b"x"


def test_a_later_claim_closes_what_came_before(session):
    pairs = [unix_pair() for _ in range(3)]
    session.result(session.send_fds([near.fileno() for near, _ in pairs], "session.ping"))
    for near, _ in pairs:
        near.close()
    session.request("socket.create", 1, {"fd": 2})
    assert peers.read_to_end(pairs[0][1]) == peers.read_to_end(pairs[1][1]) == b""
    assert session.refused("socket.create", 3, {"fd": 1})["code"] == "ERR_NB_FD"
    for _, far in pairs:
        far.close()


@pytest.mark.parametrize("count", [16, 17, 253])
def test_at_most_16_with_a_frame(session, count):
    near, far = unix_pair()
    with far:
        with near:
            msgid = session.send_fds([near.fileno()] * count, "session.ping")
        if count == 16:
            assert session.result(msgid) == {}
            session.socket.close()
        else:
            error = session.expect_event("session.error")
            assert (error["code"], error["limit"], error["fatal"]) == ("ERR_NB_PROTOCOL", "maxFdsPerFrame", True)
            session.expect_eof()
        assert peers.read_to_end(far) == b""


def test_the_kernel_refuses_more_than_253(session):
    near, far = unix_pair()
    with near, far:
        with pytest.raises(OSError) as refused:
            session.send_fds([near.fileno()] * 254, "session.ping")
        assert refused.value.errno == errno.EINVAL
        assert session.request("session.info")["fdsReceived"] == 0


def test_at_most_64_unclaimed(session):
    near, far = unix_pair()
    with near, far:
        for _ in range(4):
            session.result(session.send_fds([near.fileno()] * 16, "session.ping"))
        session.tap.opened(1)
        session.request("socket.create", 1, {"fd": 63})
        for _ in range(4):
            session.result(session.send_fds([near.fileno()] * 16, "session.ping"))
        session.send_fds([near.fileno()], "session.ping")
        assert session.expect_event("session.error")["limit"] == "maxFdsUnclaimed"
        session.expect_eof()


def test_without_the_feature_none_gets_in(broker, connect_session):
    near, far = unix_pair()
    plain = connect_session()
    plain.request("session.hello", 0, {"features": ["flow"]})
    opened = broker.open_fds()
    with near, far:
        try:
            assert plain.result(plain.send_fds([near.fileno()], "session.ping")) == {}
        except OSError as error:
            assert error.errno == errno.EPERM  # kernels from 6.16 on tell the sender
        assert plain.refused("socket.create", 1, {"fd": 0})["code"] == "ERR_NB_NOT_NEGOTIATED"
        assert broker.open_fds() == opened


# ---- the end at any moment ----


def test_nothing_is_left_wherever_a_session_ends(broker, connect_fds):
    chance = random.Random(7)
    for _ in range(60):
        session = connect_fds()
        near, far = unix_pair()
        frames = b"".join(request_frame(n, "socket.create", 2 * n + 1, {"fd": n}) for n in range(3))
        cut = chance.randrange(1, len(frames))
        socket.send_fds(session.socket, [frames[:cut]], [near.fileno()] * chance.randrange(1, 17))
        near.close()
        session.socket.close()
        with far:
            assert peers.read_to_end(far) == b""


def test_connections_wait_for_the_next_session(session, connect_fds):
    with peers.listener() as listener:
        session.listen(listener, 1)
        session.request("session.close")
        with peers.dial(peers.port_of(listener)) as peer:
            peer.sendall(b"patience")
            second = connect_fds()
            second.listen(listener, 1)
            opened = second.expect_event("server.connection", 1)["socket"]
            assert second.received(opened, 8) == b"patience"


# ---- listeners ----


def test_a_listener_of_any_kind(session, folder):
    with peers.listener() as tcp, peers.listener(folder / "peer") as unix, socket.socket() as bound:
        bound.bind((peers.LOOPBACK, 0))
        for target, (sock, kind) in enumerate([(tcp, "tcp"), (unix, "pipe"), (bound, "tcp")]):
            target = 2 * target + 1
            answer = session.listen(sock, target)
            assert session.expect_event("server.listening", target) == answer == session.request("server.address", target)
            where = answer["path"] if kind == "pipe" else answer["port"]
            assert where == (str(folder / "peer") if kind == "pipe" else peers.port_of(sock))
            with peers.dial(where) as peer:
                opened = session.expect_event("server.connection", target)["socket"]
                peer.sendall(b"hello")
                assert session.received(opened, 5) == b"hello"
                assert session.request("socket.info", opened)["kind"] == kind
        session.request("session.close")
        assert (folder / "peer").exists(), "the file is whose who made it"


def test_a_listener_that_lingers_holds_up_nobody(session, connect_fds):
    """Connections inherit the option; the daemon must not wait when it closes them."""
    with peers.listener() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\36\0\0\0")
        session.listen(listener, 1)
        with peers.dial(peers.port_of(listener)):
            opened = session.expect_event("server.connection", 1)["socket"]
            for _ in range(16):
                session.notify("socket.write", opened, bytes(1 << 16))
            session.request("socket.destroy", opened)
            assert connect_fds().request("session.ping") == {}


def test_a_listener_that_is_made_blocking_holds_up_nobody(session, connect_fds):
    with peers.listener() as listener:
        session.listen(listener, 1)
        for _ in range(3):
            flags = fcntl.fcntl(listener, fcntl.F_GETFL)
            fcntl.fcntl(listener, fcntl.F_SETFL, flags & ~os.O_NONBLOCK)
            peers.dial(peers.port_of(listener)).close()
            session.expect_event("server.connection", 1)
            assert connect_fds().request("session.ping") == {}
            assert session.request("session.ping") == {}


def test_a_handle_is_shared(session):
    for target in (1, 3, 5):
        session.request("server.create", target)
    address = session.request("server.listen", 1, {"port": 0, "host": peers.LOOPBACK})
    assert session.request("server.listen", 3, {"handle": {"server": 1}}) == address
    session.request("server.close", 1)
    with peers.dial(address["port"]):
        assert session.expect_event("server.connection", 3)["localPort"] == address["port"]
        error = session.refused("server.listen", 5, {"handle": {"server": 1}})
        assert (error["code"], error["argument"]) == ("ERR_INVALID_ARG_VALUE", "handle")


def test_a_handle_of_a_shared_listener(connect_session):
    first, second = connect_session(), connect_session()
    for member in (first, second):
        member.request("session.hello", 0, {"features": ["group"], "group": "handles"})
        member.request("server.create", 1)
        port = member.request("server.listen", 1, {"port": 0, "host": peers.LOOPBACK})["port"]
    second.request("server.create", 3)
    assert second.request("server.listen", 3, {"handle": {"server": 1}})["port"] == port
    for member in (first, second):
        member.request("server.close", 1)
    with peers.dial(port):
        second.expect_event("server.connection", 3)


def test_a_handle_of_a_socket(session):
    session.request("server.create", 1)
    session.request("server.create", 3)
    with socket.socket() as bound:
        bound.bind((peers.LOOPBACK, 0))
        session.create(bound, 5, readable=False)
        assert session.request("server.listen", 1, {"handle": {"socket": 5}})["port"] == peers.port_of(bound)
        with peers.dial(peers.port_of(bound)):
            session.expect_event("server.connection", 1)
    near, far = tcp_pair()
    with near, far:
        session.create(near, 7)
        error = session.refused("server.listen", 3, {"handle": {"socket": 7}})
        assert (error["code"], error["port"], error["syscall"]) == ("EINVAL", -1, "listen")
        assert session.expect_event("server.error", 3) == error


# ---- what the daemon inherits ----

INHERIT = """
import os, sys
names, fds, command = sys.argv[1], [int(fd) for fd in sys.argv[2].split()], sys.argv[3:]
for index, fd in enumerate([os.dup2(fd, 100 + fd) for fd in fds]):
    os.dup2(fd, 3 + index)
    os.set_inheritable(3 + index, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)), LISTEN_FDNAMES=names)
os.execv(command[0], command)
"""


def start_with(start_broker, path, named, *flags):
    fds = [sock.fileno() for sock in named.values()]
    command = [sys.executable, "-c", INHERIT, ":".join(named), " ".join(map(str, fds)), str(BINARY), "serve", "--socket",
               str(path), *flags]
    return start_broker(path, command=command, pass_fds=fds)


def test_an_inherited_listener_outlives_its_clients(start_broker, folder):
    near, far = unix_pair()
    with peers.listener() as web, near, far:
        start_with(start_broker, folder / "broker.sock", {"web": web, "peer": near})
        port = peers.port_of(web)
        for _ in range(2):  # the second takes over what the first left
            with Session(folder / "broker.sock") as session, peers.dial(port) as peer:
                peer.sendall(b"hello")
                session.request("server.create", 1)
                assert session.request("server.listen", 1, {"fdName": "web"})["port"] == port
                opened = session.expect_event("server.connection", 1)["socket"]
                assert session.received(opened, 5) == b"hello"
                session.request("session.close")
        with Session(folder / "broker.sock") as session:
            assert session.request("socket.create", 1, {"fdName": "peer"}) == {"id": 1}
            far.sendall(b"hello")
            assert session.received(1, 5) == b"hello"
            assert session.refused("socket.create", 3, {"fdName": "peer"})["code"] == "EEXIST"
            error = session.refused("socket.create", 3, {"fdName": "pear"})
            assert (error["code"], error["argument"]) == ("ERR_NB_FD", "fdName")


@root_only
def test_an_inherited_one_needs_a_right(start_broker, open_folder):  # noqa: F811
    path = open_folder / "broker.sock"
    with peers.listener() as web, peers.listener() as db:
        start_with(start_broker, path, {"web": web, "db": db}, "--allow-uid", "65534:fd=web")
        answer = as_nobody(path, ["server.create", 1, {}], ["server.listen", 1, {"fdName": "db"}],
                           ["server.listen", 1, {"port": 0}], ["server.listen", 1, {"fdName": "web"}])
    assert answer["answers"] == ["ok", "ERR_NB_POLICY", "ERR_NB_POLICY", "ok"]


# ---- too few descriptors ----


def test_a_full_process_loses_the_session_that_fills_it(start_broker, folder):
    path = folder / "broker.sock"
    start_broker(path, command=["prlimit", "--nofile=60:60", str(BINARY), "serve", "--socket", str(path), "--workers", "1"])
    near, far = unix_pair()
    with near, far, Session(path) as bystander, FdSession(path) as greedy:
        for _ in range(4):
            greedy.send_fds([near.fileno()] * 16, "session.ping")
        error = greedy.expect_event("session.error")
        assert (error["code"], error["fatal"]) == ("ERR_NB_FD_TRUNCATED", True)
        greedy.expect_eof()
        assert bystander.request("session.ping") == {}
        with FdSession(path) as modest:
            assert modest.create(near, 1) == {"id": 1}


def test_what_waits_leaves_room_for_others(start_broker, folder):
    path = folder / "broker.sock"
    start_broker(path, command=["prlimit", "--nofile=80:80", str(BINARY), "serve", "--socket", str(path), "--workers", "1"])
    near, far = unix_pair()
    with near, far, FdSession(path) as first, FdSession(path) as second:
        first.result(first.send_fds([near.fileno()] * 16, "session.ping"))
        first.result(first.send_fds([near.fileno()] * 8, "session.ping"))
        with pytest.raises((EOFError, BrokenPipeError)):
            for _ in range(4):
                second.result(second.send_fds([near.fileno()] * 8, "session.ping"))
        assert second.events("session.error")[0][0]["code"] == "ERR_NB_FD_TRUNCATED"
        assert first.request("session.info")["fdsReceived"] == 24
        with Session(path) as third:
            assert third.request("session.ping") == {}
