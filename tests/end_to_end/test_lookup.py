"""Names: lookups by the client and by the broker, how long they may take, and how many. protocol.md 10, docs/names.md."""
import contextlib
import os
import pathlib
import time

import pytest

from support import peers
from support.broker import BINARY, wait_until
from support.wire import Session

NAMES = pathlib.Path(os.environ.get("NETBROKER_TEST_NAMES_LIBRARY", BINARY.parent / "tests/end_to_end/libtest-daemon-names.so"))
HOST = "db.test"


@pytest.fixture
def port():
    with peers.listener(("127.0.0.2", 0)) as listener:
        yield peers.port_of(listener)


def ask(session, port, target=1, method="net.createConnection", **options):
    """Begins a connect whose name the client looks up; returns its msgid and the request for the lookup."""
    msgid = session.send(method, target, {"port": port, "host": HOST, "lookup": True, **options})
    return msgid, session.expect_event("socket.lookupRequest", target)


def addresses(*texts):
    return {"addresses": [{"address": text, "family": 6 if ":" in text else 4} for text in texts]}


# ---- the client looks up ----

@pytest.mark.parametrize("options, asked", [
    ({}, {"family": 0, "hints": 32, "all": True}),
    ({"family": 6}, {"family": 6, "hints": 0, "all": True}),
    ({"family": 4, "hints": 16}, {"family": 4, "hints": 16, "all": True}),
    ({"hints": 16}, {"family": 0, "hints": 16, "all": True}),
    ({"autoSelectFamily": False}, {"family": 0, "hints": 32, "all": False}),
], ids=str)
def test_the_request_says_what_to_look_up(session, port, options, asked):
    _, request = ask(session, port, **options)
    assert request == {"host": HOST, **asked}


@pytest.mark.parametrize("answer", [{"address": "127.0.0.2"}, {"address": "127.0.0.2", "family": 4},
                                    {"addresses": [{"address": "127.0.0.2"}]}, addresses("127.0.0.2")], ids=str)
def test_the_answer_is_connected_to(session, port, answer):
    connect, _ = ask(session, port)
    answered = session.send("socket.lookupResult", 1, answer)
    assert session.result(connect)["remoteAddress"] == "127.0.0.2"
    assert session.result(answered) == {}
    assert session.expect_event("socket.lookup", 1) == {"host": HOST, "address": "127.0.0.2", "family": 4}
    assert session.story(1, connect=connect) == ["lookupRequest", "lookup", "connect", "ready", "=connect"]


def test_what_is_written_meanwhile_waits(session):
    with peers.listener() as listener:
        ask(session, peers.port_of(listener))
        session.notify("socket.write", 1, b"early")
        session.notify("socket.lookupResult", 1, {"address": peers.LOOPBACK})
        with peers.accept(listener) as peer:
            assert peers.read_exactly(peer, 5) == b"early"


BAD = [
    ({"address": "nonsense", "family": 4}, "ERR_INVALID_IP_ADDRESS", "TypeError", "Invalid IP address: nonsense"),
    ({"address": "127.0.0.1 ", "family": 4}, "ERR_INVALID_IP_ADDRESS", "TypeError", "Invalid IP address: 127.0.0.1 "),
    ({}, "ERR_INVALID_IP_ADDRESS", "TypeError", "Invalid IP address: undefined"),
    ({"addresses": []}, "ERR_INVALID_IP_ADDRESS", "TypeError", "Invalid IP address: undefined"),
    ({"address": "127.0.0.2", "family": 5}, "ERR_INVALID_ADDRESS_FAMILY", "RangeError", f"Invalid address family: 5 {HOST}:1"),
    ({"address": "127.0.0.2", "family": 6}, "ERR_INVALID_ADDRESS_FAMILY", "RangeError", f"Invalid address family: 6 {HOST}:1"),
    ({"addresses": [{"address": "x"}, {"address": "y"}]}, "ERR_INVALID_IP_ADDRESS", "TypeError", "Invalid IP address: x"),
]


