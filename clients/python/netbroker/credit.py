"""Feature `flow`, reading: how far the data of one socket may come, as an offset in its connection."""
from __future__ import annotations

from .session import Session

NO_LIMIT = 2**53 - 1


class ReadCredit:
    """What the program has used, and a window more; `socket.credit` tells the broker.

    `window`: bytes, as `readWindow` of the socket's creation; 0: there is no limit.
    """

    def __init__(self, session: Session, target: int, window: int, each: bool = False) -> None:
        self._session = session
        self._target = target
        self._window = window
        self._least = window if each else window // 2  # what is left of the window when it is renewed
        self._limit = window
        self._used = 0

    def used(self, size: int) -> None:
        """The program has taken so many bytes more."""
        self._used += size
        if self._window and self._limit - self._used <= self._least:
            self._limit = self._used + self._window
            self._session.send((2, "socket.credit", (self._target, self._limit)))

    def begin_at(self, offset: int) -> None:
        """The bytes before `offset` were somebody else's to use."""
        self._limit = 0
        self.used(offset)

    def lift(self) -> None:
        """From now on there is no limit."""
        if self._window:
            self._window = 0
            self._session.send((2, "socket.credit", (self._target, NO_LIMIT)))
