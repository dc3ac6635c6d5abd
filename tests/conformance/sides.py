"""The two who play scenarios, behind one face: the daemon, and Node's net behind driver.js.

    side.session(name)   a session of its own, made when first asked for (Node has one)
    side.pid             the process whose sockets they are
    side.give(fd)        the number by which a command can name the descriptor
    side.opened(target)  that command makes an open socket
    side.close()         ends the sessions; the processes live on for the next scenario

Frames to and from Node are those of the protocol, as one line of JSON each.
"""
import base64
import contextlib
import json
import math
import os
import pathlib
import socket
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "differential")]

import oracle  # noqa: E402
from support.conformance import Tap  # noqa: E402
from support.wire import ABSENT, DEADLINE, Session, notification_frame, params  # noqa: E402

NODE_VERSION = "v19.2.0"
PACKAGE = HERE.parents[1] / "clients" / "node"


class BrokerSide:
    name = "broker"

    def __init__(self, broker):
        self._broker, self._sessions, self._taps, self._given = broker, {}, {}, 0
        self.pid = broker.pid

    def give(self, fd):
        """Before the first command of a scenario, which would be too late to ask for the feature."""
        if not self._sessions:
            self.session().request("session.hello", 0, {"features": ["fds"]})
        socket.send_fds(self.session().socket, [notification_frame("session.ping")], [fd])
        self._given += 1
        return self._given - 1

    def opened(self, target):
        self._taps[""].opened(target)

    def session(self, name=""):
        if name not in self._sessions:
            self._taps[name] = Tap()
            self._sessions[name] = Session(self._broker.path, inspect=self._taps[name])
        return self._sessions[name]

    def close(self):
        for session in self._sessions.values():
            session.socket.close()
        self._sessions.clear()
        self._given = 0


class NodeSide:
    name = "node"

    def __init__(self, node, **environment):
        """Starts the driver under the given Node, with more in its environment; `end` ends it."""
        self._node = node
        self._environment = {**os.environ, "NODE_NO_WARNINGS": "1", **environment}
        self._start()

    def _start(self, fds=()):
        ours, theirs = socket.socketpair()
        self._process = subprocess.Popen([self._node, HERE / "driver.js"], stdin=theirs, stdout=theirs, pass_fds=fds,
                                         env=self._environment)
        theirs.close()
        self._session = NodeSession(ours)
        self.pid = self._process.pid

    def give(self, fd):
        """A process gets descriptors when it starts: one, before the first command of a scenario."""
        if self._session.has_sent():
            raise ValueError("too late to give Node a descriptor")
        self.end()
        self._start([fd])
        return fd

    def opened(self, target):
        """Nothing has to be known of it."""

    def session(self, name=""):
        if name:
            raise ValueError("Node knows no sessions")
        return self._session

    def close(self):
        """All that the scenario left behind goes away."""
        self._session.request("session.close")
        self._session.forget()

    def end(self):
        self._session.socket.close()
        self._process.kill()
        self._process.wait()


class PackageSide(NodeSide):
    """Node's side once more, its net being the package's: what it opens, the daemon has."""

    def __init__(self, node, broker, data_plane):
        self._broker = broker
        super().__init__(node, NB_DRIVER_NET=str(PACKAGE), NETBROKER_SOCKET=str(broker.path),
                         NETBROKER_DATA_PLANE=data_plane)
        self.pid = broker.pid

    @contextlib.contextmanager
    def playing_the_broker(self):
        """Meanwhile the lines for the broker are its lines."""
        self.name = BrokerSide.name
        try:
            yield
        finally:
            del self.name

    def close(self):
        super().close()
        self.pid = self._broker.pid


class NodeSession(Session):
    """A session that speaks lines of JSON."""

    def __init__(self, sock):
        self.socket = sock
        sock.settimeout(DEADLINE)
        self._last = 0
        self.forget()
        self._inspect = None
        self._unpacker = Lines()
        self._read = 0

    def forget(self):
        self.log, self._waiting = [], []
        self._forgotten = self._last

    def has_sent(self):
        """Whether there was a command since the last scenario."""
        return self._last > self._forgotten

    def send(self, method, target=0, body=ABSENT, options=ABSENT, msgid=None):
        self._last += 1
        frame = [0, self._last, method, params(target, body, options)]
        self.send_bytes(json.dumps(plain(frame)).encode() + b"\n")
        return self._last


class Lines:
    """Takes bytes and gives the frames in them, as msgpack's Unpacker does."""

    def __init__(self):
        self._bytes, self._size = bytearray(), 0

    def feed(self, data):
        self._bytes += data

    def tell(self):
        return self._size

    def __iter__(self):
        return self

    def __next__(self):
        line, end, rest = self._bytes.partition(b"\n")
        if not end:
            raise StopIteration
        self._bytes = rest
        self._size += len(line) + 1
        return rich(json.loads(line))


def plain(value):
    """What JSON cannot say, said with a map of one field."""
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$number": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def rich(value):
    if isinstance(value, dict):
        if "$bytes" in value:
            return base64.b64decode(value["$bytes"])
        return {key: rich(item) for key, item in value.items()}
    return [rich(item) for item in value] if isinstance(value, list) else value


def find_node(directory):
    """(program, why there is none): exactly the version whose net is served; $NB_NODE, else npm's."""
    node = oracle.find(pathlib.Path(directory))
    found = oracle.version(node) if node else "no Node"
    return (node, "") if found == NODE_VERSION else (None, f"{found} here, and {NODE_VERSION} could not be installed from npm")
