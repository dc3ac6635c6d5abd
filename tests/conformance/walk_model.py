"""What a random walk consists of, and the model of one connection in it.

Model and daemon run at the same time, so a command is legal only where its outcome does not depend on which of them is ahead.
"""
import random
from typing import List, NamedTuple, Tuple

from hypothesis import strategies

LARGEST = 20_000  # bytes of one write
BYTES = random.Random(1).randbytes(1 << 20)


class Kind(NamedTuple):
    accepted: bool  # by a server, or connected to a listener
    unix: bool
    half_open: bool


class Step(NamedTuple):
    socket: int
    action: str
    size: int


class Plan(NamedTuple):
    kinds: List[Kind]
    steps: List[Step]
    cuts: Tuple[int]  # sizes of pieces


class Connection:
    """One connection: what the model knows of the daemon's socket `target` and of the plain socket at the other end."""

    def __init__(self, kind, shift):
        self.kind, self.target, self.peer = kind, None, None
        self.shift = shift  # where in BYTES its own bytes begin
        self.written = self.sent = 0  # bytes by the daemon's socket, by the peer
        self.arrived, self.read = bytearray(), bytearray()  # at the peer, in data events
        self.queue = bytearray()  # of the peer, not yet sent
        self.ended = self.peer_ended = self.paused = False
        self.fin_sent = False  # by the peer, behind its queue
        self.end = None  # how it was cut off: "destroy" or "reset"
        self.resumed = 0  # times
        self.fenced = False  # between the answer to pause and resume
        self.events, self.closed, self.peer_done = [], None, False

    def is_open(self):
        """Whether the socket is there for sure, whoever is ahead."""
        over = self.peer_ended and not self.paused and (self.ended or not self.kind.half_open)
        return not self.end and not over

    def allows(self, action):
        if action in ("send", "finish", "reset"):
            allowed = not self.end and not self.peer_ended
            return allowed and (action != "reset" or (self.is_open() and not self.paused and not self.kind.unix))
        if action in ("write", "end"):
            return self.is_open() and not self.ended
        if action == "pause":
            return self.is_open() and not self.peer_ended
        return self.is_open()

    def part(self, begin, size):
        """Bytes that tell by themselves where in the stream they belong."""
        begin = (begin + self.shift) % (len(BYTES) // 2)
        return BYTES[begin:begin + size]

    def expected(self, size):
        parts = (self.part(begin, min(LARGEST, size - begin)) for begin in range(0, size, LARGEST))
        return b"".join(parts)

    def is_over(self):
        return self.closed is not None and self.peer_done

    def check(self):
        """Once all is over."""
        theirs, ours = self.expected(self.sent), self.expected(self.written)
        if self.end:
            assert theirs.startswith(self.read) and ours.startswith(self.arrived), "bytes out of order"
        else:
            assert self.read == theirs, f"{len(self.read)} of {len(theirs)} bytes came from the peer"
            assert self.arrived == ours, f"{len(self.arrived)} of {len(ours)} bytes came to the peer"
            assert self.events.count("end") == 1, f"events {self.events}"
        failed = self.end == "reset"
        assert self.events.count("error") == failed and self.closed["hadError"] == failed, f"{self.events}, {self.closed}"
        assert self.closed["bytesRead"] == len(self.read), f"{self.closed} after {len(self.read)} bytes"
        assert self.closed["bytesWritten"] == self.written, f"{self.closed} after {self.written} bytes"


ACTIONS = ("write", "write", "write", "end", "pause", "resume", "info", "send", "send", "send", "finish", "wait", "destroy", "reset")


def plans():
    kinds = strategies.builds(Kind, strategies.booleans(), strategies.booleans(), strategies.booleans())
    steps = strategies.builds(Step, strategies.integers(0, 3), strategies.sampled_from(ACTIONS), strategies.integers(0, LARGEST))
    cuts = strategies.tuples(strategies.integers(1, 64), strategies.integers(1, LARGEST))
    return strategies.builds(Plan, strategies.lists(kinds, min_size=1, max_size=4), strategies.lists(steps, min_size=10, max_size=60), cuts)
