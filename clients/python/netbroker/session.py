"""A session: one Unix connection to the broker, its frames, and who gets them.

One reader decodes what arrives and calls, without a task in between, the actor
that an event is for. What is sent while frames are being handled leaves in one
write at the end; otherwise in one write per turn of the event loop.
"""
from __future__ import annotations

import asyncio
import os
import struct
import weakref
from types import TracebackType
from typing import Any, Callable, Dict, List, Mapping, Optional, Protocol, Tuple, Type, Union

import msgpack

from ._schema import PROTOCOL_VERSION
from .errors import SessionLost, from_map
from .flow import WriteBudget

VERSION = "0.1.0"  # of this package
CLIENT = {"name": "netbroker-python", "version": VERSION}

READ_BUFFER = 256 * 1024  # bytes taken from the kernel at a time
LARGEST_FRAME = 16 * 1024 * 1024  # bytes of one incoming frame; more is a broken broker
CLOSE_DEADLINE = 10.0  # seconds; the broker lets queued bytes linger for 5
DEFAULT_MAX_WRITE = 1024 * 1024
DEFAULT_READ_WINDOW = 256 * 1024
MOST_ATTACHING = 16  # channels at a time

EMPTY_BIN_SIZE = 2  # bytes of an empty byte string in MessagePack
BIN_HEADER = struct.Struct(">BI")  # of a byte string of any length

Failure = Union[None, Mapping[str, Any], SessionLost]  # an error map as it came, or that none will come
Settle = Callable[[Failure, Any], None]


class Actor(Protocol):
    """What the session calls; from the event loop's thread, and it must not raise."""

    def on_event(self, name: str, body: Any) -> None:
        """An event for this actor: `socket.data` and its body, as it came."""

    def on_session_lost(self, error: SessionLost) -> None:
        """The session is over; no further event comes."""


