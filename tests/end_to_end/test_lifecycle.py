"""Beginnings and ends: of a session, of the daemon, of the files and handles that it is given. protocol.md 1.5, 5, 9."""
import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
import time

import pytest

from support import peers
from support.broker import BINARY, Broker, wait_until
from support.wire import DEADLINE, Session, notification_frame

ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[2], sys.argv[2:])
"""


# ---- the end of a session ----

def test_queued_writes_reach_the_peer_after_the_client_has_gone(broker):
    size = 1 << 20
    with Session(broker.path) as session:
        peer = peers.connect(session)
        session.send_bytes(notification_frame("socket.write", 1, b"x" * size) + notification_frame("socket.write", 1, b"last"))
    with peer:
        assert peers.read_to_end(peer) == b"x" * size + b"last"


def test_nothing_more_is_read_after_the_client_has_gone(broker):
    with Session(broker.path) as session:
        peer = peers.connect(session)
    with peer:
        assert peer.recv(1) == b""


def test_a_peer_that_does_not_read_is_given_up_after_the_linger_limit(broker):
    fds = broker.open_fds()
    with Session(broker.path) as session:
        peer = peers.connect(session)
        peers.write_until_stuck(session, 1)
    began = time.monotonic()
    with peer:
        wait_until(lambda: broker.open_fds() <= fds, "the socket destroyed", deadline=15)
    assert time.monotonic() - began < 12, "the default linger limit is 5 s"


def leave_bytes_behind(broker):
    """A session that ends with 512 to 768 KiB for a peer that does not read yet; returns the peer and how many in all."""
    with Session(broker.path) as session:
        peer = peers.connect(session)
        writes = len(peers.write_until_stuck(session, 1, 256 << 10)) + 2
        for _ in range(2):
            session.notify("socket.write", 1, bytes(256 << 10))
    return peer, writes * (256 << 10)


def gets_everything(peer, size):
    with peer:
        try:
            return len(peers.read_to_end(peer)) == size
        except ConnectionResetError:
            return False


@pytest.mark.parametrize("limit, kept", [("maxLingering=2", 2), (f"maxLingerBytes={800 << 10}", 1), ("maxLingering=0", 0)])
def test_those_that_linger_longest_are_reset_at_the_bound(start_broker, limit, kept):
    broker = start_broker(None, "--workers", "1", "--limit", limit)
    fds, left = broker.open_fds(), []
    for number in range(1, 6):
        left.append(leave_bytes_behind(broker))
        wait_until(lambda: broker.open_fds() <= fds + min(number, kept), "the oldest cut")
    assert [gets_everything(peer, size) for peer, size in left] == [False] * (5 - kept) + [True] * kept


def test_what_the_kernel_takes_at_once_does_not_linger(start_broker):
    broker = start_broker(None, "--workers", "1", "--limit", "maxLingering=0", "--limit", "maxLingerBytes=0")
    with Session(broker.path) as session:
        others = [peers.connect(session, target) for target in range(1, 81, 2)]
        session.send_bytes(b"".join(notification_frame("socket.write", target, b"last") for target in range(1, 81, 2)))
    for peer in others:
        with peer:
            assert peers.read_to_end(peer) == b"last"


def test_servers_go_with_their_session(broker, folder):
    with Session(broker.path) as session:
        port = peers.serve(session, 1)["port"]
        peers.serve(session, 3, {"path": str(folder / "server")})
    wait_until(lambda: not (folder / "server").exists(), "the server's path unlinked")
    wait_until(lambda: refuses(port), "the port closed")


def refuses(port):
    try:
        peers.dial(port).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_pending_connect_goes_with_its_session(broker):
    fds = broker.open_fds()
    with peers.unanswering() as port:
        with Session(broker.path) as session:
            session.notify("net.createConnection", 1, {"port": port, "host": peers.LOOPBACK})
            session.notify("net.createConnection", 3, {"port": port, "host": "localhost"})
            session.request("session.ping", 0, {})
        wait_until(lambda: broker.open_fds() <= fds, "the connecting sockets closed")


def test_a_killed_client_leaves_nothing(broker):
    fds = broker.open_fds()
    program = f"""
import os, sys
sys.path[:0] = {sys.path!r}
from support import peers
from support.wire import Session
session = Session({str(broker.path)!r})
peers.serve(session, 1)
peer, _ = peers.accepted(session)
session.send_bytes(b"\\x93\\x02\\xac")
os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", program]).returncode == -9
    wait_until(lambda: broker.open_fds() <= fds, "everything closed")


# ---- the end of the daemon ----

def test_sigterm_without_sessions_ends_at_once(start_broker):
    broker = start_broker(None, "--stop-deadline", "600000")
    broker.stop()


@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT"])
def test_sessions_are_told_and_the_daemon_ends_once_they_have_gone(start_broker, number):
    broker = start_broker(None, "--stop-deadline", "600000")
    with Session(broker.path) as session:
        peer = peers.connect(session)
        broker.process.send_signal(getattr(signal, number))
        closing = session.expect_event("session.closing")
        assert closing["reason"] and 0 < closing["deadline"] <= 600000
        session.request("socket.end", 1, b"last words")
        assert peers.read_to_end(peer) == b"last words"
        peer.close()
    broker.wait()
    assert not broker.path.exists()


