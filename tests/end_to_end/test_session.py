"""The session itself: hello, ping, info, describe, poll, close, idle. protocol.md 1, 1.6, 4, 5, 6."""
import os
import time

import msgpack
import pytest

from support import peers
from support.wire import Failed

LIMITS = {"maxWrite": 1 << 20, "maxFrame": (1 << 20) + (64 << 10), "maxDepth": 16, "maxElements": 4096,
          "maxText": 64 << 10, "maxPending": 65536, "maxSockets": 16384, "maxServers": 1024, "readChunk": 64 << 10,
          "outHigh": 1 << 20, "outLow": 256 << 10}


# ---- hello ----

def test_hello_tells_version_broker_limits_and_who_the_client_is(session):
    welcome = session.request("session.hello", 0, {"protocol": 1, "client": {"name": "test", "version": "1"}})
    assert welcome["protocol"] == 1
    assert welcome["broker"]["name"] == "netbroker" and welcome["broker"]["version"]
    assert welcome["broker"]["libuv"].count(".") == 2
    assert welcome["peer"] == {"uid": os.getuid(), "gid": os.getgid(), "pid": os.getpid()}
    assert isinstance(welcome["session"], str) and welcome["session"]


@pytest.mark.parametrize("name", LIMITS)
def test_hello_grants_the_default_limit(session, name):
    assert session.request("session.hello", 0, {})["limits"][name] == LIMITS[name]


def test_hello_gives_the_stall_timeout_in_milliseconds(session):
    assert session.request("session.hello", 0, {})["limits"]["stallTimeout"] == 60000


def test_hello_without_a_body(session):
    assert session.request("session.hello")["protocol"] == 1


def test_every_session_has_its_own_name(connect_session):
    one, two = (connect_session().request("session.hello", 0, {})["session"] for _ in range(2))
    assert one != two


def test_hello_settles_on_the_highest_common_version(session):
    assert session.request("session.hello", 0, {"protocol": 9, "minProtocol": 1})["protocol"] == 1


@pytest.mark.parametrize("body", [{"protocol": 9, "minProtocol": 2}, {"protocol": 0}])
def test_no_common_version(session, body):
    error = session.refused("session.hello", 0, body)
    assert error["code"] == "ERR_NB_VERSION" and error["supported"] == [1, 1]


def test_unknown_features_are_ignored(session):
    granted = session.request("session.hello", 0, {"features": ["telepathy", "teleport"]}).get("features", [])
    assert "telepathy" not in granted


def test_unknown_fields_of_hello_are_ignored(session):
    assert session.request("session.hello", 0, {"protocol": 1, "colour": "green", "deep": {"er": [1]}})["protocol"] == 1


def test_only_what_was_asked_for_is_granted(session):
    assert session.request("session.hello", 0, {}).get("features", []) == []


def test_a_late_hello_is_refused_and_the_session_goes_on(session):
    session.request("session.ping", 0, {})
    assert session.refused("session.hello", 0, {"protocol": 1})["code"] == "ERR_INVALID_ARG_VALUE"
    assert session.request("session.ping", 0, {"still": "here"}) == {"still": "here"}


def test_a_second_hello_is_refused_and_the_session_goes_on(session):
    session.request("session.hello", 0, {"protocol": 1})
    assert session.refused("session.hello", 0, {"protocol": 1})["code"] == "ERR_INVALID_ARG_VALUE"
    assert session.request("session.ping", 0, {"still": "here"}) == {"still": "here"}


@pytest.mark.parametrize("body, code", [({"protocol": "one"}, "ERR_INVALID_ARG_TYPE"),
                                        ({"features": "flow"}, "ERR_INVALID_ARG_TYPE"),
                                        ({"events": "pigeon"}, "ERR_INVALID_ARG_VALUE")])
def test_hello_checks_what_it_knows(session, body, code):
    assert session.refused("session.hello", 0, body)["code"] == code


# ---- ping, info, describe ----

