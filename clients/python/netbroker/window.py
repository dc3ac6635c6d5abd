"""What all sockets of a session may have on their way to the kernel.

Above 2 MiB the broker would stop listening to the session, and no command, not
even a pause, would get through: SESSION_MOST keeps clear of that whatever the
peers do. Between the two limits a socket with nothing under way may still send a
little, so that a few peers that do not read cannot silence the others.
"""
from __future__ import annotations

from typing import Dict, Protocol

SOCKET_WINDOW = 128 * 1024  # bytes in flight of one socket
SESSION_WINDOW = 512 * 1024  # bytes in flight at which the session is crowded
SESSION_MOST = 1792 * 1024  # bytes in flight at most
CROWDED_CHUNK = 4 * 1024  # bytes that a socket may have in flight while it is crowded


class Sender(Protocol):
    """One socket's share: bytes in flight, and writes that are not answered."""

    in_flight: int
    requests: int

    def send_queued(self) -> None:
        """There is room: sends what it can."""


class SessionWindow:
    """What all sockets of a session have in flight, and who waits for its turn."""

    def __init__(self) -> None:
        self.in_flight = 0
        self._waiting: Dict[Sender, None] = {}  # in the order of their coming

    def room(self, sender: Sender, wanted: int) -> int:
        """How many of the bytes it may send now; 0: its send_queued() will be called again."""
        if sender.in_flight + wanted <= SOCKET_WINDOW and self.in_flight + wanted <= SESSION_WINDOW:
            return wanted
        if sender.requests:
            return 0
        size = min(wanted, CROWDED_CHUNK)
        if self.in_flight + size <= SESSION_MOST:
            return size
        self._waiting[sender] = None
        return 0

    def release(self, size: int) -> None:
        """So many bytes are no longer in flight; the next in turn may use the room."""
        self.in_flight -= size
        while self._waiting and self.in_flight + CROWDED_CHUNK <= SESSION_MOST:
            sender = next(iter(self._waiting))
            del self._waiting[sender]
            sender.send_queued()

    def forget(self, sender: Sender) -> None:
        self._waiting.pop(sender, None)
