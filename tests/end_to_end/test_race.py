"""Several addresses: which are tried when, what is told of it, who wins, and what is left of the others. docs/names.md."""
import contextlib
import select
import socket
import time

import pytest

from support import peers
from support.broker import BINARY, wait_until
from support.wire import Session

HOST = "many.test"
ATTEMPTS = ("connectionAttempt", "connectionAttemptFailed", "connectionAttemptTimeout")
LONG = 5  # seconds: far more than two attempt delays, less than a SYN's second repetition takes


# ---- places to connect to: the same port on several addresses of the loopback ----

@pytest.fixture
def place():
    with Place() as made:
        yield made


class Place:
    """A port on which addresses of 127.0.0.0/8 and ::1 refuse, accept, or leave a connect without an answer."""

    def __init__(self):
        self._stack = contextlib.ExitStack()
        self._fillers = {}
        self.port = peers.port_of(self._stack.enter_context(contextlib.closing(bound("127.0.0.99", 0))))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self._stack.close()

    def accepting(self, address):
        listener = self._stack.enter_context(contextlib.closing(bound(address, self.port)))
        listener.listen()
        return listener

    def stuck(self, address):
        """Its queue of connections is full: SYNs are dropped until unstick."""
        listener = self._stack.enter_context(contextlib.closing(bound(address, self.port)))
        listener.listen(0)
        self._fillers[address] = []
        for _ in range(4):
            filler = self._stack.enter_context(contextlib.closing(socket.socket(listener.family)))
            filler.setblocking(False)
            filler.connect_ex((address, self.port))
            self._fillers[address].append(filler)
        return listener

    def unstick(self, listener):
        """Takes the fillers out of the queue, so that the next repetition of a SYN finds room."""
        own = {filler.getsockname() for filler in self._fillers[listener.getsockname()[0]]}
        for filler in self._fillers[listener.getsockname()[0]]:
            filler.close()
        while True:
            peer, address = listener.accept()
            if address not in own:
                return peer
            peer.close()


def bound(address, port):
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.settimeout(LONG * 2)
    sock.bind((address, port))
    return sock


def dial(session, place, *found, target=1, method="net.createConnection", **options):
    """Begins a connect to a name with these addresses; returns its msgid."""
    msgid = session.send(method, target, {"port": place.port, "host": HOST, "lookup": True, **options})
    session.expect_event("socket.lookupRequest", target)
    session.notify("socket.lookupResult", target, {"addresses": [{"address": text} for text in found]})
    return msgid


def attempts(session, target=1):
    """What was told of attempts so far: (verb, address)."""
    return [(frame[1].split(".")[1], frame[2][1]["address"]) for frame in session.log
            if frame[0] == 2 and frame[2][0] == target and frame[1].split(".")[1] in ATTEMPTS]


# ---- order ----

def test_the_families_take_turns(session, place):
    connect = dial(session, place, "127.0.0.2", "127.0.0.3", "127.0.0.4", "::1", "127.0.0.2")
    error = session.error(connect)
    assert [one["address"] for one in error["errors"]] == ["127.0.0.2", "::1", "127.0.0.3", "127.0.0.4"]
    assert [address for verb, address in attempts(session) if verb == "connectionAttempt"] == [
        "127.0.0.2", "::1", "127.0.0.3", "127.0.0.4"]


def test_the_family_of_the_first_address_begins(session, place):
    dial(session, place, "::1", "127.0.0.2")
    session.expect_event("socket.close", 1)
    assert attempts(session) == [("connectionAttempt", "::1"), ("connectionAttemptFailed", "::1"),
                                 ("connectionAttempt", "127.0.0.2"), ("connectionAttemptFailed", "127.0.0.2")]


def test_all_failures_are_told_as_in_node(session, place):
    connect = dial(session, place, "127.0.0.2", "::1")
    refusals = [{"code": "ECONNREFUSED", "message": f"connect ECONNREFUSED {address}:{place.port}", "errno": -111,
                 "syscall": "connect", "address": address, "port": place.port} for address in ("127.0.0.2", "::1")]
    error = session.error(connect)
    assert error == {"code": "ECONNREFUSED", "message": "", "name": "AggregateError", "errors": refusals}
    assert session.expect_event("socket.error", 1) == error
    failed = session.expect_event("socket.connectionAttemptFailed", 1)
    assert failed == {"address": "127.0.0.2", "port": place.port, "family": 4, "error": refusals[0]}
    assert session.expect_event("socket.close", 1) == {"hadError": True, "bytesRead": 0, "bytesWritten": 0}


