"""Out of descriptors: whatever needs one fails by name or waits, the rest goes on, nothing spins and nothing is lost."""
import pytest

from support import peers
from support.broker import BINARY, wait_until
from support.wire import Session

FEW = 64
OUT_OF_DESCRIPTORS = {"EMFILE", "ENFILE", "ERR_NB_LIMIT"}


@pytest.fixture
def poor(start_broker, folder):
    """A daemon that may have 64 descriptors; one worker, so that its own share is small."""
    path = folder / "broker.sock"
    command = ["/bin/sh", "-c", f"ulimit -n {FEW}; exec \"$@\"", "sh", str(BINARY), "serve", "--socket", str(path),
               "--workers", "1"]
    return start_broker(path, command=command)


def connect_until_refused(session, port):
    """Opens connections until one is refused for want of a descriptor; returns the ids of the open ones."""
    targets = []
    for target in range(101, 101 + 2 * FEW, 2):
        response = session.response(session.send("net.createConnection", target, {"port": port, "host": peers.LOOPBACK}))
        if response[2]:
            assert response[2]["code"] in OUT_OF_DESCRIPTORS, response[2]
            return targets
        targets.append(target)
    raise AssertionError(f"{len(targets)} connections with {FEW} descriptors")


def test_a_connection_too_many_is_refused_by_name(poor):
    with Session(poor.path) as session, peers.listener() as listener:
        targets = connect_until_refused(session, peers.port_of(listener))
        assert len(targets) > FEW / 4
        assert session.request("session.ping", 0, {"a": 1}) == {"a": 1}
        session.request("socket.destroy", targets[0])
        session.request("net.createConnection", 1, {"port": peers.port_of(listener), "host": peers.LOOPBACK})


def test_a_listener_too_many_is_refused_by_name(poor):
    with Session(poor.path) as session, peers.listener() as listener:
        connect_until_refused(session, peers.port_of(listener))
        session.request("server.create", 1, {})
        assert session.refused("server.listen", 1, {"port": 0, "host": peers.LOOPBACK})["code"] in OUT_OF_DESCRIPTORS


def test_connections_wait_in_the_backlog_and_come_when_there_is_room(poor):
    with Session(poor.path) as session, peers.listener() as listener:
        port = peers.serve(session)["port"]
        targets = connect_until_refused(session, peers.port_of(listener))
        waiting = [peers.dial(port) for _ in range(8)]
        for number, peer in enumerate(waiting):
            peer.sendall(b"%d" % number)
        poor.assert_at_rest()
        for target in targets:
            session.request("socket.destroy", target)
        heard = sorted(session.received(session.expect_event("server.connection", 1)["socket"], 1) for _ in waiting)
        assert heard == [b"%d" % number for number in range(8)]
        for peer in waiting:
            peer.close()


def test_each_shortage_is_told_in_one_line_and_its_end_in_one(poor):
    def lines(event):
        return sum(event in line for line in poor.stderr)

    with Session(poor.path) as session, peers.listener() as listener:
        ports = [peers.serve(session, target)["port"] for target in (1, 3, 5)]
        targets = connect_until_refused(session, peers.port_of(listener))
        waiting = [peers.dial(port) for port in ports]
        poor.assert_at_rest()
        assert lines("cannot accept") <= 1
        for target in targets:
            session.request("socket.destroy", target)
        for target in (1, 3, 5):
            session.expect_event("server.connection", target)
        wait_until(lambda: lines("accepts again"), "the end of the shortage")
        assert (lines("cannot accept"), lines("accepts again")) == (1, 1)
        for peer in waiting:
            peer.close()


def test_sockets_leave_descriptors_to_further_clients_and_to_lookups(poor):
    with Session(poor.path) as session, peers.listener() as listener:
        targets = connect_until_refused(session, peers.port_of(listener))
        with Session(poor.path) as other:
            assert other.request("session.ping", 0, {"a": 1}) == {"a": 1}
            session.request("socket.destroy", targets[0])
            peer = {"port": peers.port_of(listener), "host": "localhost", "family": 4}
            assert other.request("net.createConnection", 1, peer)["id"] == 1


def test_too_many_sessions_are_turned_away(poor):
    with Session(poor.path) as session, peers.listener() as listener:
        connect_until_refused(session, peers.port_of(listener))
        others = [Session(poor.path) for _ in range(FEW)]
        last = others[-1]
        last.expect_eof()
        error = last.events("session.error")[0][0]
        assert error["code"] == "EMFILE" and error["fatal"] is True
        assert others[0].request("session.ping", 0, {}) == {}
        for other in others:
            other.socket.close()
        assert session.request("session.ping", 0, {}) == {}


def test_many_sessions_within_the_limit_of_descriptors(poor):
    for _ in range(4 * FEW):
        with Session(poor.path) as session:
            assert session.request("session.ping", 0, {}) == {}
