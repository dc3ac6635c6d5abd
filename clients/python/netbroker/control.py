"""A session that waits: one request at a time, for programs without an event loop."""
from __future__ import annotations

import socket
import time
from collections import deque
from typing import Any, Deque, Dict, Optional, Tuple

import msgpack

from ._schema import PROTOCOL_VERSION
from .errors import NoBrokerError, SessionLost, from_map
from .opening import default_path

NativeSocket = socket.socket  # also where socket.socket has been replaced
PIECE = 64 * 1024  # bytes
LARGEST_FRAME = 16 * 1024 * 1024  # bytes; more is a broken broker


def dial(native: socket.socket) -> None:
    """Connects a Unix socket to the broker. Raises NoBrokerError, TimeoutError."""
    path = default_path()
    try:
        NativeSocket.connect(native, path)
    except TimeoutError:
        raise
    except OSError as error:
        raise NoBrokerError(
            f"no broker answers at {path} (from $NETBROKER_SOCKET or $XDG_RUNTIME_DIR): {error.strerror or error}. "
            f"Start one with `netbroker serve --socket {path}`"
        ) from error


class Control:
    """The session of one blocking socket. Not thread-safe; its owner is."""

    def __init__(self, timeout: Optional[float]) -> None:
        """timeout: seconds that each wait may take; None: any time."""
        self._native = NativeSocket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._native.settimeout(timeout)
        self._unpacker = msgpack.Unpacker(max_buffer_size=LARGEST_FRAME, strict_map_key=False)
        self._events: Deque[Tuple[str, Any]] = deque()
        self._last_msgid = 0
        self._has_ended = False
        try:
            dial(self._native)
            self.request("session.hello", 0, {"protocol": PROTOCOL_VERSION, "features": ["channel"]})
        except BaseException:
            self.close()
            raise

    def settimeout(self, timeout: Optional[float]) -> None:
        self._native.settimeout(timeout)

    def request(self, method: str, target: int, body: Dict[str, Any], behind: bytes = b"") -> Any:
        """The result; `behind`: frames that the broker gets together with it. Raises what the broker answers with, SessionLost, TimeoutError."""
        self._last_msgid += 1
        self._native.sendall(msgpack.packb((0, self._last_msgid, method, (target, body))) + behind)
        while True:
            frame = self._next_frame()
            if frame[0] == 2:
                self._keep(frame)
            elif frame[1] == self._last_msgid:
                if frame[2] is not None:
                    raise from_map(frame[2])
                return frame[3]

    def wait_for_end(self) -> Optional[BaseException]:
        """The error that the socket of this session ended with, told once; None: its peer ended it."""
        failure: Optional[BaseException] = None
        while not self._has_ended:
            while self._events and not self._has_ended:
                name, body = self._events.popleft()
                self._has_ended = name in ("socket.error", "socket.end", "socket.close")
                failure = from_map(body) if name == "socket.error" else None
            if not self._has_ended:
                failure = self._await_event()
        return failure

    def _await_event(self) -> Optional[SessionLost]:
        try:
            self._keep(self._next_frame())
        except SessionLost as lost:
            self._has_ended = True
            return lost
        return None

    def is_over(self) -> bool:
        """Whether the socket of this session has closed; does not wait."""
        self._native.settimeout(0)
        try:
            while True:
                self._keep(self._next_frame())
                if self._events[-1][0] == "socket.close":
                    return True
        except BlockingIOError:
            return False
        except (OSError, IndexError):
            return True

    def close(self) -> None:
        """Ends the session, in the process that opened it; what the socket was given still goes out."""
        self._native.close()

    def _keep(self, frame: Any) -> None:
        if frame[0] == 2:
            self._events.append((frame[1], frame[2][1] if len(frame[2]) > 1 else {}))

    def _next_frame(self) -> Any:
        while True:
            for frame in self._unpacker:
                return frame
            data = self._native.recv(PIECE)
            if not data:
                raise SessionLost("the session with the broker has ended")
            self._unpacker.feed(data)


def attach(native: socket.socket, token: str) -> None:
    """Makes a connection to the broker the stream of a channel; reads its answer and no byte more."""
    NativeSocket.sendall(native, msgpack.packb((0, 1, "session.attach", (0, {"token": token}))))
    unpacker = msgpack.Unpacker()
    while True:
        data = NativeSocket.recv(native, 1)
        if not data:
            raise SessionLost("the broker closed a channel before it began")
        unpacker.feed(data)
        for frame in unpacker:
            if frame[0] == 1 and frame[2] is None:
                return
            raise from_map(frame[2] if frame[0] == 1 else frame[2][1])


def remaining(deadline: Optional[float]) -> Optional[float]:
    """Seconds to a time of the monotonic clock, for settimeout(); raises TimeoutError when it has passed."""
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left