def test_one_that_fails_is_followed_at_once(session, place):
    place.accepting("127.0.0.3")
    connect = dial(session, place, "127.0.0.2", "127.0.0.3", autoSelectFamilyAttemptTimeout=60000)
    assert session.result(connect)["remoteAddress"] == "127.0.0.3"
    assert attempts(session) == [("connectionAttempt", "127.0.0.2"), ("connectionAttemptFailed", "127.0.0.2"),
                                 ("connectionAttempt", "127.0.0.3")]
    assert session.story(1, connect=connect) == [
        "lookupRequest", "lookup", "connectionAttempt", "connectionAttemptFailed", "connectionAttempt", "connect", "ready", "=connect"]


# ---- time ----

def test_one_that_takes_long_is_passed(session, place):
    place.stuck("127.0.0.2")
    place.accepting("127.0.0.3")
    begun = time.monotonic()
    assert session.result(dial(session, place, "127.0.0.2", "127.0.0.3"))["remoteAddress"] == "127.0.0.3"
    assert 0.2 < time.monotonic() - begun < LONG
    assert attempts(session) == [("connectionAttempt", "127.0.0.2"), ("connectionAttemptTimeout", "127.0.0.2"),
                                 ("connectionAttempt", "127.0.0.3")]
    assert session.expect_event("socket.connectionAttemptTimeout", 1) == {"address": "127.0.0.2", "port": place.port, "family": 4}


def test_a_slow_route_is_not_given_up(session, place):
    slow = place.stuck("127.0.0.2")
    place.stuck("127.0.0.3")
    connect = dial(session, place, "127.0.0.2", "127.0.0.3", autoSelectFamilyAttemptTimeout=10)
    session.expect_event("socket.connectionAttemptTimeout", 1)
    while ("connectionAttempt", "127.0.0.3") not in attempts(session):
        session.expect_event("socket.connectionAttempt", 1)
    with place.unstick(slow) as peer:
        assert session.result(connect)["remoteAddress"] == "127.0.0.2"
        session.request("socket.write", 1, b"here")
        assert peers.read_exactly(peer, 4) == b"here"
    assert attempts(session) == [("connectionAttempt", "127.0.0.2"), ("connectionAttemptTimeout", "127.0.0.2"),
                                 ("connectionAttempt", "127.0.0.3")]


def test_a_slow_route_is_not_given_up_when_all_others_have_failed(session, place):
    slow = place.stuck("127.0.0.2")
    connect = dial(session, place, "127.0.0.2", "127.0.0.3", "127.0.0.4", autoSelectFamilyAttemptTimeout=10)
    while ("connectionAttemptFailed", "127.0.0.4") not in attempts(session):
        session.expect_event("socket.connectionAttemptFailed", 1)
    assert session.request("socket.info", 1)["readyState"] == "opening"
    with place.unstick(slow):
        assert session.result(connect)["remoteAddress"] == "127.0.0.2"


def test_a_time_below_ten_counts_as_ten(session, place):
    place.stuck("127.0.0.2")
    place.accepting("127.0.0.3")
    begun = time.monotonic()
    session.result(dial(session, place, "127.0.0.2", "127.0.0.3", autoSelectFamilyAttemptTimeout=1))
    assert time.monotonic() - begun >= 0.009  # the loop's clock counts whole milliseconds


# ---- without a race ----

def test_without_auto_select_family_the_first_address_is_all(session, place):
    place.accepting("127.0.0.3")
    error = session.error(dial(session, place, "127.0.0.2", "127.0.0.3", autoSelectFamily=False))
    assert error["message"] == f"connect ECONNREFUSED 127.0.0.2:{place.port}" and "errors" not in error
    assert len(session.events("socket.lookup", 1)) == 1