@pytest.mark.parametrize("answer, code, name, message", BAD, ids=lambda value: str(value)[:50])
def test_a_bad_answer_ends_the_connect_as_in_node(session, answer, code, name, message):
    connect, _ = ask(session, 1)
    answered = session.send("socket.lookupResult", 1, answer)
    for error in (session.error(connect), session.error(answered), session.expect_event("socket.error", 1)):
        assert (error["code"], error["name"], error["message"]) == (code, name, message)
    assert session.expect_event("socket.close", 1)["hadError"] is True
    assert session.story(1, connect=connect, answer=answered) == [
        "lookupRequest", "lookup", "error", "close", "!connect", "!answer"]


def test_bad_addresses_among_good_ones_are_passed_over(session, port):
    connect, _ = ask(session, port)
    session.notify("socket.lookupResult", 1, {"addresses": [{"address": "x", "family": 4}, {"address": "127.0.0.9", "family": 6},
                                                            {"address": "127.0.0.2", "family": 4}]})
    assert session.result(connect)["remoteAddress"] == "127.0.0.2"
    told = [body[0] for body in session.events("socket.lookup", 1)]
    assert [(one["address"], one["family"]) for one in told] == [("x", 4), ("127.0.0.9", 6), ("127.0.0.2", 4)]


def test_an_error_for_an_answer(session):
    connect, _ = ask(session, 1)
    theirs = {"code": "ENOTFOUND", "message": f"queryA ENOTFOUND {HOST}", "syscall": "queryA", "hostname": HOST}
    session.request("socket.lookupResult", 1, {"error": theirs})
    assert session.error(connect) == theirs
    assert session.expect_event("socket.lookup", 1) == {"host": HOST, "err": theirs}
    assert session.story(1, connect=connect) == ["lookupRequest", "lookup", "error", "close", "!connect"]


MALFORMED = [({"addresses": "127.0.0.2"}, "The \"addresses\" argument must be an instance of Array. Received type string ('127.0.0.2')"),
             ({"addresses": {"address": "127.0.0.2"}}, 'The "addresses" argument must be an instance of Array. Received an instance of Object'),
             ({"addresses": ["127.0.0.2"]}, "The \"addresses\" argument must be of type object. Received type string ('127.0.0.2')"),
             ({"addresses": [{"address": 5}]}, 'The "address" argument must be of type string. Received type number (5)'),
             ({"addresses": [{"adress": "127.0.0.2"}]}, 'Unknown option "adress"'),
             ({"address": 5}, 'The "address" argument must be of type string. Received type number (5)'),
             ({"family": "IPv4"}, "The \"family\" argument must be of type number. Received type string ('IPv4')")]


@pytest.mark.parametrize("answer, message", MALFORMED, ids=str)
def test_what_is_no_answer_is_refused_and_the_lookup_goes_on(session, port, answer, message):
    connect, _ = ask(session, port)
    error = session.refused("socket.lookupResult", 1, answer)
    assert error["code"] in {"ERR_INVALID_ARG_TYPE", "ERR_NB_UNKNOWN_OPTION"} and error["message"] == message
    session.request("socket.lookupResult", 1, {"address": "127.0.0.2"})
    session.result(connect)


def test_no_more_than_sixteen_addresses_count(session, port):
    connect, _ = ask(session, port)
    session.notify("socket.lookupResult", 1, addresses("127.0.0.2", *(f"127.0.1.{n}" for n in range(1, 30))))
    session.result(connect)
    assert len(session.events("socket.lookup", 1)) == 16


def test_a_second_answer_changes_nothing(session, port):
    connect, _ = ask(session, port)
    session.request("socket.lookupResult", 1, {"address": "127.0.0.2"})
    assert session.refused("socket.lookupResult", 1, {"address": "nonsense"})["code"] == "ERR_NB_NOT_ASKED"
    session.result(connect)
    assert session.request("socket.info", 1)["readyState"] == "open"


def test_an_answer_that_nobody_asked_for(session):
    session.request("socket.create", 1, {})
    assert session.refused("socket.lookupResult", 1, {"address": "127.0.0.2"})["code"] == "ERR_NB_NOT_ASKED"
    session.notify("socket.lookupResult", 1, {"address": "127.0.0.2"})
    told = session.expect_event("session.error")
    assert (told["code"], told["method"], told["target"]) == ("ERR_NB_NOT_ASKED", "socket.lookupResult", 1)