@pytest.mark.parametrize("body", [{}, {"a": 1}, {"deep": [{"er": [True, 1.5, b"\x00\xff", "ü"]}]}, {"n": 2**53 - 1}])
def test_ping_answers_with_its_body(session, body):
    assert session.request("session.ping", 0, body) == body


def test_ping_is_a_fence_for_the_errors_of_notifications(session):
    for _ in range(10):
        session.notify("socket.dance", 1)
    session.request("session.ping", 0, {})
    assert len(session.events("session.error")) == 10


def test_info_counts_actors_and_frames(session):
    before = session.request("session.info")
    assert before["sockets"] == before["servers"] == before["active"] == 0
    session.request("socket.create", 1, {})
    peers.serve(session, 3)
    after = session.request("session.info")
    assert (after["sockets"], after["servers"], after["active"]) == (1, 1, 1)
    assert after["framesIn"] == before["framesIn"] + 4
    assert after["framesOut"] == before["framesOut"] + 5  # their answers, info's own before, and server.listening
    assert after["unflushed"] == 0


def names_of(entries):
    """A part of the description is a map by name or a list of entries with names."""
    return set(entries) if isinstance(entries, dict) else {entry["name"] for entry in entries}


def test_describe_lists_the_whole_protocol(session):
    text = session.request("session.describe", 0, {})
    assert text["protocol"] == 1
    assert {"session.ping", "net.createConnection", "socket.write", "server.listen"} <= names_of(text["methods"])
    assert {"session.error", "socket.data", "server.connection"} <= names_of(text["events"])
    for part in ("types", "errors", "limits"):
        assert text[part], part


def test_every_described_method_exists(session):
    text = session.request("session.describe", 0, {})
    for method in names_of(text["methods"]) - {"session.close"}:
        msgid = session.send(method, 1000000)
        frame = session.response(msgid)
        assert frame[2] is None or frame[2]["code"] != "ERR_NB_UNKNOWN_METHOD", method


# ---- poll ----

@pytest.fixture
def polled(session):
    session.request("session.hello", 0, {"protocol": 1, "events": "poll"})
    return session


def poll_until(session, name):
    """Polls until an event of this name has come; returns all events of these polls."""
    events = []
    while name not in [event[0] for event in events]:
        batch = session.request("session.poll", 0, {"wait": 10000})
        assert batch, f"no {name} within ten seconds"
        events += batch
    return events


def test_a_polling_session_gets_no_unsolicited_frame(polled):
    with peers.connect(polled) as peer:
        peer.sendall(b"hello")
        events = poll_until(polled, "socket.data")
        peer.close()
        events += poll_until(polled, "socket.close")
    names = ["socket.connect", "socket.ready", "socket.data", "socket.end", "socket.close"]
    assert [name for name, _ in events if name != "session.idle"] == names
    assert events[2] == ["socket.data", [1, b"hello"]]
    assert all(frame[0] == 1 for frame in polled.log)


def test_poll_returns_at_most_max_events_in_order(polled):
    with peers.connect(polled):
        assert [name for name, _ in polled.request("session.poll", 0, {"max": 1, "wait": 10000})] == ["socket.connect"]
        assert [name for name, _ in polled.request("session.poll", 0, {"max": 1, "wait": 10000})] == ["socket.ready"]


def test_poll_without_wait_answers_at_once(polled):
    assert polled.request("session.poll", 0, {}) == []


def test_poll_waits_for_the_first_event(polled):
    msgid = polled.send("session.poll", 0, {"wait": 60000})
    polled.request("session.ping", 0, {})
    peers.serve(polled)
    assert polled.result(msgid)[0][0] == "server.listening"


def test_poll_gives_up_after_its_wait(polled):
    began = time.monotonic()
    assert polled.request("session.poll", 0, {"wait": 50}) == []
    assert 0.04 < time.monotonic() - began < 5


def test_one_open_poll_at_a_time(polled):
    first = polled.send("session.poll", 0, {"wait": 60000})
    polled.refused("session.poll", 0, {})
    peers.serve(polled)
    assert polled.result(first)