def test_a_single_address_is_told_of_when_the_client_says_so(session, place):
    place.accepting("127.0.0.2")
    for target, options in ((1, {}), (3, {"autoSelectFamily": True}), (5, {"autoSelectFamily": False})):
        session.request("net.createConnection", target, {"port": place.port, "host": "127.0.0.2", **options})
    assert attempts(session, 1) == []
    assert attempts(session, 3) == attempts(session, 5) == [("connectionAttempt", "127.0.0.2")]
    assert session.expect_event("socket.connectionAttempt", 3) == {"address": "127.0.0.2", "port": place.port, "family": 4}


def test_a_path_is_told_of_when_the_client_says_so(session, folder):
    path = str(folder / "nobody")
    error = session.refused("net.createConnection", 1, {"path": path, "autoSelectFamily": True})
    assert session.expect_event("socket.connectionAttempt", 1) == {"address": path}
    assert session.expect_event("socket.connectionAttemptFailed", 1) == {"address": path, "error": error}


@pytest.mark.parametrize("value, code, message", [
    (0, "ERR_OUT_OF_RANGE", "It must be >= 1 && <= 2147483647. Received 0"),
    (-1, "ERR_OUT_OF_RANGE", "It must be >= 1 && <= 2147483647. Received -1"),
    (1.5, "ERR_OUT_OF_RANGE", "It must be an integer. Received 1.5"),
    (1 << 31, "ERR_OUT_OF_RANGE", ""),
    ("x", "ERR_INVALID_ARG_TYPE", "must be of type number. Received type string ('x')"),
])
def test_the_time_is_checked_as_in_node(session, value, code, message):
    error = session.refused("net.createConnection", 1, {"port": 1, "host": "127.0.0.2", "autoSelectFamilyAttemptTimeout": value})
    assert (error["code"], error["argument"]) == (code, "autoSelectFamilyAttemptTimeout")
    assert "options.autoSelectFamilyAttemptTimeout" in error["message"] and message in error["message"]


def test_auto_select_family_is_a_boolean(session):
    error = session.refused("net.createConnection", 1, {"port": 1, "autoSelectFamily": 1})
    assert error["message"] == 'The "options.autoSelectFamily" property must be of type boolean. Received type number (1)'


# ---- losers ----

def test_nothing_is_left_of_the_losers(session, place, broker):
    place.stuck("127.0.0.2")
    place.stuck("127.0.0.4")
    place.accepting("127.0.0.3")
    session.request("session.ping")  # it has been accepted
    fds = broker.open_fds()
    connect = dial(session, place, "127.0.0.2", "127.0.0.4", "127.0.0.3", autoSelectFamilyAttemptTimeout=10)
    session.result(connect)
    wait_until(lambda: broker.open_fds() == fds + 1, "the losers' descriptors closed")
    session.request("socket.destroy", 1)
    assert session.story(1)[-3:] == ["connect", "ready", "close"]


def begin_stuck_race(session, place, target=1, **options):
    """A race of three addresses, all of them without an answer; returns the connect's msgid."""
    for address in ("127.0.0.2", "127.0.0.3", "127.0.0.4"):
        place.stuck(address)
    connect = dial(session, place, "127.0.0.2", "127.0.0.3", "127.0.0.4", target=target, autoSelectFamilyAttemptTimeout=10, **options)
    while ("connectionAttempt", "127.0.0.4") not in attempts(session, target):
        session.expect_event("socket.connectionAttempt", target)
    return connect


def test_destroy_in_the_middle(session, place, broker):
    session.request("session.ping")  # it has been accepted
    fds = broker.open_fds()
    connect = begin_stuck_race(session, place)
    assert broker.open_fds() == fds + 3
    destroy = session.send("socket.destroy", 1)
    assert session.error(connect)["code"] == "ERR_SOCKET_CLOSED"
    assert session.result(destroy) == {}
    assert broker.open_fds() == fds
    assert session.story(1, connect=connect, destroy=destroy)[-3:] == ["!connect", "close", "=destroy"]


def test_the_end_of_the_session_in_the_middle(broker, place):
    fds = broker.open_fds()
    with Session(broker.path) as session:
        begin_stuck_race(session, place)
    wait_until(lambda: broker.open_fds() <= fds, "the attempts' descriptors closed")


def test_a_kept_id_races_again(session, place):
    begin_stuck_race(session, place, autoRelease=False)
    session.request("socket.destroy", 1)
    place.accepting("127.0.0.5")
    connect = dial(session, place, "127.0.0.6", "127.0.0.5", method="socket.connect")
    assert session.result(connect)["remoteAddress"] == "127.0.0.5"


