"""What comes before what. protocol.md 3, rule by rule; every other test is checked by support/conformance.py too."""
from support import peers
from support.broker import wait_until
from support.wire import request_frame

FLOOD = 8 << 20


# ---- 1: one ordered stream each way ----

def test_frames_for_one_target_take_effect_in_order(session):
    with peers.connect(session) as peer:
        for number in range(1000):
            send = session.notify if number % 3 else session.send
            send("socket.write", 1, b"%06d" % number)
        session.notify("socket.end", 1)
        assert peers.read_to_end(peer) == b"".join(b"%06d" % number for number in range(1000))


def test_a_request_that_waits_holds_up_no_other_target(session):
    with peers.unanswering() as port:
        stuck = session.send("net.createConnection", 1, {"port": port, "host": peers.LOOPBACK})
        session.request("session.ping", 0, {})
        with peers.connect(session, 3):
            assert session.story(1, connect=stuck) == []


# ---- 2: events before the response that they belong to, a creation before its events ----

def test_connect_answers_after_its_events(session):
    with peers.listener() as listener:
        session.request("socket.create", 1, {})
        msgid = session.send("socket.connect", 1, {"port": peers.port_of(listener), "host": peers.LOOPBACK})
        session.result(msgid)
    assert session.story(1, connect=msgid) == ["connect", "ready", "=connect"]


def test_a_host_name_is_looked_up_before_connect(session):
    with peers.listener() as listener:
        msgid = session.send("net.createConnection", 1, {"port": peers.port_of(listener)})
        session.result(msgid)
    assert session.story(1, create=msgid)[-4:] == ["lookup", "connect", "ready", "=create"]


def test_a_creation_by_the_broker_answers_before_every_event(session):
    with peers.listener() as listener:
        msgid = session.send("net.createConnection", 0, {"port": peers.port_of(listener)})
        target = session.result(msgid)["id"]
        session.expect_event("socket.ready", target)
    assert session.story(target, create=msgid) == ["=create", "lookup", "connect", "ready"]


def test_a_failed_creation_by_the_broker_answers_before_every_event(session):
    taken, port = peers.refused_port()
    with taken:
        msgid = session.send("net.createConnection", 0, {"port": port, "host": "localhost"})
        target = session.error(msgid)["target"]
        session.expect_event("socket.close", target)
    assert target % 2 == 0
    assert session.story(target, create=msgid) == ["!create", "lookup", "error", "close"]


def test_listening_comes_before_the_answer_to_listen(session):
    session.request("server.create", 1, {})
    msgid = session.send("server.listen", 1, {"port": 0, "host": peers.LOOPBACK})
    session.result(msgid)
    assert session.story(1, listen=msgid) == ["listening", "=listen"]


def test_a_failed_listen_has_its_error_event_before_the_answer(session):
    with peers.listener() as taken:
        session.request("server.create", 1, {})
        msgid = session.send("server.listen", 1, {"port": peers.port_of(taken), "host": peers.LOOPBACK})
        session.error(msgid)
    assert session.story(1, listen=msgid) == ["error", "!listen"]


def test_the_connection_event_comes_before_every_event_of_its_socket(session):
    peers.serve(session)
    with peers.dial(session.request("server.address", 1)["port"]) as peer:
        peer.sendall(b"at once")
    connection = session.expect_event("server.connection", 1)
    session.expect_event("socket.close", connection["socket"])
    first = next(frame for frame in session.log if frame[0] == 2 and frame[2][0] == connection["socket"])
    assert session.log.index([2, "server.connection", [1, connection]]) < session.log.index(first)


def test_server_close_answers_after_its_event(session):
    peers.serve(session)
    msgid = session.send("server.close", 1)
    session.result(msgid)
    assert session.story(1, close=msgid)[-2:] == ["close", "=close"]


def test_closing_a_server_that_is_not_open_has_its_event_too(session):
    session.request("server.create", 1, {})
    msgid = session.send("server.close", 1)
    session.error(msgid)
    assert session.story(1, close=msgid) == ["close", "!close"]


def test_destroy_answers_after_close(session):
    with peers.connect(session):
        msgid = session.send("socket.destroy", 1)
        session.result(msgid)
    assert session.story(1, destroy=msgid)[-2:] == ["close", "=destroy"]


# ---- 3: the life of a socket ----

def test_a_whole_life_with_the_peer_ending_first(session):
    with peers.listener() as listener:
        session.request("net.createConnection", 1, {"port": peers.port_of(listener)})
        with peers.accept(listener) as peer:
            peer.sendall(b"x" * 100000)
        session.expect_event("socket.close", 1)
    assert session.story(1) == ["lookup", "connect", "ready", "data", "end", "close"]


def test_a_reset_has_its_error_right_before_close(session):
    peers.reset(peers.connect(session))
    session.expect_event("socket.close", 1)
    assert session.story(1) == ["connect", "ready", "error", "close"]


