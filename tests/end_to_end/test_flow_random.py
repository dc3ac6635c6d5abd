"""Random clients that keep the rules of feature flow, against a model of what may and what must come. protocol.md 7."""
import random
import threading

import pytest

from support import peers
from support.wire import DEADLINE

SOCKETS, STEPS = 3, 250
WINDOWS = (1, 7, 1000, 65536, 1 << 20)
PERIOD = 1_000_003
PATTERN = random.Random(0).randbytes(PERIOD) * 18


def pattern(offset, length):
    start = offset % PERIOD
    return PATTERN[start:start + length]


class Line:
    """One connection: what the client knows of it, and its peer, which is never waited for."""

    def __init__(self, session, folder, target, window):
        self.session, self.target, self.window = session, target, window
        self.peer = peers.connect_unix(session, folder / str(target), target, readWindow=window)
        self.peer.setblocking(False)
        self.written = self.told = self.arrived = 0  # client to peer
        self.sent = self.received = 0  # peer to client
        self.limit, self.is_paused = window, False

    # ---- what the random client may do ----

    def write(self, chance, room):
        length = chance.choice((0, 1, 100, 5000, 60000))
        most = min(room, self.session.window - (self.written - self.told))
        length = min(length, most)
        self.session.notify("socket.write", self.target, pattern(self.written, length))
        self.written += length

    def credit(self, chance):
        """As it is used; sometimes twice, or with a stale one behind it."""
        self.limit = max(self.limit, self.received + chance.randrange(self.window + 1))
        for limit in chance.choice(([self.limit], [self.limit, self.limit // 2], [self.limit, self.limit])):
            self.session.notify("socket.credit", self.target, limit)

    def pause(self, chance):
        self.session.request("socket.resume" if self.is_paused else "socket.pause", self.target)
        self.session.digest()
        self.is_paused = not self.is_paused

    # ---- and its peer ----

    def peer_sends(self, chance):
        data = pattern(self.sent, chance.choice((1, 30, 9000, 70000)))
        try:
            self.sent += self.peer.send(data)
        except BlockingIOError:
            pass

    def peer_reads(self, chance):
        try:
            data = self.peer.recv(chance.choice((1, 4000, 1 << 20)))
        except BlockingIOError:
            return
        assert data == pattern(self.arrived, len(data))
        self.arrived += len(data)

    # ---- what comes ----

    def on_data(self, data):
        assert data == pattern(self.received, len(data)), f"wrong bytes at {self.received}"
        self.received += len(data)
        assert self.received <= self.limit, "beyond the credit"
        assert not self.is_paused, "behind the fence of a pause"

    def on_flushed(self, offset):
        assert self.told < offset <= self.written
        self.told = offset


def play(session, lines, chance):
    for _ in range(STEPS):
        line = chance.choice(lines)
        step = chance.choice(("write", "write", "credit", "pause", "peer_sends", "peer_sends", "peer_reads"))
        if step == "write":
            line.write(chance, session.sum - sum(other.written - other.told for other in lines))
        else:
            getattr(line, step)(chance)
        if chance.random() < 0.3:
            take(session)


def digest(session, lines):
    """Looks at what has come so far."""
    by_target = {line.target: line for line in lines}
    for frame in session.log:
        name, target = frame[1], frame[2][0] if frame[0] == 2 else None
        assert frame[0] == 1 or not name.endswith("error"), frame
        if name == "socket.data":
            by_target[target].on_data(frame[2][1])
        elif name == "socket.flushed":
            by_target[target].on_flushed(frame[2][1])
    session.log.clear()
    session.forget()


def take(session):
    """What comes until a ping has gone round."""
    session.request("session.ping", 0, {})
    session.digest()


def settle(session, lines, chance):
    """All that was sent arrives, once everybody reads."""
    def is_over(line):
        return line.received == line.sent and line.arrived == line.told == line.written

    readers = [threading.Thread(target=read_rest, args=(line,)) for line in lines]
    for line in lines:
        if line.is_paused:
            line.pause(chance)
    for reader in readers:
        reader.start()
    while not all(is_over(line) for line in lines):
        for line in lines:
            if line.limit - line.received <= line.window // 2:
                line.limit = line.received + max(line.window, 1 << 16)
                session.notify("socket.credit", line.target, line.limit)
        take(session)
    for reader in readers:
        reader.join()


def read_rest(line):
    line.peer.settimeout(DEADLINE)
    rest = peers.read_exactly(line.peer, line.written - line.arrived)
    assert rest == pattern(line.arrived, len(rest))
    line.arrived += len(rest)


@pytest.mark.parametrize("seed", range(60))
def test_a_client_that_keeps_the_rules(connect_session, folder, seed):
    chance, session = random.Random(seed), connect_session()
    limits = session.request("session.hello", 0, {"features": ["flow"]})["limits"]
    session.window, session.sum = limits["writeWindow"], limits["sessionWriteWindow"]
    lines = [Line(session, folder, 2 * number + 1, chance.choice(WINDOWS)) for number in range(SOCKETS)]
    session.log.clear()
    session.digest = lambda: digest(session, lines)
    play(session, lines, chance)
    settle(session, lines, chance)
    for line in lines:
        session.request("socket.destroy", line.target)
        line.peer.close()
    assert session.request("session.info")["unflushed"] == 0
