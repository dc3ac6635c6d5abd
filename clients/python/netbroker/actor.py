"""What sockets and servers share: commands to one id, and the events that come back."""
from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Awaitable, Callable, Deque, Dict, List, Mapping, NamedTuple, Optional

from .errors import SessionLost, from_map
from .names import from_body, to_body
from .session import Session

Listener = Callable[[Any], None]


class Event(NamedTuple):
    """`name` as in the protocol without its prefix (`data`, `end`); `body` by name.

    data: bytes · error: an exception · anything else: a dict under Python's names.
    """

    name: str
    body: Any


class Remote:
    """An actor of the broker, known by its id.

    Events go to the listeners set with `on()`, each called in the event loop; or,
    as long as `on()` was never called, they are held for `async for event in it`.
    """

    noun = ""

    def __init__(self, session: Session, target: int) -> None:
        self.session = session
        self.target = target
        self._listeners: Dict[str, List[Listener]] = {}
        self._held: Deque[Event] = deque()
        self._waiter: Optional[asyncio.Future[None]] = None
        self._is_over = False

    def _request(self, verb: str, **options: Any) -> Awaitable[Any]:
        body = to_body(**options)
        return self.session.request(f"{self.noun}.{verb}", self.target, *([body] if body else []))

    async def _command(self, verb: str, **options: Any) -> None:
        await self._request(verb, **options)

    async def ref(self) -> None:
        """The handle counts again for the session's `idle` event."""
        await self._request("ref")

    async def unref(self) -> None:
        """The handle no longer holds back the session's `idle` event."""
        await self._request("unref")

    async def release(self) -> None:
        """Forgets the id; needed only as the schema says."""
        await self._request("release")
        self.session.remove(self.target)

    # ---- events ----

    def on(self, name: str, listener: Listener) -> None:
        """Calls `listener(body)` for each event `name`; first for those held so far.

        From the first call on, events without a listener are dropped.
        """
        self._listeners.setdefault(name, []).append(listener)
        held, self._held = self._held, deque(event for event in self._held if event.name != name)
        for event in held:
            if event.name == name:
                self._taken(event)
                self.session.guard(listener, event.body)

    def on_event(self, name: str, body: Any) -> None:
        verb = name.partition(".")[2]
        self._happened(Event(verb, self._convert(verb, body)))

    def on_session_lost(self, error: SessionLost) -> None:
        self._happened(Event("error", error))
        self._happened(Event("close", {"had_error": True}))

    def _convert(self, verb: str, body: Any) -> Any:
        if verb == "error":
            return from_map(body)
        return from_body(body) if isinstance(body, Mapping) else body

    def _happened(self, event: Event) -> None:
        if self._listeners:
            for listener in self._listeners.get(event.name, ()):
                self.session.guard(listener, event.body)
            return
        self._held.append(event)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _taken(self, event: Event) -> None:
        """A held event is on its way to the program."""

    def __aiter__(self) -> "Remote":
        return self

    async def __anext__(self) -> Event:
        """The next event; the iteration ends after `close`. One reader at a time."""
        while not self._held:
            if self._is_over:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        event = self._held.popleft()
        self._is_over = event.name == "close"
        self._taken(event)
        return event

    def __repr__(self) -> str:
        return f"<netbroker.{type(self).__name__} {self.target}>"
