#!/usr/bin/python3
"""Proves a running broker: proof.py SOCKET

One session listens on a port that the system chooses, connects to it through the broker, exchanges bytes both
ways, half-closes both ways and sees the end. Knows only the wire: MessagePack over a Unix socket, nothing else of
this project.
"""
import random
import socket
import sys
import time

import msgpack

SIZE = 256 * 1024  # bytes each way: more than one frame, less than one write may have
DEADLINE = 20  # seconds without a byte from the broker
SERVER, CLIENT = 1, 3  # ids: a client chooses odd ones


class Session:
    """Requests are [0, msgid, method, params], answers [1, msgid, error, result], events [2, name, params]."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(path)
        self.unpacker = msgpack.Unpacker()
        self.events = []
        self.msgid = 0

    def request(self, method, *params):
        """The result; events that come before it are kept."""
        self.msgid += 1
        self.socket.sendall(msgpack.packb([0, self.msgid, method, params]))
        while (frame := self.receive())[0] != 1:
            self.events.append(frame)
        _, msgid, error, result = frame
        assert msgid == self.msgid and error is None, f"{method}: {error}"
        return result

    def next_event(self):
        """The oldest event not yet taken: name, target, body."""
        _, name, (target, *body) = self.events.pop(0) if self.events else self.receive()
        return name, target, body[0] if body else None

    def accepted(self):
        """The id of the first connection to a server; all events are kept."""
        while True:
            for _, name, params in self.events:
                if name == "server.connection":
                    return params[1]["socket"]
            self.events.append(self.receive())

    def receive(self):
        while True:
            for frame in self.unpacker:
                return frame
            data = self.socket.recv(65536)
            assert data, "the broker closed the session"
            self.unpacker.feed(data)


def follow(session, targets):
    """Takes events until both sockets have closed: their names in order, and their bytes, by socket."""
    story, received = {target: [] for target in targets}, {target: b"" for target in targets}
    while any("close" not in names for names in story.values()):
        name, target, body = session.next_event()
        if name == "socket.data":
            received[target] += body
        elif target in story and name != "socket.drain":
            story[target].append(name.removeprefix("socket."))
        assert name != "socket.close" or body["hadError"] is False, body
    return story, received


def prove(path):
    """Returns the port that it went through."""
    session = Session(path)
    session.request("server.create", SERVER, {"allowHalfOpen": True})
    port = session.request("server.listen", SERVER, {"port": 0, "host": "127.0.0.1"})["port"]
    there, back = random.randbytes(SIZE), random.randbytes(SIZE)
    session.request("net.createConnection", CLIENT, {"port": port, "host": "127.0.0.1", "allowHalfOpen": True})
    session.request("socket.end", CLIENT, there)
    accepted = session.accepted()
    session.request("socket.end", accepted, back)
    story, received = follow(session, (CLIENT, accepted))
    assert received == {CLIENT: back, accepted: there}, "the bytes differ"
    assert story == {CLIENT: ["connect", "ready", "end", "close"], accepted: ["end", "close"]}, story
    session.request("server.close", SERVER)
    assert session.next_event()[:2] == ("server.close", SERVER)
    return port


def main():
    began = time.monotonic()
    try:
        port = prove(sys.argv[1])
    except (AssertionError, OSError) as error:
        sys.exit(f"proof: failed: {error}")
    print(f"proof: through 127.0.0.1:{port} {SIZE} bytes went each way and came right, both sides half-closed, "
          f"ended and closed in order, in {(time.monotonic() - began) * 1000:.0f} ms", flush=True)


if __name__ == "__main__":
    main()
