"""Input that is cut, malformed, too big or wrong: each gets the answer that the protocol names, and nobody else notices.

Every test runs beside a bystander: a second session whose echo traffic goes on without a hitch. protocol.md 1, 4, 6.
"""
import contextlib
import fcntl
import struct
import threading

import msgpack
import pytest

from support import peers
from support.broker import sanitized, wait_until
from support.odd import Raw, odd
from support.wire import Session, notification_frame, request_frame

MAX_WRITE = 1 << 20
MAX_FRAME = MAX_WRITE + (64 << 10)
PING = request_frame(1, "session.ping", 0, {})


class Bystander(threading.Thread):
    """Sends through a socket of its own session and checks what the peer has sent back, round after round."""

    def __init__(self, path):
        super().__init__()
        self.session, self.rounds, self.failure = Session(path), 0, None
        self.peer, self._done = peers.connect(self.session), threading.Event()

    def run(self):
        try:
            while not self._done.is_set():
                self.exchange(b"round %08d" % self.rounds)
                self.rounds += 1
        except BaseException as failure:
            self.failure = failure

    def exchange(self, words):
        self.session.notify("socket.write", 1, words)
        self.peer.sendall(peers.read_exactly(self.peer, len(words)))
        assert self.session.received(1, len(words)) == words
        self.session.log.clear()

    def finish(self):
        self._done.set()
        self.join()
        self.peer.close()
        self.session.socket.close()


@pytest.fixture(autouse=True)
def bystander(broker):
    thread = Bystander(broker.path)
    thread.start()
    yield thread
    before = thread.rounds
    wait_until(lambda: thread.rounds > before + 2 or thread.failure, "the bystander's next rounds")
    thread.finish()
    assert thread.failure is None, repr(thread.failure)


def fatal(session):
    """Reads to the end of the stream and returns the one fatal error."""
    session.expect_eof()
    errors = [error for [error] in session.events("session.error") if error.get("fatal")]
    assert len(errors) == 1, session.recent()
    return errors[0]


# ---- cut, split, joined ----

BURST = b"".join([request_frame(1, "session.hello", 0, {"protocol": 1}), request_frame(2, "server.create", 1, {}),
                  request_frame(3, "server.listen", 1, {"port": 0, "host": "127.0.0.1"}),
                  request_frame(4, "net.createConnection", 3, {"port": 1, "host": "127.0.0.1"}),
                  notification_frame("socket.write", 3, b"payload"), request_frame(5, "session.info", 0)])


@pytest.mark.parametrize("eof", ["end", "close"])
def test_a_stream_cut_at_each_byte(connect_session, broker, eof):
    for length in range(len(BURST) + 1):
        with Session(broker.path) as session:
            session.send_bytes(BURST[:length])
            if eof == "end":
                session.socket.shutdown(1)
                session.expect_eof()


def test_a_half_received_frame_has_no_effect(session, broker):
    with peers.connect(session) as peer:
        frame = notification_frame("socket.write", 1, b"whole")
        session.send_bytes(frame + frame[:-1])
        session.socket.close()
        assert peers.read_to_end(peer) == b"whole"


def test_one_byte_at_a_time(session):
    for byte in BURST:
        session.send_bytes(bytes([byte]))
    assert session.result(1)["protocol"] == 1 and session.result(3)["port"] > 0
    assert session.error(4)["code"] == "ECONNREFUSED"
    assert session.result(5)["servers"] == 1


def test_a_thousand_frames_in_one_write(session):
    session.send_bytes(b"".join(request_frame(number, "session.ping", 0, {"n": number}) for number in range(1000)))
    for number in reversed(range(1000)):
        assert session.result(number) == {"n": number}


def test_a_thousand_writes_in_one_write(session):
    with peers.connect(session) as peer:
        session.send_bytes(b"".join(notification_frame("socket.write", 1, b"%04d" % number) for number in range(1000)))
        assert peers.read_exactly(peer, 4000) == b"".join(b"%04d" % number for number in range(1000))


# ---- malformed ----

ARRAYS = [*range(0x90, 0xa0), 0xdc, 0xdd]


def test_each_header_byte_that_is_no_array(broker, bystander):
    for byte in set(range(256)) - set(ARRAYS):
        with Session(broker.path) as session:
            session.send_bytes(PING + bytes([byte]) + b"\x00" * 16)
            error = fatal(session)
            assert error["code"] == "ERR_NB_PROTOCOL", hex(byte)