def test_an_answer_for_a_lookup_of_the_broker(session):
    with peers.listener() as listener:
        connect = session.send("net.createConnection", 1, {"port": peers.port_of(listener), "family": 4})
        refused = session.send("socket.lookupResult", 1, {"address": "127.0.0.99"})
        assert session.error(refused)["code"] == "ERR_NB_NOT_ASKED"
        assert session.result(connect)["remoteAddress"] == peers.LOOPBACK


def test_an_answer_that_crosses_with_the_end(session):
    ask(session, 1)
    ask(session, 1, target=3, autoRelease=False)
    for target in (1, 3):
        session.request("socket.destroy", target)
        session.notify("socket.lookupResult", target, {"address": "127.0.0.2"})
    assert session.refused("socket.lookupResult", 1, {"address": "127.0.0.2"})["code"] == "ERR_NB_NO_SUCH_TARGET"
    assert session.refused("socket.lookupResult", 3, {"address": "127.0.0.2"})["code"] == "ERR_SOCKET_CLOSED"
    assert not session.events("session.error")


def test_a_kept_id_asks_again(session, port):
    connect, _ = ask(session, port, autoRelease=False)
    session.request("socket.lookupResult", 1, {"error": {"code": "ENOTFOUND", "message": "not now"}})
    session.error(connect)
    connect, _ = ask(session, port, method="socket.connect")
    session.request("socket.lookupResult", 1, {"address": "127.0.0.2"})
    assert session.result(connect)["remoteAddress"] == "127.0.0.2"


def test_a_client_that_never_answers_hears_of_the_time_and_can_destroy(session):
    connect, _ = ask(session, 1, timeout=20)
    session.expect_event("socket.timeout", 1)
    assert session.request("socket.info", 1)["readyState"] == "opening"
    destroy = session.send("socket.destroy", 1)
    assert session.error(connect)["code"] == "ERR_SOCKET_CLOSED"
    assert session.result(destroy) == {}
    assert session.story(1) == ["lookupRequest", "timeout", "close"]


def test_a_client_that_goes_without_an_answer(broker):
    with Session(broker.path) as session:
        for target in range(1, 201, 2):
            session.send("net.createConnection", target, {"port": 1, "host": HOST, "lookup": True})
        session.expect_event("socket.lookupRequest", 199)
    with Session(broker.path) as session:
        assert session.request("session.ping", 0, {}) == {}


@pytest.mark.parametrize("where", [{"port": 1, "host": "127.0.0.3"}, {"path": "/nowhere/at/all"}], ids=str)
def test_what_is_no_name_is_not_asked_for(session, where):
    session.refused("net.createConnection", 1, {"lookup": True, **where})
    assert session.story(1) == ["error", "close"]


def test_an_id_that_the_client_does_not_know(session):
    error = session.refused("net.createConnection", 0, {"port": 1, "host": HOST, "lookup": True})
    assert (error["code"], error["argument"]) == ("ERR_INVALID_ARG_VALUE", "lookup")


def test_the_block_list_is_asked_about_the_clients_addresses(session, port):
    session.request("blockList.create", 3)
    session.request("blockList.addAddress", 3, {"address": "127.0.0.5"})
    connect, _ = ask(session, port, blockList=3)
    session.notify("socket.lookupResult", 1, addresses("127.0.0.5"))
    assert session.error(connect)["code"] == "ERR_IP_BLOCKED"


def test_the_configuration_is_asked_about_the_clients_addresses(start_broker, folder, port):
    (folder / "list").write_text("127.0.0.0/8\n")
    running = start_broker(None, "--block-list", f"x={folder / 'list'}", "--deny-connect", "x")
    with Session(running.path) as session:
        connect, _ = ask(session, port)
        session.notify("socket.lookupResult", 1, addresses("127.0.0.2"))
        assert session.error(connect)["code"] == "ERR_NB_POLICY"


# ---- the broker looks up ----