def test_a_failed_connect_ends_with_error_close_and_the_open_requests_in_order(session):
    taken, port = peers.refused_port()
    with taken:
        session.send_bytes(request_frame(1, "net.createConnection", 1, {"port": port, "host": "127.0.0.1"}) +
                           request_frame(2, "socket.write", 1, b"x") + request_frame(3, "socket.end", 1, b"y"))
        session.error(3)
    assert session.story(1, connect=1, write=2, end=3) == ["error", "close", "!connect", "!write", "!end"]


# ---- 4: the fence of pause ----

def test_no_data_follows_the_answer_to_pause(session):
    with peers.connect(session) as peer:
        peer.setblocking(False)
        sent = send_what_fits(peer)
        session.expect_event("socket.data", 1)
        pause = session.send("socket.pause", 1)
        session.result(pause)
        fence = len(session.log)
        sent += send_until_stuck(peer)
        session.request("session.ping", 0, {})
        assert [frame for frame in session.log[fence:] if frame[0] == 2] == []
        session.request("socket.resume", 1)
        peer.close()
        session.expect_event("socket.close", 1)
    assert sum(len(body) for [body] in session.events("socket.data", 1)) == sent


def send_what_fits(peer):
    try:
        return peer.send(b"x" * FLOOD)
    except BlockingIOError:
        return 0


def send_until_stuck(peer):
    """Fills the kernel's buffers of both ends: what is left then is left because nobody reads."""
    total, idle = 0, 0

    def stuck():
        nonlocal total, idle
        sent = send_what_fits(peer)
        total, idle = total + sent, 0 if sent else idle + 1
        return idle >= 20
    wait_until(stuck, "full kernel buffers")
    return total


# ---- 5, 6, 7: ping, destroy, pipelining on failure ----

def test_ping_answers_after_every_earlier_frame_was_started(session):
    with peers.connect(session) as peer:
        session.notify("socket.write", 1, b"first")
        session.notify("socket.setTimeout", 1, {"timeout": -1})
        session.request("session.ping", 0, {})
        assert session.events("session.error")[0][0]["code"] == "ERR_OUT_OF_RANGE"
        assert peers.read_exactly(peer, 5) == b"first"


def test_destroy_answers_a_pending_connect_and_its_writes_first(session):
    with peers.unanswering() as port:
        connect = session.send("net.createConnection", 1, {"port": port, "host": peers.LOOPBACK})
        write = session.send("socket.write", 1, b"x")
        destroy = session.send("socket.destroy", 1)
        assert session.error(connect)["code"] == "ERR_SOCKET_CLOSED"
        assert session.error(write)["code"] in ("ERR_STREAM_DESTROYED", "ERR_SOCKET_CLOSED")
        session.result(destroy)
    story = session.story(1, connect=connect, write=write, destroy=destroy)
    assert [line for line in story if line != "close"] == ["!connect", "!write", "=destroy"]
    assert story.index("close") < story.index("=destroy")


def test_destroy_answers_pending_writes_first(session):
    with peers.connect(session):
        writes = peers.write_until_stuck(session, 1)
        destroy = session.send("socket.destroy", 1)
        session.result(destroy)
    assert session.error(writes[-1])["code"] == "ERR_STREAM_DESTROYED"
    story = session.story(1, write=writes[-1], destroy=destroy)
    assert story[-1] == "=destroy" and "!write" in story and "close" in story


def test_writes_to_a_socket_that_failed_to_connect_fail_by_themselves(session):
    taken, port = peers.refused_port()
    with taken:
        session.notify("net.createConnection", 1, {"port": port, "host": peers.LOOPBACK, "autoRelease": False})
        session.expect_event("socket.close", 1)
        assert session.refused("socket.write", 1, b"x")["code"] in ("ERR_STREAM_DESTROYED", "ERR_SOCKET_CLOSED")
        assert session.request("session.ping", 0, {"a": 1}) == {"a": 1}


def test_destroy_during_a_lookup(session):
    session.send_bytes(request_frame(101, "net.createConnection", 1, {"port": 1, "host": "localhost"}) +
                       request_frame(102, "socket.destroy", 1))
    assert session.error(101)["code"] == "ERR_SOCKET_CLOSED"
    session.result(102)
    assert session.story(1, connect=101, destroy=102) == ["!connect", "close", "=destroy"]


def test_close_right_after_listen(session):
    session.request("server.create", 1, {})
    listen, close = session.send("server.listen", 1, {"port": 0, "host": "localhost"}), session.send("server.close", 1)
    session.response(listen)
    session.result(close)
    assert not session.request("server.address", 1)
    assert session.request("server.listen", 1, {"port": 0, "host": "localhost"})["port"] > 0


def test_listen_right_after_listen(session):
    session.request("server.create", 1, {})
    first = session.send("server.listen", 1, {"port": 0, "host": "localhost"})
    assert session.refused("server.listen", 1, {"port": 0})["code"] == "ERR_SERVER_ALREADY_LISTEN"
    assert session.result(first)["port"] > 0