@pytest.mark.parametrize("frame", [
    [], [0], [0, 1], [0, 1, "session.ping"], [0, 1, "session.ping", [0], 5], [1, 1, None, {}], [3, "session.ping", [0]],
    [2, "session.ping"], [2, "session.ping", [0], 1], ["0", 1, "session.ping", [0]], [-1, 1, "session.ping", [0]],
    [0, "1", "session.ping", [0]], [0, -1, "session.ping", [0]], [0, 2**32, "session.ping", [0]],
    [0, 1.5, "session.ping", [0]], [0, None, "session.ping", [0]], [0, 1, "session.ping", []],
    [0, 1, "session.ping", {}], [0, 1, "session.ping", "x"], [0, 1, "session.ping", 0], [2, "session.ping", []],
    [0, 1, 7, [0]], [0, 1, ["session.ping"], [0]]], ids=repr)
def test_a_frame_of_the_wrong_shape_is_fatal(session, frame):
    session.request("session.ping", 0, {})
    session.send_bytes(msgpack.packb(frame))
    assert fatal(session)["code"] == "ERR_NB_PROTOCOL"


@pytest.mark.parametrize("frame", [[0, 9, "session.ping", []], [0, 9, "session.ping", {}]], ids=repr)
def test_a_fatal_error_names_the_request(session, frame):
    session.send_bytes(msgpack.packb(frame))
    assert fatal(session).get("msgid", 9) == 9


def test_the_unused_byte_of_messagepack_is_fatal_anywhere(broker):
    for place in (b"\x94\xc1", b"\x94\x00\xc1", b"\x94\x00\x01\xc1", b"\x94\x00\x01\xacsession.ping\xc1",
                  b"\x94\x00\x01\xacsession.ping\x92\x00\xc1", b"\x94\x00\x01\xacsession.ping\x92\x00\x81\xa1a\xc1"):
        with Session(broker.path) as session:
            session.send_bytes(place)
            assert fatal(session)["code"] == "ERR_NB_PROTOCOL", place


def test_a_msgid_that_is_still_open_is_fatal(session):
    with peers.unanswering() as port:
        session.send("net.createConnection", 1, {"port": port, "host": peers.LOOPBACK}, msgid=77)
        session.request("session.ping", 0, {})
        session.send("session.ping", 0, {}, msgid=77)
        error = fatal(session)
    assert error["code"] == "ERR_NB_PROTOCOL" and error.get("msgid", 77) == 77


def test_a_msgid_may_be_used_again_once_answered(session):
    for number in range(3):
        session.send("session.ping", 0, {"n": number}, msgid=5)
        assert session.result(5) == {"n": number}


# ---- limits ----

def nested(depth):
    value = {}
    for _ in range(depth):
        value = [value]
    return value


def test_depth(session):
    assert session.request("session.ping", 0, {"a": nested(8)}) == {"a": nested(8)}
    session.send("session.ping", 0, {"a": nested(17)})
    error = fatal(session)
    assert error["code"] == "ERR_NB_PROTOCOL" and error["limit"] == "maxDepth" and "16" in error["message"]


def test_depth_without_end(session):
    session.send_bytes(PING + b"\x91" * 100000)
    error = fatal(session)
    assert error["code"] == "ERR_NB_PROTOCOL" and error["limit"] == "maxDepth"


def test_number_of_elements(session):
    assert session.request("session.ping", 0, {"a": [0] * 4000}) == {"a": [0] * 4000}
    session.send("session.ping", 0, {"a": [0] * 4097})
    error = fatal(session)
    assert error["code"] == "ERR_NB_PROTOCOL" and error["limit"] == "maxElements" and "4096" in error["message"]


def test_number_of_elements_over_several_arrays(session):
    session.send("session.ping", 0, {"a": [[0] * 1000] * 5})
    assert fatal(session)["limit"] == "maxElements"


def test_length_of_text(session):
    longest = "x" * (64 << 10)
    assert session.request("session.ping", 0, {"a": longest}) == {"a": longest}
    session.send("session.ping", 0, {"a": longest + "x"})
    error = fatal(session)
    assert error["code"] == "ERR_NB_PROTOCOL" and error["limit"] == "maxText" and "65536" in error["message"]


def test_the_longest_write(session):
    with peers.connect(session) as peer:
        write = session.send("socket.write", 1, b"x" * MAX_WRITE)
        assert peers.read_exactly(peer, MAX_WRITE) == b"x" * MAX_WRITE
        assert session.result(write) == {"bytesWritten": MAX_WRITE}


@pytest.mark.parametrize("size", [MAX_WRITE + 1, MAX_FRAME - 100])
def test_a_longer_write_is_refused_and_the_socket_lives(session, size):
    with peers.connect(session) as peer:
        error = session.refused("socket.write", 1, b"x" * size)
        assert error["code"] == "ERR_NB_LIMIT" and error["limit"] == "maxWrite" and str(MAX_WRITE) in error["message"]
        session.request("socket.end", 1, b"alive")
        assert peers.read_to_end(peer) == b"alive"