def test_a_reset_in_the_middle_waits_for_the_connection(session, place):
    slow = place.stuck("127.0.0.2")
    dial(session, place, "127.0.0.2", "127.0.0.3", autoSelectFamilyAttemptTimeout=10)
    session.expect_event("socket.connectionAttemptFailed", 1)
    reset = session.send("socket.resetAndDestroy", 1)
    with place.unstick(slow) as peer, pytest.raises(ConnectionResetError):
        peer.recv(1)
    session.result(reset)
    assert session.story(1)[-3:] == ["connect", "ready", "close"]


# ---- block lists ----

def test_a_blocked_address_is_passed_over(session, place):
    place.accepting("127.0.0.3")
    blocked = place.accepting("127.0.0.2")
    session.request("blockList.create", 3)
    session.request("blockList.addAddress", 3, {"address": "127.0.0.2"})
    connect = dial(session, place, "127.0.0.2", "127.0.0.3", blockList=3)
    assert session.result(connect)["remoteAddress"] == "127.0.0.3"
    assert attempts(session) == [("connectionAttemptFailed", "127.0.0.2"), ("connectionAttempt", "127.0.0.3")]
    assert session.expect_event("socket.connectionAttemptFailed", 1)["error"]["code"] == "ERR_IP_BLOCKED"
    assert select.select([blocked], [], [], 0)[0] == [], "a blocked address was connected to"


# ---- local ends ----

def test_only_addresses_of_the_local_family_are_tried(session, place):
    place.accepting("127.0.0.2")
    connect = dial(session, place, "::1", "127.0.0.2", localAddress="127.0.0.7", autoSelectFamily=True)
    result = session.result(connect)
    assert (result["localAddress"], result["remoteAddress"]) == ("127.0.0.7", "127.0.0.2")
    assert attempts(session) == [("connectionAttempt", "127.0.0.2")]


def test_no_address_of_the_local_family(session, place):
    error = session.error(dial(session, place, "127.0.0.2", localAddress="::1"))
    assert (error["code"], error["syscall"], error["address"]) == ("EINVAL", "bind", "::1")


def test_each_attempt_is_made_from_the_local_port(session, place):
    taken, port = peers.refused_port()  # of all addresses: a socket of another test must not be in the way
    with taken:
        place.stuck("127.0.0.2")
        place.accepting("127.0.0.3")
        connect = dial(session, place, "127.0.0.2", "127.0.0.3", localPort=port, autoSelectFamilyAttemptTimeout=10)
        result = session.result(connect)
    assert (result["localPort"], result["remoteAddress"]) == (port, "127.0.0.3")


def test_a_local_end_that_cannot_be_had(session, place):
    error = session.error(dial(session, place, "127.0.0.2", "127.0.0.3", localAddress="192.0.2.1"))
    assert (error["code"], error["name"]) == ("EADDRNOTAVAIL", "AggregateError")
    assert [one["syscall"] for one in error["errors"]] == ["bind", "bind"]
    assert attempts(session) == []


# ---- no descriptor for the next attempt ----

def test_without_a_descriptor_the_others_go_on(start_broker, folder, place):
    path = folder / "broker.sock"
    command = ["/bin/sh", "-c", "ulimit -n 64; exec \"$@\"", "sh", str(BINARY), "serve", "--socket", str(path), "--workers", "1"]
    running = start_broker(path, command=command)
    slow = place.stuck("127.0.0.2")
    with Session(running.path) as session, peers.listener() as listener:
        body = {"port": peers.port_of(listener), "host": peers.LOOPBACK}
        targets = range(101, 301, 2)
        last = next(n for n in targets if session.response(session.send("net.createConnection", n, body))[2])
        session.request("socket.destroy", last - 2)  # room for one attempt
        connect = dial(session, place, "127.0.0.2", "127.0.0.3", autoSelectFamilyAttemptTimeout=10)
        failed = session.expect_event("socket.connectionAttemptFailed", 1)
        assert (failed["address"], failed["error"]["code"]) == ("127.0.0.3", "EMFILE")
        with place.unstick(slow):
            assert session.result(connect)["remoteAddress"] == "127.0.0.2"
