"""Feature `flow`, writing: how much may be under way between the program and the kernels.

`socket.flushed` tells how far a kernel has come, and what is ahead of it is bounded,
for each socket and for the session.
"""
from __future__ import annotations

import asyncio
from typing import Any, Awaitable, Callable, Dict, Mapping, Optional, Protocol

WRITE_WINDOW = 256 * 1024  # bytes, where the broker does not say
SESSION_WRITE_WINDOW = 16 * 1024 * 1024

CROWDED_WINDOW = 16 * 1024  # bytes ahead of one socket, while half of the session's are taken


class Sender(Protocol):
    """One socket's share: the bytes that it has sent and no kernel has taken."""

    ahead: int

    def send_queued(self) -> None:
        """There is room: sends what it can."""


class WriteBudget:
    """What all sockets of a session have ahead of their kernels, and who waits for a share.

    Peers that do not read take no more than half by themselves: then the others go on with small shares.
    """

    def __init__(self) -> None:
        self.socket_window = WRITE_WINDOW
        self.session_window = SESSION_WRITE_WINDOW
        self.ahead = 0
        self._waiting: Dict[Sender, None] = {}  # in the order of their coming

    def adjust(self, limits: Mapping[str, int]) -> None:
        """To what the broker allows the session."""
        self.socket_window = limits.get("writeWindow", WRITE_WINDOW)
        self.session_window = limits.get("sessionWriteWindow", SESSION_WRITE_WINDOW)

    def room(self, sender: Sender, wanted: int) -> int:
        """How many of the bytes it may send now; 0: its send_queued() will be called, or its flushed event comes."""
        crowded = self.ahead >= self.session_window // 2
        window = CROWDED_WINDOW if crowded else self.socket_window
        left = self.session_window - self.ahead
        size = min(wanted, window - sender.ahead, left)
        if size > 0:
            return size
        if left <= 0:
            self.wait(sender)
        return 0

    def wait(self, sender: Sender) -> None:
        """Its send_queued() will be called when there is room for somebody."""
        self._waiting[sender] = None

    def take(self, size: int) -> None:
        self.ahead += size

    def release(self, size: int) -> None:
        """So many bytes are no longer ahead; those whose turn it is may use the room."""
        self.ahead -= size
        while self._waiting and self.ahead < self.session_window:
            sender = next(iter(self._waiting))
            del self._waiting[sender]
            sender.send_queued()

    def forget(self, sender: Sender) -> None:
        self._waiting.pop(sender, None)


class WriteGate:
    """The window of a socket whose writes are requests: each waits its turn, and is ahead until it is answered."""

    def __init__(self, budget: WriteBudget) -> None:
        self.ahead = 0
        self._budget = budget
        self._turn = asyncio.Lock()
        self._waiter: Optional[asyncio.Future[None]] = None

    async def request(self, size: int, send: Callable[[], Awaitable[Any]]) -> Any:
        """Calls send() when `size` bytes have room, after those that came before; gives its answer."""
        async with self._turn:
            while not self._has_room(size):
                self._waiter = asyncio.get_running_loop().create_future()
                await self._waiter
            self.ahead += size
            self._budget.take(size)
            answer = send()
        try:
            return await answer
        finally:
            self.ahead -= size
            self._budget.release(size)
            self.send_queued()

    def send_queued(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _has_room(self, size: int) -> bool:
        budget = self._budget
        if budget.ahead and budget.ahead + size > budget.session_window:
            budget.wait(self)
            return False
        return not self.ahead or self.ahead + size <= budget.socket_window
