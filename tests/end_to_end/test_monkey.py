"""A monkey at the keyboard: random commands on random targets, random damage to frames. Whatever it types, the order of
events holds (the tap checks every frame), every request is answered once, and nothing is left behind.

NETBROKER_TEST_SEED repeats a run; the seed is part of each failure.
"""
import os
import random
import socket

import pytest

from support import peers
from support.wire import Session, notification_frame, request_frame

SEED = int(os.environ.get("NETBROKER_TEST_SEED", random.randrange(1 << 32)))
STEPS = 1500
ODD_IDS = range(1, 24, 2)
ENCODINGS = ["utf8", "hex", "latin1", "base64", None]


class Monkey:
    """Drives one session whose sockets connect to its own servers, so that every command has an effect somewhere."""

    def __init__(self, session, folder, seed):
        self.session, self.folder, self.random = session, folder, random.Random(seed)
        self.asked, self.ports, self.live = [], [1], set()

    def act(self):
        action = self.random.choice([self.create, self.connect, self.list, self.filter, self.connect, self.serve, self.listen, self.write, self.write,
                                     self.command, self.command, self.end, self.read])
        action()

    def ask(self, method, target, *body):
        if self.random.random() < 0.5:
            self.session.notify(method, target, *body)
        else:
            self.asked.append(self.session.send(method, target, *body))

    def any_id(self):
        known = [frame[2][1]["socket"] for frame in self.session.log if frame[:2] == [2, "server.connection"]]
        return self.random.choice([*ODD_IDS, *known[-10:]])

    def fresh_id(self):
        """The id of no living actor, or 0; a living one would be fatal."""
        self.session.request("session.ping", 0, {})
        for target in self.random.sample(ODD_IDS, len(ODD_IDS)):
            error = self.session.response(self.session.send("socket.info", target))[2]
            if error and error["code"] == "ERR_NB_NO_SUCH_TARGET":
                return target
        return 0

    def where(self):
        port = {"port": self.random.choice(self.ports), "host": self.random.choice([peers.LOOPBACK, "localhost"])}
        return self.random.choice([port, port, {"path": str(self.folder / f"{self.random.randrange(3)}")}])

    def options(self):
        chosen = {name: self.random.random() < 0.5 for name in ("allowHalfOpen", "noDelay") if self.random.random() < 0.5}
        return chosen | ({"blockList": self.any_id()} if self.random.random() < 0.2 else {})

    def create(self):
        self.ask("socket.create", self.fresh_id(), {"autoRelease": self.random.random() < 0.5})

    def connect(self):
        if self.random.random() < 0.5:
            self.ask("socket.connect", self.any_id(), self.where())
        else:
            self.ask("net.createConnection", self.fresh_id(), {**self.where(), **self.options()})

    def serve(self):
        self.ask("server.create", self.fresh_id(), self.options())

    def list(self):
        self.ask("blockList.create", self.fresh_id(), self.random.choice([{}, {"name": f"{self.random.randrange(3)}"}]))

    def filter(self):
        target, rule = self.any_id(), self.random.choice(["127.0.0.1", "127.0.0.0/8", "::1", "10.0.0.0-10.0.0.9", "x"])
        self.ask(*self.random.choice([
            ("blockList.addRules", target, {"rules": [rule] * self.random.randrange(100)}), ("blockList.clear", target),
            ("blockList.addAddress", target, {"address": rule}), ("blockList.removeRule", target, {"rule": rule}),
            ("blockList.load", target, rule), ("blockList.check", target, {"address": rule}), ("blockList.size", target),
            ("blockList.match", target, {"address": rule}), ("blockList.rules", target), ("blockList.hits", target),
            ("blockList.checkMany", target, {"addresses": [rule] * 50}), ("blockList.release", target)]))

    def listen(self):
        path = str(self.folder / f"{self.random.randrange(3)}")
        where = self.random.choice([{"port": 0, "host": peers.LOOPBACK}, {"path": path}])
        self.ask("server.listen", self.any_id(), where)

    def write(self):
        self.ask("socket.write", self.any_id(), self.random.randbytes(self.random.choice([0, 1, 100, 70000])))

    def end(self):
        self.ask("socket.end", self.any_id(), *self.random.choice([[], [b"last words"]]))

    def command(self):
        target, encoding = self.any_id(), self.random.choice(ENCODINGS)
        self.ask(*self.random.choice([
            ("socket.pause", target), ("socket.resume", target), ("socket.info", target), ("socket.address", target),
            ("socket.destroy", target), ("socket.resetAndDestroy", target), ("socket.release", target),
            ("socket.destroy", target, {"error": {"code": "ABORT_ERR", "message": "aborted", "name": "AbortError"}}),
            ("socket.setEncoding", target, {"encoding": encoding} if encoding else {}), ("socket.setNoDelay", target),
            ("socket.setKeepAlive", target, {"enable": True, "initialDelay": 1000}), ("socket.ref", target),
            ("socket.setTimeout", target, {"timeout": self.random.choice([0, 1, 20])}), ("socket.unref", target),
            ("server.close", target), ("server.getConnections", target), ("server.release", target), ("server.info", target),
            ("server.set", target, {"maxConnections": self.random.randrange(3)}), ("server.unref", target),
            ("server.address", target), ("session.info", 0)]))

    def read(self):
        """Takes in what has come, and learns ports from it."""
        self.session.request("session.ping", 0, {})
        for frame in self.session.log:
            if frame[:2] == [2, "server.listening"] and "port" in frame[2][1]:
                self.ports.append(frame[2][1]["port"])

    def finish(self):
        """Ends the session in good order; every request still open is answered before it ends."""
        closing = self.session.send("session.close")
        self.session.expect_eof()
        answered = [frame[1] for frame in self.session.log if frame[0] == 1]
        assert len(answered) == len(set(answered)), "a request was answered twice"
        missing = set(self.asked + [closing]) - set(answered)
        assert not missing, f"{len(missing)} requests without an answer"