def test_errors_of_notifications_are_held_too(polled):
    polled.notify("socket.dance", 1)
    [[name, [target, error]]] = polled.request("session.poll", 0, {"wait": 10000})
    assert (name, target, error["code"]) == ("session.error", 0, "ERR_NB_UNKNOWN_METHOD")


def test_poll_wait_is_bounded(polled):
    assert polled.refused("session.poll", 0, {"wait": 60001})["code"] == "ERR_OUT_OF_RANGE"


def test_poll_needs_a_polling_session(session):
    with pytest.raises(Failed):
        session.request("session.poll", 0, {})


# ---- close, idle ----

def test_close_answers_and_ends_the_connection(session):
    assert session.request("session.close") == {}
    session.expect_eof()


def test_close_destroys_every_actor(session):
    port = peers.serve(session)["port"]
    with peers.connect(session, 3) as peer:
        session.request("session.close")
        assert peer.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        peers.dial(port)


def test_close_answers_open_requests_first(session):
    peers.serve(session, 1)
    peer, _ = peers.accepted(session, 1)
    with peer, peers.unanswering() as port:
        closing = session.send("server.close", 1)
        connecting = session.send("net.createConnection", 3, {"port": port, "host": peers.LOOPBACK})
        writing = session.send("socket.write", 3, b"x")
        session.request("session.close")
        assert session.error(connecting)["code"] == "ERR_SOCKET_CLOSED"
        assert session.error(writing)["code"] in ("ERR_STREAM_DESTROYED", "ERR_SOCKET_CLOSED")
        assert session.response(closing)
        session.expect_eof()


def test_close_if_idle_refuses_while_busy(session):
    with peers.connect(session) as peer:
        assert session.refused("session.close", 0, {"ifIdle": True})["code"] == "ERR_NB_BUSY"
        peer.sendall(b"alive")
        assert session.received(1, 5) == b"alive"


def test_close_if_idle_closes_an_idle_session(session):
    assert session.request("session.close", 0, {"ifIdle": True}) == {}
    session.expect_eof()


def test_idle_comes_when_the_last_handle_has_closed(session):
    with peers.connect(session, 1), peers.connect(session, 3):
        session.request("socket.destroy", 1)
        session.request("session.ping", 0, {})
        assert session.events("session.idle") == []
        session.request("socket.destroy", 3)
        session.expect_event("session.idle")


def test_an_unrefd_server_lets_the_session_be_idle(session):
    peers.serve(session)
    session.request("server.unref", 1)
    session.expect_event("session.idle")
    assert session.request("session.info")["active"] == 0
    session.request("server.ref", 1)
    assert session.request("session.info")["active"] == 1


def test_an_unrefd_socket_lets_the_session_be_idle(session):
    with peers.connect(session) as peer:
        session.request("socket.unref", 1)
        session.expect_event("session.idle")
        peer.sendall(b"works all the same")
        assert session.received(1, 18) == b"works all the same"


def test_ref_and_unref_do_nothing_when_repeated(session):
    peers.serve(session)
    for _ in range(3):
        session.request("server.ref", 1)
    session.request("server.unref", 1)
    assert session.request("session.info")["active"] == 0


# ---- the first byte ----

@pytest.mark.parametrize("greeting", [b"GET / HTTP/1.1\r\n\r\n", b"\x00\x00\x00\x10", b"\x80", b"\xc0", b"NOPE!\n",
                                      b"{\"id\":1}\n"], ids=repr)
def test_anything_but_the_two_encodings_is_closed_after_one_error(session, greeting):
    session.send_bytes(greeting)
    session.expect_eof()
    [[_, name, [target, error]]] = session.log
    assert (name, target) == ("session.error", 0)
    assert error["fatal"] is True and error["code"] == "ERR_NB_PROTOCOL"


@pytest.mark.parametrize("header", [b"\x94", b"\xdc\x00\x04", b"\xdd\x00\x00\x00\x04"], ids=repr)
def test_each_array_header_selects_messagepack(session, header):
    session.send_bytes(header + msgpack.packb([0, 1, "session.ping", [0, {"a": 1}]])[1:])
    assert session.result(1) == {"a": 1}
