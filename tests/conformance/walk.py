"""Random walks: legal sequences of commands on several sockets, and what a model of them says must come of it.

take_walks() takes them. A Plan is what hypothesis chooses; Walker.walk(plan) plays it on a daemon over raw MessagePack and raises
AssertionError where a socket does what its model does not allow: bytes lost, changed or out of order, an event too many or too
few, a wrong count.
"""
import collections
import os
import select
import socket
import sys
import tempfile
import time

import hypothesis
import msgpack
from hypothesis import HealthCheck, given, settings

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from support.conformance import Tap  # noqa: E402
from support.peers import LOOPBACK, dial, listener, port_of, reset  # noqa: E402
from support.wire import DEADLINE, notification_frame, request_frame  # noqa: E402
from walk_model import LARGEST, Connection, plans  # noqa: E402

MOST_PIECES = 8  # into which bytes are cut on their way out
LONGEST_WAIT = 0.002  # seconds
ENDED = {"ERR_STREAM_DESTROYED", "ECONNRESET", "EPIPE", "ERR_NB_NO_SUCH_TARGET", "ERR_SOCKET_CLOSED"}


class Walker:
    """A session that lives through many walks."""

    def __init__(self, path, folder, taken):
        """`path` of the daemon's socket; `folder` for Unix sockets; `taken` counts the actions."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(DEADLINE)
        self._socket.connect(str(path))
        self._unpacker, self._read, self._tap = msgpack.Unpacker(raw=False), 0, Tap()
        self._taken = taken
        self._next_id, self._next_msgid, self._open = 1, 1, {}
        self._connections, self._waiting = {}, None  # the latter: for its server to accept it
        self._cuts, self._cut = (LARGEST,), 0
        self._listeners = {False: listener(), True: listener(f"{folder}/peer")}
        self._servers = {(unix, half): self._serve(f"{folder}/{half}" if unix else None, half)
                         for unix in (False, True) for half in (False, True)}

    def close(self):
        self._socket.close()
        for sock in self._listeners.values():
            sock.close()

    # ---- one walk ----

    def walk(self, plan):
        self._cuts = plan.cuts
        self._cut = 0
        connections = [self._connect(kind, number) for number, kind in enumerate(plan.kinds)]
        for step in plan.steps:
            connection = connections[step.socket % len(connections)]
            if step.action == "wait":
                self._pump(time.monotonic() + LONGEST_WAIT * step.size / LARGEST)
            elif connection.allows(step.action):
                self._taken[step.action] += 1
                getattr(self, "do_" + step.action)(connection, step.size)
            self._pump(time.monotonic())
        for connection in connections:
            self._wind_up(connection)
        self._pump_until(lambda: all(map(Connection.is_over, connections)) and not self._open, "the end of every connection")
        for connection in connections:
            if connection.peer:
                connection.peer.close()
            connection.check()
        self._taken["walk"] += 1
        self._taken["byte"] += sum(connection.written + connection.sent for connection in connections)
        self._connections.clear()

    def _wind_up(self, connection):
        if connection.allows("end"):
            self.do_end(connection, 0)
        if connection.paused and connection.is_open():
            self.do_resume(connection, 0)
        if connection.allows("finish"):
            self.do_finish(connection, 0)

    def _connect(self, kind, number):
        connection = Connection(kind, number * 4099)
        if kind.accepted:
            connection.peer = dial(self._servers[kind.unix, kind.half_open])
            self._waiting = connection
            self._pump_until(lambda: connection.target, "a connection")
        else:
            sock = self._listeners[kind.unix]
            where = {"path": sock.getsockname()} if kind.unix else {"host": LOOPBACK, "port": port_of(sock)}
            connection.target = self._new_id(connection)
            self._request("net.createConnection", connection.target, {**where, "allowHalfOpen": kind.half_open})
            connection.peer, _ = sock.accept()
        connection.peer.setblocking(False)
        return connection

    def _new_id(self, connection=None):
        target, self._next_id = self._next_id, self._next_id + 2
        self._connections[target] = connection
        return target

    def _serve(self, path, half_open):
        target = self._new_id()
        self._request("server.create", target, {"allowHalfOpen": half_open})
        answers = []
        self._request("server.listen", target, {"path": path} if path else {"host": LOOPBACK, "port": 0}, answers.append)
        self._pump_until(lambda: answers, "a server")
        return path or answers[0]["port"]

    # ---- actions ----

    def do_write(self, connection, size, method="socket.write"):
        data = connection.part(connection.written, size)
        connection.written += size
        end = connection.written
        if size % 5 == 0:  # some without an answer
            self._send(notification_frame(method, connection.target, data))
        else:
            self._request(method, connection.target, data, lambda result: self._check_written(method, result, end))

    def _check_written(self, method, result, end):
        assert method != "socket.write" or result["bytesWritten"] >= end, f"{result} where {end} bytes were written"

    def do_end(self, connection, size):
        self.do_write(connection, size, "socket.end")
        connection.ended = True

    def do_pause(self, connection, _):
        resumed = connection.resumed

        def paused(_):
            connection.fenced = connection.resumed == resumed
        connection.paused = True
        self._request("socket.pause", connection.target, answer=paused)

    def do_resume(self, connection, _):
        connection.paused = connection.fenced = False
        connection.resumed += 1
        self._request("socket.resume", connection.target)

    def do_info(self, connection, _):
        written, paused, ended, peer_ended = connection.written, connection.paused, connection.ended, connection.peer_ended

        def check(info):
            assert info["bytesWritten"] == written and info["paused"] == paused and info["bytesRead"] <= connection.sent, info
            states = ("readOnly", "closed") if ended else ("open", "writeOnly")
            assert info["readyState"] == states[0] or (peer_ended and info["readyState"] == states[1]), info
        self._request("socket.info", connection.target, answer=check)

    def do_destroy(self, connection, _):
        connection.end = "destroy"
        self._request("socket.destroy", connection.target)

    def do_send(self, connection, size):
        connection.queue += connection.part(connection.sent, size)
        connection.sent += size

    def do_finish(self, connection, _):
        self._wait_for_daemon()
        connection.peer_ended = True

    def do_reset(self, connection, _):
        self._wait_for_daemon()
        connection.end, connection.peer_done = "reset", True
        connection.queue.clear()
        reset(connection.peer)
        connection.peer = None

    def _wait_for_daemon(self):
        """Until it has seen every command so far."""
        seen = []
        self._request("session.ping", 0, {}, seen.append)
        self._pump_until(lambda: seen, "the answer to a ping")

    # ---- out ----

    def _request(self, method, target, body=None, answer=None):
        msgid, self._next_msgid = self._next_msgid, self._next_msgid + 1
        self._open[msgid] = (method, target, answer)
        self._send(request_frame(msgid, method, target, *([] if body is None else [body])))

    def _send(self, data):
        for piece in self._pieces(data):
            self._socket.sendall(piece)

    def _pieces(self, data):
        size = max(self._next_cut(), len(data) // MOST_PIECES)
        return (data[begin:begin + size] for begin in range(0, len(data), size))

    def _next_cut(self):
        self._cut = (self._cut + 1) % len(self._cuts)
        return self._cuts[self._cut]

    # ---- in ----

    def _pump_until(self, condition, what):
        deadline = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < deadline, f"not in time: {what}; open: {list(self._open.values())[:5]}"
            self._pump(time.monotonic() + 0.01, once=True)

    def _pump(self, until, once=False):
        """Lets every socket take and give what it can, until then; at least once round."""
        while True:
            peers = {connection.peer: connection for connection in self._connections.values() if connection and connection.peer}
            reading = [peer for peer, connection in peers.items() if not connection.peer_done]
            sending = [peer for peer, connection in peers.items() if connection.queue]
            ready, free, _ = select.select([self._socket, *reading], sending, [], max(0, until - time.monotonic()))
            for peer in free:
                self._push(peers[peer])
            for sock in ready:
                if sock is self._socket:
                    self._take_frames()
                else:
                    self._take_bytes(peers[sock])
            for connection in peers.values():
                self._finish_peer(connection)
            if once or not (ready or free) or time.monotonic() >= until:
                return

    def _push(self, connection):
        piece = next(iter(self._pieces(bytes(connection.queue))), b"")
        try:
            del connection.queue[:connection.peer.send(piece)]
        except BlockingIOError:
            pass
        except OSError as error:  # the socket was destroyed
            assert connection.end, error
            connection.queue.clear()

    def _finish_peer(self, connection):
        """Its FIN goes out behind its last byte."""
        if connection.peer_ended and not connection.queue and not connection.fin_sent:
            connection.fin_sent = True
            try:
                connection.peer.shutdown(socket.SHUT_WR)
            except OSError as error:
                assert connection.end, error

    def _take_bytes(self, connection):
        try:
            data = connection.peer.recv(1 << 16)
        except BlockingIOError:
            return
        except ConnectionResetError as error:
            assert connection.end, error
            data = b""
        connection.arrived += data
        connection.peer_done = not data

    def _take_frames(self):
        data = self._socket.recv(1 << 18)
        assert data, "the daemon closed the session"
        self._unpacker.feed(data)
        for frame in self._unpacker:
            size, self._read = self._unpacker.tell() - self._read, self._unpacker.tell()
            self._tap(frame, size)
            if frame[0] == 1:
                self._take_response(*frame[1:])
            else:
                self._take_event(frame[1], *frame[2])

    def _take_response(self, msgid, error, result):
        method, target, answer = self._open.pop(msgid)
        connection = self._connections.get(target)
        if error is not None:
            assert connection and connection.end and error["code"] in ENDED, f"{method} failed: {error}"
        elif answer:
            answer(result)

    def _take_event(self, name, target, body=None):
        verb = name.partition(".")[2]
        if name == "server.connection":
            self._waiting.target = body["socket"]
            self._connections[body["socket"]] = self._waiting
        elif name.startswith("socket."):
            self._take_socket_event(self._connections[target], verb, body)
        else:
            assert name in ("server.listening", "session.idle"), f"{name} {body}"

    def _take_socket_event(self, connection, verb, body):
        assert connection.closed is None, f"{verb} after close"
        if verb == "data":
            assert not connection.fenced, "data behind the answer to pause"
            connection.read += body
        elif verb == "close":
            connection.closed = body
        connection.events.append(verb)


def take_walks(path, count, seed=None):
    """So many walks on the daemon at `path`; returns how often each action was taken. A seed of None: always the same walks."""
    taken = collections.Counter()
    with tempfile.TemporaryDirectory(prefix="nb-") as folder:
        walkers = []

        def walk(plan):
            if not walkers:
                walkers.append(Walker(path, tempfile.mkdtemp(dir=folder), taken))
            try:
                walkers[0].walk(plan)
            except BaseException:
                walkers.pop().close()  # what it left behind must not meet the next plan
                raise

        options = settings(max_examples=count, deadline=None, database=None, derandomize=seed is None,
                           suppress_health_check=list(HealthCheck))
        test = options(given(plans())(walk))
        try:
            (test if seed is None else hypothesis.seed(seed)(test))()
        finally:
            for walker in walkers:
                walker.close()
    return taken