@pytest.mark.parametrize("round_", range(4))
def test_random_commands(connect_session, folder, round_):
    seed = SEED + round_
    session = connect_session()
    monkey = Monkey(session, folder, seed)
    try:
        for _ in range(STEPS):
            monkey.act()
        monkey.finish()
    except Exception as failure:
        raise AssertionError(f"seed {seed}") from failure
    fatal = [error for [error] in session.events("session.error") if error.get("fatal")]
    assert not fatal, f"seed {seed}: {fatal}"


FRAMES = [
    request_frame(1, "session.hello", 0, {"protocol": 1, "features": ["flow"]}),
    request_frame(2, "server.create", 1, {}),
    request_frame(3, "server.listen", 1, {"port": 0, "host": "127.0.0.1", "backlog": 5}),
    request_frame(4, "net.createConnection", 3, {"port": 1, "host": "127.0.0.1", "onread": {"size": 5}}),
    request_frame(5, "session.ping", 0, {"a": [1, {}]}),
    request_frame(6, "socket.destroy", 3, {"error": {"code": "X"}}),
    notification_frame("socket.write", 3, b"payload", {"encoding": "hex"}),
    notification_frame("socket.setTimeout", 3, {"timeout": 1.5})]


def damaged(rng):
    """The frames in random order, some bytes of them flipped, cut out, or doubled."""
    data = bytearray(b"".join(rng.choices(FRAMES, k=6)))
    for _ in range(rng.randrange(4)):
        place, length = rng.randrange(len(data)), rng.randrange(1, 5)
        data[place:place + length] = rng.choice([b"", rng.randbytes(length), data[place:place + length] * 2])
    return bytes(data)


def test_damaged_frames(broker):
    rng = random.Random(SEED)
    with Session(broker.path) as bystander:
        for _ in range(600):
            with Session(broker.path) as session:
                data = damaged(rng)
                try:
                    session.send_bytes(data)
                    session.socket.shutdown(socket.SHUT_WR)
                    session.expect_eof()
                except BrokenPipeError:
                    pass
                assert bystander.request("session.ping", 0, {}) == {}, f"seed {SEED}: {data.hex()}"
