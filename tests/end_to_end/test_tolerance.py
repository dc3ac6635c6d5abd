"""Encoders differ, and the broker takes them as they are. protocol.md 1.1; every frame is built byte by byte."""
import pytest

from support import peers
from support.odd import ARRAYS, INTEGERS, MAPS, STRINGS, Raw, odd

PING = [0, 7, "session.ping", [0, {"a": 1}]]
NIL, UNDEFINED = Raw(b"\xc0"), Raw(b"\xd4\x00\x00")
EXT5, EXT0_LONG, TIMESTAMP = Raw(b"\xd4\x05\x00"), Raw(b"\xd5\x00\x00\x00"), Raw(b"\xd6\xff\x00\x00\x00\x00")


def answer(session, frame, **choices):
    """Sends a frame in an odd encoding and returns its result."""
    session.send_bytes(odd(frame, **choices))
    return session.result(frame[1])


def refusal(session, method, target, body):
    session.send_bytes(odd([0, 9, method, [target, body]]))
    return session.error(9)


# ---- widths ----

@pytest.mark.parametrize("integer", INTEGERS)
def test_integers_of_any_width(session, integer):
    assert answer(session, PING, integer=integer) == {"a": 1}
    assert answer(session, [0, 8, "socket.create", [3, {"highWaterMark": 100}]], integer=integer) == {"id": 3}
    assert session.request("socket.info", 3)["writableHighWaterMark"] == 100


@pytest.mark.parametrize("integer", ["u16", "u32", "u64", "i32", "i64", "f32", "f64"])
def test_a_port_of_any_width(session, integer):
    with peers.listener() as listener:
        where = {"port": peers.port_of(listener), "host": peers.LOOPBACK}
        assert answer(session, [0, 1, "net.connect", [1, where]], integer=integer)["remotePort"] == where["port"]


@pytest.mark.parametrize("text", STRINGS)
def test_names_keys_and_text_with_any_header(session, text):
    answer(session, [0, 1, "server.create", [1, {}]], text=text)
    address = answer(session, [0, 2, "server.listen", [1, {"port": 0, "host": "127.0.0.1"}]], text=text)
    assert address["address"] == "127.0.0.1"


@pytest.mark.parametrize("binary", STRINGS)
def test_payload_with_any_header(session, binary):
    payload = b"caf\xc3\xa9"
    with peers.connect(session) as peer:
        answer(session, [0, 101, "socket.write", [1, payload]], binary=binary)
        assert peers.read_exactly(peer, len(payload)) == payload


def test_payload_as_text_that_is_no_utf8(session):
    payload = bytes(range(128, 256))
    with peers.connect(session) as peer:
        session.send_bytes(odd([2, "socket.write", [1, payload]], binary="str16"))
        assert peers.read_exactly(peer, len(payload)) == payload


@pytest.mark.parametrize("array", ARRAYS)
@pytest.mark.parametrize("mapping", MAPS)
def test_arrays_and_maps_with_any_header(session, array, mapping):
    assert answer(session, PING, array=array, mapping=mapping) == {"a": 1}
    frame = [0, 8, "socket.create", [1, {"allowHalfOpen": True, "onread": {"size": 5}}]]
    assert answer(session, frame, array=array, mapping=mapping) == {"id": 1}


def test_everything_wide_at_once(session):
    wide = {"integer": "f64", "text": "bin32", "binary": "str32", "array": 32, "mapping": 32}
    with peers.connect(session) as peer:
        assert answer(session, [0, 101, "socket.write", [1, b"wide"]], **wide) == {"bytesWritten": 4}
        assert peers.read_exactly(peer, 4) == b"wide"


def test_ids_above_32_bits_as_floats(session):
    assert answer(session, [0, 1, "socket.create", [5000000001, {}]], integer="f64") == {"id": 5000000001}
    assert session.request("socket.info", 5000000001)["pending"] is True


def test_ping_gives_back_the_normal_form(session):
    """The tap checks that it is the shortest one."""
    body = {"int": 5, "float": 2.0, "text": "x", "bytes": b"y", "gone": NIL, "too": UNDEFINED, "list": [1, NIL, {"a": NIL}]}
    wide = {"integer": "i64", "text": "bin32", "binary": "bin16", "array": 32, "mapping": 16}
    result = answer(session, [0, 1, "session.ping", [0, body]], **{**wide, "text": "str32"})
    assert result == {"int": 5, "float": 2.0, "text": "x", "bytes": b"y", "list": [1, None, {}]}
    assert isinstance(result["float"], float)


def test_the_greatest_msgid(session):
    assert answer(session, [0, 2**32 - 1, "session.ping", [0, {}]]) == {}
    assert answer(session, [0, 0, "session.ping", [0, {}]]) == {}


# ---- absent ----