class Names:
    """Names of a daemon that was started with them."""

    def __init__(self, folder):
        self.folder = folder

    def put(self, name, *texts):
        (self.folder / name).write_text("".join(f"{text}\n" for text in texts))

    def put_slow(self, name):
        os.mkfifo(self.folder / name)

    def catch(self, name):
        """Waits until a lookup of a slow name is under way. Returns a file: it takes the addresses, one a line, and the
        lookup goes on when it is closed."""
        return wait_until(lambda: self._open(name), f"a lookup of {name}")

    def is_asked_for(self, name):
        with self._open(name) or contextlib.nullcontext() as lookup:
            return lookup is not None

    def _open(self, name):
        with contextlib.suppress(OSError):  # ENXIO: nobody reads
            return open(os.open(self.folder / name, os.O_WRONLY | os.O_NONBLOCK), "w", encoding="ascii")


@pytest.fixture
def names(folder):
    if not NAMES.exists():
        pytest.skip(f"{NAMES.name} is not built")
    (folder / "names").mkdir()
    return Names(folder / "names")


@pytest.fixture
def named(names, start_broker):
    """Starts a daemon with these names."""
    def start(*flags):
        return start_broker(None, *flags, env={"LD_PRELOAD": str(NAMES), "NETBROKER_TEST_NAMES": str(names.folder)})
    return start


def begin_slow(session, names, count, first=101):
    """Connects to that many slow names; returns the msgids."""
    msgids = []
    for target in range(first, first + 2 * count, 2):
        names.put_slow(f"slow{target}")
        msgids.append(session.send("net.createConnection", target, {"port": 1, "host": f"slow{target}"}))
    return msgids


def test_each_address_is_told_in_order(named, names, port):
    names.put(HOST, "127.0.0.3", "::1", "127.0.0.2")
    with Session(named().path) as session:
        result = session.request("net.createConnection", 1, {"port": port, "host": HOST})
        assert result["remoteAddress"] == "127.0.0.2"
        assert [body[0]["address"] for body in session.events("socket.lookup", 1)] == ["127.0.0.3", "::1", "127.0.0.2"]


def test_only_the_first_address_without_auto_select_family(named, names, port):
    names.put(HOST, "127.0.0.3", "127.0.0.2")
    with Session(named().path) as session:
        error = session.refused("net.createConnection", 1, {"port": port, "host": HOST, "autoSelectFamily": False})
        assert error["message"] == f"connect ECONNREFUSED 127.0.0.3:{port}"
        assert len(session.events("socket.lookup", 1)) == 1


def test_a_creation_whose_id_is_not_known_holds_the_attempts_back(named, names, port):
    names.put(HOST, "127.0.0.3", "127.0.0.2")
    with Session(named().path) as session:
        msgid = session.send("net.createConnection", 0, {"port": port, "host": HOST})
        target = session.result(msgid)["id"]
        session.expect_event("socket.ready", target)
        assert session.story(target, create=msgid) == [
            "=create", "lookup", "connectionAttempt", "connectionAttemptFailed", "connectionAttempt", "connect", "ready"]


def test_a_failed_creation_whose_id_is_not_known(named, names):
    names.put(HOST, "127.0.0.3", "127.0.0.4")
    taken, port = peers.refused_port()
    with taken, Session(named().path) as session:
        msgid = session.send("net.createConnection", 0, {"port": port, "host": HOST})
        error = session.error(msgid)
        assert error["name"] == "AggregateError" and len(error["errors"]) == 2
        session.expect_event("socket.close", error["target"])
        assert session.story(error["target"], create=msgid)[:2] == ["!create", "lookup"]


def test_slow_names_hold_up_neither_another_session_nor_files(named, names, port):
    names.put(HOST, "127.0.0.2")
    running = named()
    with Session(running.path) as slow, Session(running.path) as other:
        begin_slow(slow, names, 40)
        with names.catch("slow101"), names.catch("slow107"):
            assert other.request("net.createConnection", 1, {"port": port, "host": HOST})["remoteAddress"] == "127.0.0.2"
            assert slow.request("session.info")["lookups"] == 40
            assert not names.is_asked_for("slow109"), "one session has more than its part of the threads"
            slow.request("session.close")