def test_a_longer_write_without_a_request_is_told_by_the_session(session):
    with peers.connect(session) as peer:
        session.notify("socket.write", 1, b"x" * (MAX_WRITE + 1))
        error = session.expect_event("session.error")
        assert (error["code"], error["limit"], error["method"], error["target"]) == ("ERR_NB_LIMIT", "maxWrite",
                                                                                      "socket.write", 1)
        assert not error.get("fatal")
        session.request("socket.end", 1, b"alive")
        assert peers.read_to_end(peer) == b"alive"


def test_a_longer_frame_is_fatal(session):
    with peers.connect(session):
        with contextlib.suppress(BrokenPipeError):  # it need not read what it refuses
            session.notify("socket.write", 1, b"x" * (MAX_FRAME + 1))
        assert fatal(session)["code"] == "ERR_NB_FRAME_TOO_BIG"


@pytest.mark.parametrize("lie, code, limit", [
    (b"\xc6\xff\xff\xff\xff", "ERR_NB_FRAME_TOO_BIG", None), (b"\xdb\xff\xff\xff\xff", None, None),
    (b"\xdd\xff\xff\xff\xff", "ERR_NB_PROTOCOL", "maxElements"), (b"\xdf\xff\xff\xff\xff", "ERR_NB_PROTOCOL", "maxElements"),
    (b"\xdd\x00\x00\x10\x01", "ERR_NB_PROTOCOL", "maxElements"), (b"\xc9\xff\xff\xff\xff\x05", None, None)],
    ids=["bin32", "str32", "array32", "map32", "array of 4097", "ext32"])
def test_an_announced_length_over_a_limit_is_refused_at_once(session, lie, code, limit):
    """Nothing of what is announced is ever sent, so the answer must come from the five bytes alone."""
    session.send_bytes(PING + b"\x93\x02\xacsocket.write\x92\x01" + lie)
    error = fatal(session)
    assert error["code"] == code or (code is None and error["code"] in ("ERR_NB_PROTOCOL", "ERR_NB_FRAME_TOO_BIG"))
    assert limit is None or error["limit"] == limit


@pytest.mark.skipif(sanitized(), reason="a sanitizer keeps freed memory")
def test_memory_for_unfinished_frames_is_bounded(broker):
    """Sixteen sessions each hold back the last byte of the greatest frame."""
    count = 16
    sessions = [Session(broker.path) for _ in range(count)]
    for session in sessions:
        session.request("session.ping", 0, {})
    before = broker.rss()
    frame = notification_frame("socket.write", 1, bytes(MAX_FRAME - 64))
    for session in sessions:
        session.send_bytes(frame[:-1])
    wait_until(lambda: all(unsent(session) == 0 for session in sessions), "everything read by the daemon")
    grown = broker.rss() - before
    for session in sessions:
        session.socket.close()
    assert grown <= count * (MAX_FRAME + (64 << 10)), f"{grown >> 10} KiB for {count} frames"


def unsent(session):
    """Bytes that the daemon has not yet taken from the socket's buffer (SIOCOUTQ)."""
    return struct.unpack("i", fcntl.ioctl(session.socket, 0x5411, bytes(4)))[0]


@pytest.mark.skipif(sanitized(), reason="a sanitizer keeps freed memory")
def test_memory_does_not_follow_announced_lengths(broker):
    before = broker.rss()
    for lie in (b"\xdd\x0f\xff\xff\xff", b"\xdf\x0f\xff\xff\xff", b"\xc6\x7f\xff\xff\xff", b"\xdc\x0f\xff" * 14) * 8:
        with Session(broker.path) as session:
            session.send_bytes(b"\x93\x02\xacsession.ping\x92\x00" + lie)
            session.socket.shutdown(1)
            session.expect_eof()
    assert broker.rss() - before < 4 << 20


# ---- unknown and wrong, but not fatal ----

@pytest.mark.parametrize("method", ["socket.dance", "dance", "", "socket.", ".write", "socket.Write", "socket.write ",
                                    "socket.data", "session.error", "server.connection"])
def test_an_unknown_method(session, method):
    assert session.refused(method, 1, {})["code"] == "ERR_NB_UNKNOWN_METHOD"
    session.notify(method, 1, {})
    error = session.expect_event("session.error")
    assert (error["code"], error["method"], error["target"]) == ("ERR_NB_UNKNOWN_METHOD", method, 1)
    assert not error.get("fatal")


