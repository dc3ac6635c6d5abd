#!/usr/bin/python3
"""A round trip through a running broker with nothing but msgpack and a socket; shares no code with this project.

    raw_round_trip.py [SOCKET]      default: $NETBROKER_SOCKET

Listens and connects over TCP and over a Unix path, carries 64 MiB each way with every byte checked, half-closes both
ways, holds 200 sockets in one session, and looks from a second session for what it must not see.
"""
import collections
import os
import random
import socket
import sys
import tempfile
import threading

import msgpack

SIZE = 64 << 20
BLOCK = 64 << 10
PERIOD = 1_000_003  # prime, so that a lost or doubled block shows wherever it is
PATTERN = random.Random(8124).randbytes(PERIOD) * 2
LAST_WORDS = b"said after the other side had ended"


class Session:
    """One connection: a frame is [0, id, method, params] out, [1, id, error, result] or [2, name, params] in."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(path)
        self.unpacker = msgpack.Unpacker()
        self.early = collections.deque()
        self.msgid = 0

    def request(self, method, *params):
        """Returns the result, or the error map as a RuntimeError."""
        self.msgid += 1
        self.socket.sendall(msgpack.packb([0, self.msgid, method, params]))
        _, _, error, result = self.next(lambda frame: frame[:2] == [1, self.msgid])
        if error:
            raise RuntimeError(error["code"])
        return result

    def notify(self, name, *params):
        self.socket.sendall(msgpack.packb([2, name, params]))

    def event(self, name, target):
        params = self.next(lambda frame: frame[:2] == [2, name] and frame[2][0] == target)[2]
        return params[1] if len(params) > 1 else {}

    def next(self, wanted):
        """The first frame that is wanted; earlier ones are kept for later calls."""
        for frame in self.early:
            if wanted(frame):
                self.early.remove(frame)
                return frame
        while not wanted(frame := self.read()):
            self.early.append(frame)
        return frame

    def read(self):
        while True:
            for frame in self.unpacker:
                return frame
            data = self.socket.recv(1 << 18)
            assert data, "the broker closed the connection"
            self.unpacker.feed(data)


class Stream:
    """What one socket receives, checked against the pattern as it comes."""

    def __init__(self):
        self.size = 0
        self.rest = b""
        self.story = []

    def take(self, name, body):
        self.story.append((name.removeprefix("socket."), body))
        if name == "socket.data":
            self.story.pop()
            start, part = self.size % PERIOD, body[:SIZE - self.size]
            assert part == PATTERN[start:start + len(part)], f"wrong bytes after {self.size}"
            self.size += len(part)
            self.rest += body[len(part):]


def write_both(session, ours, theirs):
    for offset in range(0, SIZE, BLOCK):
        start = offset % PERIOD
        block = PATTERN[start:start + BLOCK]
        session.notify("socket.write", ours, block)
        session.notify("socket.write", theirs, block)
    session.notify("socket.end", ours)


def carry_both_ways(session, ours, theirs):
    """Fills both directions at once; `ours` ends first, `theirs` answers that with its last words and ends too."""
    streams = {ours: Stream(), theirs: Stream()}
    writer = threading.Thread(target=write_both, args=(session, ours, theirs))
    writer.start()
    while not all(stream.story and stream.story[-1][0] == "close" for stream in streams.values()):
        _, name, (target, *body) = session.next(lambda frame: frame[0] == 2 and frame[2][0] in streams)
        streams[target].take(name, body[0] if body else {})
        if (target, name) == (theirs, "socket.end"):
            session.notify("socket.write", theirs, LAST_WORDS)
            session.notify("socket.end", theirs)
    writer.join()
    return streams[ours], streams[theirs]


def round_trip(path, listen):
    """Server, connection, 64 MiB each way, both half-closes; all within one session."""
    session = Session(path)
    session.request("server.create", 1, {"allowHalfOpen": True})
    address = session.request("server.listen", 1, listen)
    where = {"path": address["path"]} if "path" in address else {"port": address["port"], "host": address["address"]}
    session.request("net.createConnection", 3, {**where, "allowHalfOpen": True})
    assert session.event("socket.connect", 3) is not None and session.event("socket.ready", 3) == {}
    theirs = session.event("server.connection", 1)["socket"]
    assert theirs % 2 == 0, "the broker's ids are even"
    ours, other = carry_both_ways(session, 3, theirs)
    check_end(ours, sent=SIZE, received=SIZE + len(LAST_WORDS), last=LAST_WORDS)
    check_end(other, sent=SIZE + len(LAST_WORDS), received=SIZE, last=b"")
    assert session.request("server.close", 1) == {}
    session.socket.close()


def check_end(stream, sent, received, last):
    assert stream.size == SIZE and stream.rest == last, (stream.size, stream.rest, stream.story[-3:])
    names = [name for name, _ in stream.story if name != "drain"]
    assert names == ["end", "close"], names
    assert stream.story[-1][1] == {"hadError": False, "bytesRead": received, "bytesWritten": sent}, stream.story[-1]


def many_at_once(path, count=200):
    """Each socket gets its own words back through the accepting side, all open at the same time."""
    session = Session(path)
    session.request("server.create", 1)
    port = session.request("server.listen", 1, {"port": 0, "host": "127.0.0.1"})["port"]
    ours = range(3, 3 + 2 * count, 2)
    for target in ours:
        session.notify("net.createConnection", target, {"port": port, "host": "127.0.0.1"})
        session.notify("socket.write", target, f"{target:08}".encode())
    theirs = [session.event("server.connection", 1)["socket"] for _ in ours]
    for target in theirs:
        session.notify("socket.write", target, collect(session, target, 8) * 2)
    for target in ours:
        assert collect(session, target, 16) == f"{target:08}".encode() * 2
    assert session.request("session.info", 0)["sockets"] == 2 * count
    for target in ours:
        session.notify("socket.end", target)
    for target in [*ours, *theirs]:
        assert session.event("socket.close", target)["hadError"] is False
    session.socket.close()


def collect(session, target, size):
    data = b""
    while len(data) < size:
        data += session.event("socket.data", target)
    return data


def strangers(path):
    """Two sessions: the same ids name different things, and one cannot name what the other has."""
    one, two = Session(path), Session(path)
    one.request("server.create", 1)
    port = one.request("server.listen", 1, {"port": 0, "host": "127.0.0.1"})["port"]
    two.request("net.createConnection", 3, {"port": port, "host": "127.0.0.1"})
    accepted = one.event("server.connection", 1)["socket"]
    for session, hidden in ((two, 1), (two, accepted), (one, 3)):
        try:
            session.request("socket.destroy", hidden)
        except RuntimeError as error:
            assert str(error) == "ERR_NB_NO_SUCH_TARGET", error
        else:
            raise AssertionError("a session reached an actor of another one")
    one.request("socket.write", accepted, b"still here")
    assert collect(two, 3, 10) == b"still here"
    one.socket.close()
    two.socket.close()


def main():
    path = sys.argv[1] if len(sys.argv) > 1 else os.environ["NETBROKER_SOCKET"]
    round_trip(path, {"port": 0, "host": "127.0.0.1"})
    print("64 MiB each way over TCP, both half-closes: ok", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        round_trip(path, {"path": os.path.join(directory, "server.sock")})
        assert not os.listdir(directory), "server.close unlinks its path"
    print("64 MiB each way over a Unix path: ok", flush=True)
    many_at_once(path)
    print("200 sockets in one session: ok", flush=True)
    strangers(path)
    print("two sessions apart: ok", flush=True)


if __name__ == "__main__":
    main()