def test_a_lookup_is_answered_late(named, names, port):
    names.put_slow(HOST)
    with Session(named().path) as session:
        connect = session.send("net.createConnection", 1, {"port": port, "host": HOST})
        with names.catch(HOST) as lookup:
            assert session.request("session.info")["lookups"] == 1
            lookup.write("127.0.0.2\n")
        session.result(connect)
        assert session.request("session.info")["lookups"] == 0


def test_a_late_answer_to_a_destroyed_socket_reaches_nobody(named, names):
    names.put_slow(HOST)
    with Session(named().path) as session:
        session.send("net.createConnection", 1, {"port": 1, "host": HOST, "autoRelease": False})
        with names.catch(HOST) as lookup:
            session.request("socket.destroy", 1)
            assert session.request("session.info")["lookups"] == 0
            lookup.write("127.0.0.2\n")
        assert session.refused("socket.connect", 1, {"port": 1, "host": "127.0.0.3"})["code"] == "ECONNREFUSED"
        assert session.story(1) == ["close", "error", "close"]


def test_the_lookups_of_a_session_have_a_limit(named, names, port):
    names.put(HOST, "127.0.0.2")
    with Session(named("--limit", "maxLookups=3").path) as session:
        assert session.request("session.hello", 0, {})["limits"]["maxLookups"] == 3
        begin_slow(session, names, 3)
        for method, target in (("net.createConnection", 1), ("net.createConnection", 0)):
            error = session.refused(method, target, {"port": port, "host": HOST})
            assert (error["code"], error["limit"]) == ("ERR_NB_LIMIT", "maxLookups")
        session.request("server.create", 3, {})
        assert session.refused("server.listen", 3, {"port": 0, "host": HOST})["limit"] == "maxLookups"
        session.request("net.createConnection", 1, {"port": port, "host": "127.0.0.2"})
        connect, _ = ask(session, port, target=5)
        session.notify("socket.lookupResult", 5, {"address": "127.0.0.2"})
        session.result(connect)
        session.request("socket.destroy", 105)
        session.request("net.createConnection", 7, {"port": port, "host": HOST})
        assert not session.events("server.error", 3)


def test_a_session_that_ends_gives_up_its_lookups(named, names):
    running = named()
    fds = running.open_fds()
    with Session(running.path) as session:
        begin_slow(session, names, 20)
        held = names.catch("slow103")
    wait_until(lambda: running.open_fds() == fds + 1, "the session's end")  # one lookup has opened its name
    held.close()
    names.put_slow("last")
    with Session(running.path) as session:
        session.send("net.createConnection", 1, {"port": 1, "host": "last"})
        names.catch("last").close()
    assert not names.is_asked_for("slow139"), "a lookup was begun for a session that is gone"


def test_the_daemon_ends_although_names_are_slow(named, names):
    running = named("--stop-deadline", "200")
    with Session(running.path) as session:
        begin_slow(session, names, 8)
        with names.catch("slow107"):
            begun = time.monotonic()
            running.stop()
            assert time.monotonic() - begun < 8


def test_a_server_that_closes_while_its_name_is_looked_up(named, names):
    names.put_slow(HOST)
    with Session(named().path) as session:
        session.request("server.create", 1, {})
        listen = session.send("server.listen", 1, {"port": 0, "host": HOST})
        with names.catch(HOST) as lookup:
            session.request("server.close", 1)
            assert session.error(listen)["code"] == "ERR_SERVER_NOT_RUNNING"
            assert session.request("session.info")["lookups"] == 0
            lookup.write("127.0.0.2\n")
        assert session.request("server.listen", 1, {"port": 0, "host": "127.0.0.1"})["port"]


def test_a_server_listens_on_a_name(named, names):
    names.put_slow(HOST)
    with Session(named().path) as session:
        session.request("server.create", 1, {})
        listen = session.send("server.listen", 1, {"port": 0, "host": HOST})
        with names.catch(HOST) as lookup:
            lookup.write("127.0.0.2\n")
        assert session.result(listen)["address"] == "127.0.0.2"