def test_an_unknown_target(session):
    assert session.refused("socket.pause", 4711)["code"] == "ERR_NB_NO_SUCH_TARGET"


def test_an_unknown_option_is_told_for_a_notification_too(session):
    session.notify("socket.create", 1, {"halfOpen": True})
    error = session.expect_event("session.error")
    assert (error["code"], error["argument"], error["method"], error["target"]) == (
        "ERR_NB_UNKNOWN_OPTION", "halfOpen", "socket.create", 1)


WRONG = {
    "socket.create": {"allowHalfOpen": 1, "autoRelease": "no", "readChunk": True, "onread": 5, "highWaterMark": [],
                      "encoding": 8},
    "socket.setKeepAlive": {"enable": "yes", "initialDelay": "soon"},
    "socket.setNoDelay": {"noDelay": 1},
    "socket.setTimeout": {"timeout": True},
    "socket.setEncoding": {"encoding": []},
    "socket.destroy": {"error": "boom"},
    "server.create": {"allowHalfOpen": "x", "pauseOnConnect": 0, "noDelay": [], "keepAlive": {}, "maxConnections": "many"},
    "server.listen": {"host": {}, "backlog": {}, "exclusive": 1, "readableAll": "x", "ipv6Only": 2},
    "server.set": {"maxConnections": False},
    "session.close": {"ifIdle": 1},
    "session.hello": {"protocol": {}, "client": 1, "features": {"a": 1}, "events": 1},
}


@pytest.mark.parametrize("method, field", [(method, field) for method, fields in WRONG.items() for field in fields])
def test_a_field_of_the_wrong_type(session, method, field):
    target = 0
    if not method.startswith("session"):
        target = 1
        if not method.endswith("create"):
            session.request(method.split(".")[0] + ".create", 1, {})
    error = session.refused(method, target, {field: WRONG[method][field]})
    assert error["code"] == "ERR_INVALID_ARG_TYPE" and error["name"] == "TypeError"
    assert error["argument"].split(".")[-1] == field
    assert session.request("session.ping", 0, {"a": 1}) == {"a": 1}


@pytest.mark.parametrize("body", [5, "x", b"x", True, 1.5, [1]], ids=repr)
def test_a_body_that_is_no_map(session, body):
    assert session.refused("socket.create", 1, body)["code"] == "ERR_INVALID_ARG_TYPE"


@pytest.mark.parametrize("body", [5, True, 1.5, [1], {"a": 1}], ids=repr)
def test_a_payload_that_is_neither_bytes_nor_text(session, body):
    with peers.connect(session) as peer:
        assert session.refused("socket.write", 1, body)["code"] == "ERR_INVALID_ARG_TYPE"
        session.request("socket.end", 1, b"alive")
        assert peers.read_to_end(peer) == b"alive"


@pytest.mark.parametrize("options", [{"encodin": "hex"}, {"encoding": 1}, 5])
def test_wrong_options_of_a_write(session, options):
    with peers.connect(session) as peer:
        session.refused("socket.write", 1, "x", options)
        session.request("socket.end", 1, b"alive")
        assert peers.read_to_end(peer) == b"alive"


@pytest.mark.parametrize("target", ["1", None, 1.5, -1, [1], {}, True, Raw(b"\xd4\x05\x00")], ids=repr)
def test_a_target_that_is_no_number_is_answered_or_fatal(session, target):
    session.send_bytes(odd([0, 1, "socket.pause", [target]]))
    try:
        assert session.error(1)["code"]
    except EOFError:
        assert session.events("session.error")[0][0]["fatal"] is True


def test_sockets_are_limited(start_broker, folder):
    """`maxSockets` is 16384, more than this test may open; sockets that are never connected need no descriptor."""
    with Session(start_broker(folder / "own").path) as session:
        limit = session.request("session.hello", 0, {})["limits"]["maxSockets"]
        session.send_bytes(b"".join(notification_frame("socket.create", 2 * number + 1, {}) for number in range(limit)))
        assert session.request("session.info")["sockets"] == limit
        error = session.refused("socket.create", 2 * limit + 1, {})
        assert error["code"] == "ERR_NB_LIMIT" and error["limit"] == "maxSockets" and str(limit) in error["message"]


def test_servers_are_limited(session):
    limit = session.request("session.hello", 0, {})["limits"]["maxServers"]
    session.send_bytes(b"".join(notification_frame("server.create", 2 * number + 1, {}) for number in range(limit)))
    error = session.refused("server.create", 2 * limit + 1, {})
    assert error["code"] == "ERR_NB_LIMIT" and error["limit"] == "maxServers"
    assert session.request("session.info")["servers"] == limit