class Session(asyncio.BufferedProtocol):
    """An open session; made by `connect()`.

    Belongs to the event loop that it was opened in, and is not thread-safe.
    Everything made through it ends with it.
    """

    def __init__(self, path: str) -> None:
        """path: of the broker's socket."""
        self.path = path
        self.data_plane = "inline"
        self.attaching = asyncio.Semaphore(MOST_ATTACHING)  # of channels; each is a session of the broker's until it is one
        self.limits: Dict[str, int] = {}
        self.features: List[str] = []
        self.broker: Dict[str, str] = {}
        self.name = ""
        self.budget = WriteBudget()
        self._loop = asyncio.get_running_loop()
        self._actors: Dict[int, Actor] = {0: self}
        self._open_requests: Dict[int, Settle] = {}
        self._listeners: Dict[str, List[Callable[[Any], None]]] = {}
        self._next_target = 1
        self._last_msgid = 0
        self._pack = msgpack.Packer().pack
        self._frames: List[Union[bytes, memoryview]] = []  # not yet given to the kernel
        self._unpacker = msgpack.Unpacker(max_buffer_size=LARGEST_FRAME, strict_map_key=False)
        self._buffer = memoryview(bytearray(READ_BUFFER))
        self._transport: asyncio.Transport  # from connection_made on
        self._flush_is_due = False
        self._last_word: Optional[BaseException] = None
        self._lost: Optional[SessionLost] = None
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._is_parents = False
        _sessions.add(self)

    # ---- requests and commands ----

    def request(self, method: str, target: int = 0, *body: Any) -> "asyncio.Future[Any]":
        """Sends a request at once; the future gives its result, or raises its error.

        `body` is the body and, for writes, the options; both may be absent.
        Requests of one turn of the loop leave together, so they can be sent
        one after the other and awaited later.
        """
        future = self._loop.create_future()

        def settle(failure: Failure, result: Any) -> None:
            if future.done():
                return
            if failure is None:
                future.set_result(result)
            else:
                future.set_exception(failure if isinstance(failure, SessionLost) else from_map(failure))

        self.call(settle, method, (target, *body))
        return future

    def notify(self, method: str, target: int = 0, *body: Any) -> None:
        """Sends a command that has no answer; dropped when the session is over.

        If it fails, the actor's `error` event tells, or the session's.
        """
        self.send((2, method, (target, *body)))

    def call(self, settle: Settle, method: str, params: Tuple[Any, ...], payload: Union[bytes, memoryview] = b"") -> None:
        """Sends a request; `settle(failure, result)` is called once, with the answer.

        The cheap form of `request`: no future, no exception made. `payload` as in `send`.
        """
        if self._lost is not None:
            self._loop.call_soon(settle, self._lost, None)
            return
        msgid = (self._last_msgid + 1) & 0xFFFFFFFF
        while msgid in self._open_requests:
            msgid = (msgid + 1) & 0xFFFFFFFF
        self._last_msgid = msgid
        self.send((0, msgid, method, params), payload)
        self._open_requests[msgid] = settle

    def send(self, frame: Tuple[Any, ...], payload: Union[bytes, memoryview] = b"") -> None:
        """Queues one frame; it leaves in this turn of the loop.

        `payload` takes the place of an empty bytes object at the end of `frame`,
        and saves the copies that packing it would cost.
        """
        if payload:
            head = self._pack(frame)[:-EMPTY_BIN_SIZE]
            self._frames += (head + BIN_HEADER.pack(0xC6, len(payload)), payload)
        else:
            self._frames.append(self._pack(frame))
        if not self._flush_is_due:
            self._flush_is_due = True
            self._loop.call_soon(self._flush)

    async def ping(self, **values: Any) -> Dict[str, Any]:
        """Returns `values` once every frame sent before has been started."""
        echoed: Dict[str, Any] = await self.request("session.ping", 0, values)
        return echoed

    async def info(self) -> Dict[str, int]:
        """What the session holds, under the names of the wire."""
        held: Dict[str, int] = await self.request("session.info", 0)
        return held

    async def describe(self) -> Dict[str, Any]:
        """The broker's schema: methods, events, types, errors, limits."""
        schema: Dict[str, Any] = await self.request("session.describe", 0)
        return schema

    # ---- actors ----

    def new_target(self) -> int:
        """An id of the client's own, never given twice."""
        target = self._next_target
        self._next_target = target + 2
        return target

    def add(self, target: int, actor: Actor) -> None:
        """From now on the events of `target` go to `actor`; borrowed until `remove`."""
        self._actors[target] = actor

    def remove(self, target: int) -> bool:
        """Events of `target` are ignored from now on. False: they were already."""
        return self._actors.pop(target, None) is not None

    @property
    def max_write(self) -> int:
        """The largest payload of one write, in bytes."""
        return self.limits.get("maxWrite", DEFAULT_MAX_WRITE)

    @property
    def read_window(self) -> int:
        """Bytes of data that may be on their way for a socket, unless its creation says something else."""
        return self.limits.get("readWindow", DEFAULT_READ_WINDOW)

    # ---- the session's own events ----

    def on(self, name: str, listener: Callable[[Any], None]) -> None:
        """Calls `listener(body)` for each of the session's events `error`, `idle`, `closing`.

        `error` gets a BrokerError. Without a listener, errors go to the event
        loop's exception handler.
        """
        self._listeners.setdefault(name, []).append(listener)

    def on_event(self, name: str, body: Any) -> None:
        verb = name.partition(".")[2]
        if verb == "error":
            body = from_map(body)
            if body.fatal:
                self._last_word = body
                return
        for listener in self._listeners.get(verb, ()):
            self.guard(listener, body)
        if verb == "error" and verb not in self._listeners:
            self.report("a command failed", body)

    def on_session_lost(self, error: SessionLost) -> None:
        pass

    def guard(self, function: Callable[..., Any], *arguments: Any) -> bool:
        """Calls the program's function; what it raises is reported. False: it raised."""
        try:
            function(*arguments)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self.report(f"{function!r} failed", error)
            return False
        return True

    def report(self, text: str, error: BaseException) -> None:
        """Hands an error that nobody awaits to the loop's exception handler."""
        self._loop.call_exception_handler({"message": f"netbroker: {text}", "exception": error})

    # ---- life ----

    async def hello(self, group: Optional[str] = None, data_plane: str = "inline") -> None:
        """The first frame: agrees on version and features, learns the limits."""
        body: Dict[str, Any] = {"protocol": PROTOCOL_VERSION, "client": CLIENT, "features": ["flow"]}
        if group is not None:
            body["features"].append("group")
            body["group"] = group
        if data_plane == "attach":
            body["features"].append("channel")
        welcome = await self.request("session.hello", 0, body)
        if "flow" not in welcome.get("features", ()):
            raise from_map({"code": "ERR_NB_NOT_NEGOTIATED", "message": "this broker has no flow control: it is too old"})
        if data_plane == "attach" and "channel" not in welcome["features"]:
            raise from_map({"code": "ERR_NB_NOT_NEGOTIATED", "message": "this broker has no channels: it is too old"})
        self.data_plane = data_plane
        self.limits = welcome.get("limits", {})
        self.budget.adjust(self.limits)
        self.features = welcome.get("features", [])
        self.broker = welcome.get("broker", {})
        self.name = welcome.get("session", "")

    @property
    def is_closed(self) -> bool:
        return self._lost is not None

    async def close(self) -> None:
        """Ends the session: servers stop, connections are ended by the broker.

        What was sent to the broker still reaches its peers. What waits in a
        transport's buffer is lost: close the transport and wait for that first.
        Returns when the broker has let go of the session, or after CLOSE_DEADLINE.
        """
        if self._is_parents:
            return
        if self._lost is None:
            self._flush()
            self._lose(None)
            self._transport.write_eof()
        try:
            await asyncio.wait_for(asyncio.shield(self._ended), CLOSE_DEADLINE)
        except asyncio.TimeoutError:
            self.abort()

    def abort(self) -> None:
        """Drops the connection to the broker; what it has not yet read may be lost."""
        if self._is_parents:
            return
        self._flush()
        self._lose(None)
        self._transport.abort()

    def disown(self) -> None:
        """The process is a child's: the session is its parent's, and nothing of it is said or closed here.

        The descriptor stays, too: to close it would take it out of an epoll set that both have.
        """
        self._is_parents = True
        self._actors.clear()
        self._open_requests.clear()
        self._frames.clear()
        self._lost = SessionLost("the session belongs to the process that forked this one")

    async def wait_closed(self) -> None:
        """Returns when the session is over, however it ended."""
        await asyncio.shield(self._ended)

    async def __aenter__(self) -> "Session":
        return self

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        await self.close()

    # ---- asyncio.BufferedProtocol ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._lost is not None:
            return
        self._flush_is_due = True
        try:
            self._unpacker.feed(self._buffer[:nbytes])
            self._dispatch()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self.report("the broker sent what cannot be understood", error)
            self._last_word = error
            self.connection_lost(error)
        self._flush()

    def eof_received(self) -> None:
        return None

    def connection_lost(self, error: Optional[BaseException]) -> None:
        self._lose(self._last_word or error)
        self._transport.abort()
        if not self._ended.done():
            self._ended.set_result(None)

    # ---- frames ----

    def _dispatch(self) -> None:
        actors = self._actors
        for frame in self._unpacker:
            if frame[0] == 2:
                params = frame[2]
                actor = actors.get(params[0])
                if actor is not None:
                    actor.on_event(frame[1], params[1] if len(params) > 1 else None)
            elif frame[0] == 1:
                settle = self._open_requests.pop(frame[1], None)
                if settle is not None:
                    settle(frame[2], frame[3])
            else:
                raise ValueError(f"a frame of an unknown kind: {str(frame)[:100]}")

    def _flush(self) -> None:
        self._flush_is_due = False
        frames, self._frames = self._frames, []
        if frames and self._lost is None:
            self._transport.writelines(frames)

    def _lose(self, cause: Optional[BaseException]) -> None:
        if self._lost is not None:
            return
        lost = self._lost = SessionLost("the session with the broker has ended")
        lost.__cause__ = cause
        actors, self._actors = self._actors, {}
        requests, self._open_requests = self._open_requests, {}
        for settle in requests.values():
            settle(lost, None)
        for actor in actors.values():
            actor.on_session_lost(lost)


# ---- a process that forks ----

_sessions: "weakref.WeakSet[Session]" = weakref.WeakSet()


def _leave_to_the_parent() -> None:
    """The child's sessions are over; what they share with the parent is not touched."""
    for session in list(_sessions):
        session.disown()


os.register_at_fork(after_in_child=_leave_to_the_parent)
