"""A netbroker session with nothing but msgpack and a socket.

Frames are lists: [0, msgid, method, params] out; [1, msgid, error, result] and
[2, name, params] in. Responses may come in any order and between events, so a
reader keeps what it is not looking for. Everything here blocks, one thread at
a time, until a deadline in seconds passes.

    session = Session(path)
    session.request("net.createConnection", 1, {"port": 8124})
    session.notify("socket.write", 1, b"hello")
    print(session.expect_event("socket.data", 1))
"""
import itertools
import os
import socket
import time

import msgpack

DEADLINE = float(os.environ.get("NETBROKER_TEST_DEADLINE", "10"))
ABSENT = object()


class Failed(Exception):
    """The error map of a response."""

    def __init__(self, error):
        super().__init__(f"{error.get('code')}: {error.get('message')}")
        self.error = error
        self.code = error.get("code")


class Session:
    """One connection to the broker. `log` holds every frame received, in order."""

    def __init__(self, path, inspect=None):
        """`inspect(frame, size)`, if given, sees each frame as it arrives."""
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(str(path))
        self.log = []
        self._inspect = inspect
        self._unpacker = msgpack.Unpacker(raw=False, max_buffer_size=64 << 20)
        self._read = 0
        self._waiting = []
        self._msgids = itertools.count(1)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.socket.close()

    # ---- out ----

    def send_bytes(self, data):
        self.socket.sendall(data)

    def send(self, method, target=0, body=ABSENT, options=ABSENT, msgid=None):
        """Sends a request and returns its msgid at once."""
        msgid = next(self._msgids) if msgid is None else msgid
        self.send_bytes(request_frame(msgid, method, target, body, options))
        return msgid

    def send_fds(self, fds, method, target=0, body=ABSENT):
        """As send; the descriptors go with the first byte, and the caller keeps its own."""
        msgid = next(self._msgids)
        frame = request_frame(msgid, method, target, body)
        sent = socket.send_fds(self.socket, [frame], fds)
        self.send_bytes(frame[sent:])
        return msgid

    def notify(self, method, target=0, body=ABSENT, options=ABSENT):
        self.send_bytes(notification_frame(method, target, body, options))

    def request(self, method, target=0, body=ABSENT, options=ABSENT):
        """Sends a request and returns its result; raises Failed with its error map."""
        return self.result(self.send(method, target, body, options))

    def refused(self, method, target=0, body=ABSENT, options=ABSENT):
        """Sends a request that must fail and returns its error map."""
        return self.error(self.send(method, target, body, options))

    # ---- in ----

    def response(self, msgid):
        return self._take(lambda frame: frame[0] == 1 and frame[1] == msgid, f"response {msgid}")

    def wait_for_response(self, msgid):
        """Until it is there; it can still be asked for."""
        self._waiting.append(self.response(msgid))

    def result(self, msgid):
        _, _, error, result = self.response(msgid)
        if error is not None:
            raise Failed(error)
        return result

    def error(self, msgid):
        _, _, error, result = self.response(msgid)
        assert error is not None, f"request {msgid} succeeded with {result!r}"
        return error

    def expect_event(self, name, target=0):
        """The body of the next such event ({} when it has none)."""
        frame = self._take(lambda frame: frame[:2] == [2, name] and frame[2][0] == target, f"{name} [{target}]")
        return frame[2][1] if len(frame[2]) > 1 else {}

    def next_event(self, target, patience=DEADLINE):
        """(name, body) of the next event of a target, whatever it is; without a body: (name, {})."""
        frame = self._take(lambda frame: frame[0] == 2 and frame[2][0] == target, f"event [{target}]", patience)
        return frame[1], frame[2][1] if len(frame[2]) > 1 else {}

    def unread(self):
        """The frames that came and were not asked for; they are forgotten."""
        frames, self._waiting = self._waiting, []
        return frames

    def take_in(self):
        """Takes what has come by now and waits for nothing."""
        self.socket.settimeout(0)
        try:
            while data := self.socket.recv(1 << 18):
                self._unpacker.feed(data)
        except BlockingIOError:
            pass
        finally:
            self.socket.settimeout(DEADLINE)
        for frame in self._unpacker:
            self._accept(frame)

    def received(self, target, size):
        """The next `size` bytes of a socket, joined from its data events."""
        data = bytearray()
        while len(data) < size:
            data += self.expect_event("socket.data", target)
        assert len(data) == size, f"{len(data)} bytes where {size} were expected"
        return bytes(data)

    def frames(self, patience=DEADLINE):
        """Every further frame as it comes, none kept, until the broker closes or is silent for `patience` seconds."""
        while (frame := self._read_frame(time.monotonic() + patience)) is not None:
            self.log.clear()
            self._waiting.clear()
            yield frame

    def forget(self):
        """Drops what has come and was not asked for."""
        self._waiting.clear()

    def expect_eof(self, patience=DEADLINE):
        """Keeps the frames that still come and returns when the broker has closed."""
        while self._read_frame(time.monotonic() + patience) is not None:
            pass

    def _take(self, wanted, what, patience=DEADLINE):
        for index, frame in enumerate(self._waiting):
            if wanted(frame):
                return self._waiting.pop(index)
        deadline = time.monotonic() + patience
        while (frame := self._read_frame(deadline, what)) is not None:
            if wanted(self._waiting[-1]):
                return self._waiting.pop()
        raise EOFError(f"the broker closed before {what}; {self.recent()}")

    def _read_frame(self, deadline, what="the end of the stream"):
        """Appends the next frame to `log` and `_waiting`; None at end of stream."""
        while True:
            for frame in self._unpacker:
                self._accept(frame)
                return frame
            self.socket.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                data = self.socket.recv(1 << 18)
            except TimeoutError:
                raise TimeoutError(f"no {what} in time; {self.recent()}") from None
            except ConnectionResetError:
                return None
            finally:
                self.socket.settimeout(DEADLINE)
            if not data:
                return None
            self._unpacker.feed(data)

    def _accept(self, frame):
        size, self._read = self._unpacker.tell() - self._read, self._unpacker.tell()
        self.log.append(frame)
        self._waiting.append(frame)
        if self._inspect:
            self._inspect(frame, size)

    # ---- what happened, for assertions on order ----

    def events(self, name, target=0):
        """The bodies of all such events so far."""
        return [frame[2][1:] for frame in self.log if frame[:2] == [2, name] and frame[2][0] == target]

    def story(self, target=0, **requests):
        """What happened to a target, in order: event names without their actor, repeats joined, and for each
        request given as name=msgid "=name" where it succeeded, "!name" where it failed."""
        names = {msgid: name for name, msgid in requests.items()}
        lines = []
        for frame in self.log:
            if frame[0] == 2 and frame[2][0] == target:
                lines.append(frame[1].split(".")[1])
            elif frame[0] == 1 and frame[1] in names:
                lines.append(("=" if frame[2] is None else "!") + names[frame[1]])
        return [line for line, _ in itertools.groupby(lines)]

    def recent(self):
        return "last frames: " + ", ".join(repr(frame)[:120] for frame in self.log[-6:])


def params(target, body, options):
    return [target] + [value for value in (body, options) if value is not ABSENT]


def request_frame(msgid, method, target=0, body=ABSENT, options=ABSENT):
    return msgpack.packb([0, msgid, method, params(target, body, options)])


def notification_frame(method, target=0, body=ABSENT, options=ABSENT):
    return msgpack.packb([2, method, params(target, body, options)])