def test_a_session_that_stays_is_ended_at_the_deadline(start_broker, folder):
    broker = start_broker(None, "--stop-deadline", "700")
    with Session(broker.path) as session:
        peers.serve(session, 1, {"path": str(folder / "server")})
        began = time.monotonic()
        broker.terminate()
        deadline = session.expect_event("session.closing")["deadline"] / 1000
        session.request("session.ping", 0, {})
        session.expect_eof(deadline + DEADLINE)
        assert deadline - 0.3 < time.monotonic() - began
        broker.wait()
    assert os.listdir(folder) == []


def test_sigterm_under_traffic(start_broker):
    broker = start_broker()
    with Session(broker.path) as session, peers.connect(session) as peer:
        peer.setblocking(False)
        session.notify("socket.write", 1, bytes(1 << 20))
        peer.send(bytes(1 << 20))
        session.expect_event("socket.data", 1)
        broker.terminate()
        session.expect_event("session.closing")
    broker.wait()


def test_a_client_that_does_not_read_cannot_hold_up_the_end(start_broker):
    broker = start_broker(None, "--stop-deadline", "300")
    with Session(broker.path) as session, peers.connect(session) as peer, peers.connect(session, 3):
        peer.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            for _ in range(1000):
                peer.send(bytes(1 << 16))
        began = time.monotonic()
        broker.terminate()
        broker.wait()
        assert time.monotonic() - began < 5, "it waited as long as for a client that may still read"


def test_many_sessions_come_and_go(broker):
    for _ in range(3):
        sessions = [Session(broker.path) for _ in range(150)]
        for session in sessions:
            session.send("session.ping", 0, {}, msgid=1)
        for session in sessions:
            assert session.result(1) == {}
            session.socket.close()


# ---- the daemon's own socket ----

def test_the_socket_is_private(start_broker, folder):
    path = folder / "new" / "broker.sock"
    old = os.umask(0)
    try:
        start_broker(path)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


@pytest.mark.parametrize("variable, where", [("NETBROKER_SOCKET", "named.sock"), ("XDG_RUNTIME_DIR", "")])
def test_the_default_address(start_broker, folder, variable, where):
    names = ("NETBROKER_SOCKET", "XDG_RUNTIME_DIR")
    path = folder / (where or "netbroker.sock")
    command = ["/usr/bin/env", *(f"--unset={name}" for name in names), f"{variable}={folder / where}", str(BINARY), "serve"]
    start_broker(path, command=command)
    with Session(path) as session:
        assert session.request("session.ping", 0, {}) == {}


def test_a_stale_socket_is_replaced(start_broker, folder):
    path = folder / "broker.sock"
    start_broker(path).kill()
    assert path.is_socket()
    start_broker(path)
    with Session(path) as session:
        assert session.request("session.ping", 0, {}) == {}


def test_a_live_socket_is_refused(start_broker, folder):
    path = folder / "broker.sock"
    start_broker(path)
    assert str(path) in failing_start(path)
    with Session(path) as session:
        assert session.request("session.ping", 0, {}) == {}


def test_a_file_that_is_no_socket_is_refused_and_stays(folder):
    path = folder / "broker.sock"
    path.write_text("precious")
    assert str(path) in failing_start(path)
    assert path.read_text() == "precious"


def test_a_path_that_is_too_long_is_refused(folder):
    failing_start(f"{folder}/".ljust(108, "x"))
    assert os.listdir(folder) == []


def failing_start(path, *flags):
    """Runs a daemon that must end by itself, with a status other than 0 and a message, which is returned."""
    run = subprocess.run([str(BINARY), "serve", "--socket", str(path), *flags], capture_output=True, text=True,
                         timeout=DEADLINE)
    assert run.returncode > 0, f"status {run.returncode}: {run.stderr}"
    assert run.stderr.strip() and run.stdout == ""
    return run.stderr


def test_one_ready_line(start_broker):
    broker = start_broker()
    broker.stop()
    assert len([line for line in broker.stderr if "ready" in line]) == 1


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_workers(start_broker, workers):
    broker = start_broker(None, "--workers", str(workers))
    sessions = [Session(broker.path) for _ in range(8)]
    for number, session in enumerate(sessions):
        with peers.connect(session) as peer:
            peer.sendall(b"%d" % number)
            assert session.received(1, 1) == b"%d" % number
        session.socket.close()


# ---- systemd ----

def test_socket_activation(start_broker, folder):
    path = folder / "activated.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        with Session(path) as early:  # connected before the daemon lives
            early.send("session.ping", 0, {"early": True}, msgid=1)
            broker = Broker(path, command=[sys.executable, "-c", ACTIVATE, str(listener.fileno()), str(BINARY), "serve"],
                            pass_fds=(listener.fileno(),))
            assert early.result(1) == {"early": True}
        broker.terminate()
        broker.wait()


def test_readiness_is_notified(start_broker, folder):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.settimeout(DEADLINE)
        notify.bind(str(folder / "notify"))
        broker = start_broker(env={"NOTIFY_SOCKET": str(folder / "notify")})
        assert "READY=1" in notify.recv(4096).decode().splitlines()
        broker.terminate()
        assert "STOPPING=1" in notify.recv(4096).decode().splitlines()
        broker.wait()
