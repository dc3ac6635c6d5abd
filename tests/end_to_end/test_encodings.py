"""Text instead of bytes, both ways, against what Node answered. protocol.md 10, docs/encodings.md."""
import json

import pytest

from support import peers
from support.broker import ROOT, wait_until

VECTORS = json.loads((ROOT / "tests" / "core" / "net" / "encoding" / "vectors.json").read_text())
ENCODINGS = ("utf8", "utf16le", "latin1", "ascii", "base64", "base64url", "hex")


def of(kind, encoding):
    return [vector for vector in VECTORS[kind] if vector["encoding"] == encoding]


def text_of(vector):
    return bytes.fromhex(vector["text"]).decode()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_written_text_is_the_bytes_of_node(session, encoding):
    vectors = of("encode", encoding)
    with peers.connect(session) as peer:
        for vector in vectors:
            session.notify("socket.write", 1, text_of(vector), {"encoding": encoding})
        session.request("socket.end", 1)
        assert peers.read_to_end(peer).hex() == "".join(vector["bytes"] for vector in vectors)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_received_chunks_are_the_text_of_node(session, folder, encoding):
    vectors = of("decode", encoding)
    for target, vector in enumerate(vectors):
        assert receive(session, folder, 2 * target + 1, encoding, vector) == text_of(vector), vector


def receive(session, folder, target, encoding, vector):
    """What the broker makes of chunks that it reads one by one, and of their end."""
    path, sent = folder / str(target), 0
    with peers.connect_unix(session, path, target, encoding=encoding) as peer:
        for chunk in map(bytes.fromhex, vector["chunks"]):
            peer.sendall(chunk)
            sent += len(chunk)
            wait_until(lambda: session.request("socket.info", target)["bytesRead"] == sent, "the chunk was read")
        peer.close()
        session.expect_event("socket.close", target)
    path.unlink()
    text = "".join(body for [body] in session.events("socket.data", target))
    session.log.clear()
    return text


@pytest.mark.parametrize("vector", VECTORS["names"], ids=lambda vector: repr(vector["name"]))
def test_names_are_those_of_node(session, vector):
    name = vector["name"]
    session.request("socket.create", 1, {})
    if "encoding" in vector:
        assert session.request("socket.setEncoding", 1, {"encoding": name}) == {}
        assert session.request("socket.info", 1)["encoding"] == vector["encoding"]
        assert session.request("socket.create", 3, {"encoding": name}) == {"id": 3}
    else:
        for method, target, *rest in (("socket.setEncoding", 1, {"encoding": name}), ("socket.create", 3, {"encoding": name}),
                                      ("socket.write", 1, "x", {"encoding": name})):
            error = session.refused(method, target, *rest)
            assert (error["code"], error["message"], error["name"]) == (vector["code"], vector["message"], "TypeError")
        assert "encoding" not in session.request("socket.info", 1)


def test_bytes_have_no_encoding(session):
    with peers.connect(session) as peer:
        session.notify("socket.write", 1, b"6162", {"encoding": "hex"})
        session.request("socket.end", 1, b"6364", {"encoding": "hex"})
        assert peers.read_to_end(peer) == b"61626364"


def test_the_last_text_has_an_encoding_too(session):
    with peers.connect(session) as peer:
        session.request("socket.end", 1, "ff00", {"encoding": "HEX"})
        assert peers.read_to_end(peer) == b"\xff\0"


def test_text_without_a_byte_is_a_write_all_the_same(session):
    with peers.connect(session) as peer:
        assert session.request("socket.write", 1, "zz", {"encoding": "hex"}) == {"bytesWritten": 0}
        assert session.request("socket.write", 1, "", {"encoding": "base64"}) == {"bytesWritten": 0}
        session.request("socket.end", 1, "!", {"encoding": "base64"})
        assert peers.read_to_end(peer) == b""


def test_a_new_encoding_forgets_half_a_character(session, folder):
    with peers.connect_unix(session, folder / "s", encoding="utf8") as peer:
        peer.sendall(b"a\xe2\x82")
        assert session.expect_event("socket.data", 1) == "a"
        wait_until(lambda: session.request("socket.info", 1)["bytesRead"] == 3, "three bytes")
        session.request("socket.setEncoding", 1, {"encoding": "latin1"})
        peer.sendall(b"\xac")
        assert session.expect_event("socket.data", 1) == "\xac"


def test_a_large_text_of_each_encoding_goes_round(session):
    data = bytes(range(256)) * 1024
    peers.serve(session)
    port = session.request("server.address", 1)["port"]
    for target, encoding, text in ((3, "hex", data.hex()), (5, "latin1", data.decode("latin-1"))):
        session.request("net.createConnection", target, {"port": port, "host": peers.LOOPBACK})
        other = session.expect_event("server.connection", 1)["socket"]
        session.request("socket.setEncoding", other, {"encoding": encoding})
        session.request("socket.end", target, text, {"encoding": encoding})
        session.expect_event("socket.close", other)
        assert "".join(body for [body] in session.events("socket.data", other)) == text