@pytest.mark.parametrize("nothing", [NIL, UNDEFINED], ids=["nil", "undefined"])
def test_nothing_means_absent(session, nothing):
    with peers.listener() as listener:
        where = {"port": peers.port_of(listener), "host": peers.LOOPBACK, "path": nothing, "timeout": nothing,
                 "onread": nothing}
        assert answer(session, [0, 1, "net.connect", [1, where]])["id"] == 1
        with peers.accept(listener) as peer:
            answer(session, [0, 2, "socket.write", [1, b"x", nothing]])
            answer(session, [0, 3, "socket.end", [1, nothing]])
            assert peers.read_to_end(peer) == b"x"


@pytest.mark.parametrize("nothing", [NIL, UNDEFINED, Raw(b"\x90"), Raw(b"\x80"), Raw(b"\xdc\x00\x00"), Raw(b"\xde\x00\x00")],
                         ids=["nil", "undefined", "[]", "{}", "array16 of 0", "map16 of 0"])
def test_an_empty_body_in_any_form(session, nothing):
    assert answer(session, [0, 1, "server.create", [1, nothing]]) == {"id": 1}
    assert answer(session, [0, 2, "server.listen", [1, nothing]])["port"] > 0
    assert answer(session, [0, 3, "server.close", [1, nothing]]) == {}


def test_an_empty_list_as_an_empty_map_within_a_body(session):
    assert answer(session, [0, 1, "session.hello", [0, {"client": []}]])["protocol"] == 1


# ---- and what is not tolerated ----

@pytest.mark.parametrize("extension", [EXT5, EXT0_LONG, TIMESTAMP], ids=["type 5", "type 0 of two bytes", "timestamp"])
def test_other_extension_types(session, extension):
    error = refusal(session, "socket.create", 1, {"encoding": extension})
    assert error["code"] == "ERR_INVALID_ARG_TYPE" and error["argument"] == "encoding"


def test_an_extension_as_the_body(session):
    assert refusal(session, "socket.create", 1, EXT5)["code"] == "ERR_INVALID_ARG_TYPE"


def test_a_key_twice(session):
    twice = Raw(b"\x82" + odd("noDelay") + b"\xc3" + odd("noDelay") + b"\xc2")
    assert refusal(session, "server.create", 1, twice)["code"] == "ERR_INVALID_ARG_VALUE"


def test_a_key_twice_once_as_text_and_once_as_bytes(session):
    twice = Raw(b"\x82" + odd("noDelay") + b"\xc3" + odd(b"noDelay") + b"\xc2")
    assert refusal(session, "server.create", 1, twice)["code"] == "ERR_INVALID_ARG_VALUE"


@pytest.mark.parametrize("key", [1, None, True, 1.5, Raw(b"\x90")], ids=repr)
@pytest.mark.parametrize("method", ["session.ping", "server.create"])
def test_a_key_that_is_no_text(session, method, key):
    """Ping too, for what the broker sends has only text keys (1.2)."""
    body = Raw(b"\x81" + odd(key) + b"\x01")
    assert refusal(session, method, 0, body)["code"] == "ERR_INVALID_ARG_TYPE"


@pytest.mark.parametrize("method, field", [("server.create", "keepalive"), ("socket.create", "x"), ("session.poll", "Wait"),
                                           ("server.listen", "ipv6only"), ("session.close", "ifidle")])
def test_an_unknown_field_is_named(session, method, field):
    session.request("server.create", 3, {})
    target = {"session": 0, "server": 3, "socket": 5}[method.split(".")[0]]
    error = refusal(session, method, 7 if method == "server.create" else target, {field: True})
    assert error["code"] == "ERR_NB_UNKNOWN_OPTION" and error["argument"] == field


def test_an_unknown_field_within_a_field_is_named(session):
    error = refusal(session, "socket.create", 1, {"onread": {"size": 1, "depth": 2}})
    assert error["code"] == "ERR_NB_UNKNOWN_OPTION" and error["argument"].split(".")[-1] == "depth"


@pytest.mark.parametrize("value", [1.5, float("nan"), float("inf"), -1, 2**64 - 1, "100"])
def test_a_number_that_is_none(session, value):
    error = refusal(session, "socket.create", 1, {"highWaterMark": value})
    assert error["code"] in ("ERR_OUT_OF_RANGE", "ERR_INVALID_ARG_TYPE", "ERR_INVALID_ARG_VALUE")
    assert error["argument"] == "highWaterMark"


def test_text_that_is_no_utf8(session):
    host = Raw(b"\xa3\xff\xfe\xfd")
    session.send_bytes(odd([0, 1, "net.connect", [1, {"port": 1, "host": host}]]))
    assert session.error(1)["code"]
    assert session.request("session.ping", 0, {}) == {}
