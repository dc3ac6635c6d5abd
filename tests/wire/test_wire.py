"""The golden vectors, against msgpack's own coder and against the daemon's codec (codec.c).

vectors.jsonl holds one vector a line:
  name     says what it shows
  msgpack  the bytes of the frame, hex
  json     the frame's meaning; a bin is {"$bin": hex}. Absent where the bytes mean nothing.
  expect   "request": the codec understands it so; "event", "response", "error": the codec writes just these bytes;
           {"refused": error map} or {"broken": error map}: at least these fields; {"scan": status}
  method   of a response: whose result it is
  from     of a response: the bytes of the result as they were given, where the codec is to mend them
  odd      the bytes are not the shortest form of json
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import msgpack
import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "clients" / "python" / "netbroker"))
import _schema  # noqa: E402

VECTORS = [json.loads(line) for line in (HERE / "vectors.jsonl").read_text().splitlines()]
CODEC = os.environ.get("NETBROKER_WIRE_CODEC")


def value_of(node):
    """JSON with {"$bin": hex} -> Python values."""
    if isinstance(node, dict):
        if set(node) == {"$bin"}:
            return bytes.fromhex(node["$bin"])
        return {key: value_of(item) for key, item in node.items()}
    return [value_of(item) for item in node] if isinstance(node, list) else node


def unpack(digits):
    return msgpack.unpackb(bytes.fromhex(digits), strict_map_key=False, raw=False)


@pytest.fixture(scope="module")
def codec():
    """Sends one line to the codec, returns its answer's words."""
    with subprocess.Popen([CODEC], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        def ask(*words):
            process.stdin.write(" ".join(map(str, words)) + "\n")
            process.stdin.flush()
            return process.stdout.readline().split()
        yield ask
        process.stdin.close()
        assert process.wait(timeout=10) == 0


def kind(vector):
    expect = vector["expect"]
    return expect if isinstance(expect, str) else next(iter(expect))


def of_kind(*kinds):
    chosen = [v for v in VECTORS if kind(v) in kinds]
    assert chosen
    return pytest.mark.parametrize("vector", chosen, ids=[v["name"] for v in chosen])


@pytest.mark.parametrize("vector", [v for v in VECTORS if "json" in v and not v.get("odd")], ids=lambda v: v["name"])
def test_bytes_and_json_agree(vector):
    assert msgpack.packb(value_of(vector["json"])).hex() == vector["msgpack"]


@of_kind("request")
def test_requests(codec, vector):
    frame = value_of(vector["json"])
    msgid = frame[1] if frame[0] == 0 else "-"
    (method, params), words = frame[-2:], codec("request", vector["msgpack"])
    assert words[:4] == ["request", str(msgid), str(params[0]), vector.get("method", method)]
    assert unpack(words[4]) == meaning(_schema.METHODS[method], params)


def meaning(method, params):
    """What the codec should have understood as the one message of the method."""
    body = params[1] if len(params) > 1 else None
    if method.hot:
        options = params[2] if len(params) > 2 else {}
        return ({} if body is None else {method.params[0]: body}) | options
    return body if body is not None or method.params == ("value",) else {}


@of_kind("refused")
def test_refused(codec, vector):
    words = codec("request", vector["msgpack"])
    assert words[0] == "refused"
    assert vector["expect"]["refused"].items() <= unpack(words[3]).items()


@of_kind("broken")
def test_broken(codec, vector):
    words = codec("request", vector["msgpack"])
    assert words[0] == "broken"
    assert vector["expect"]["broken"].items() <= unpack(words[1]).items()


@of_kind("scan")
def test_not_even_a_frame(codec, vector):
    assert codec("request", vector["msgpack"]) == ["scan", vector["expect"]["scan"]]


@of_kind("event")
def test_events(codec, vector):
    _, name, (target, body) = value_of(vector["json"])
    payload = body if isinstance(body, bytes) else b""
    sent = body if isinstance(body, dict) else {"bytes" if isinstance(body, int) else "data": body}
    (head,) = codec("event", name, target, msgpack.packb(sent).hex())
    assert head + payload.hex() == vector["msgpack"]


@of_kind("response")
def test_responses(codec, vector):
    _, msgid, _, result = value_of(vector["json"])
    sent = "-" if result is None else msgpack.packb(result).hex()
    assert codec("response", vector["method"], msgid, vector.get("from", sent)) == [vector["msgpack"]]


@of_kind("error")
def test_error_responses(codec, vector):
    _, msgid, error, _ = value_of(vector["json"])
    assert codec("error", msgid, msgpack.packb(error).hex()) == [vector["msgpack"]]


def test_nothing_is_left_out():
    requests = {v["json"][-2] for v in VECTORS if v["expect"] == "request"}
    assert requests >= set(_schema.METHODS)
    assert {v["method"] for v in VECTORS if v["expect"] == "response"} >= set(_schema.METHODS) - {
        "net.connect", "net.createServer"}
    assert {v["json"][1] for v in VECTORS if v["expect"] == "event"} == set(_schema.EVENTS)


def test_names_are_there_once():
    names = [v["name"] for v in VECTORS]
    assert len(names) == len(set(names))
