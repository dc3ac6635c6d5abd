"""What `get_extra_info("socket")` gives: as much of a socket as programs ask of a transport's."""
from __future__ import annotations

import errno
import os
import socket
from typing import Any, Callable, Dict, Tuple

Option = Tuple[int, int]

_SECONDS = 1000  # milliseconds
_TCP_USER_TIMEOUT = 18  # of Linux; not every Python names it

# The system's option: its name for socket.setOptions, and how its value is told there.
WIRE_OPTIONS: Dict[Option, Tuple[str, Callable[[int], Any]]] = {
    (socket.IPPROTO_TCP, socket.TCP_NODELAY): ("noDelay", bool),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE): ("keepAlive", bool),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE): ("keepAliveInitialDelay", lambda value: value * _SECONDS),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL): ("keepAliveInterval", lambda value: value * _SECONDS),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT): ("keepAliveCount", int),
    (socket.IPPROTO_TCP, _TCP_USER_TIMEOUT): ("userTimeout", int),
    (socket.IPPROTO_TCP, socket.TCP_MAXSEG): ("maxSegmentSize", int),
    (socket.SOL_SOCKET, socket.SO_RCVBUF): ("receiveBufferSize", int),
    (socket.SOL_SOCKET, socket.SO_SNDBUF): ("sendBufferSize", int),
    (socket.IPPROTO_IP, socket.IP_TOS): ("typeOfService", int),
    (socket.IPPROTO_IPV6, socket.IPV6_TCLASS): ("typeOfService", int),
}


class TransportSocket:
    """The socket of a transport, which is the broker's: names and options, but no descriptor and no data."""

    type = socket.SOCK_STREAM

    def __init__(self, sockname: Any, peername: Any, set_options: Callable[[Dict[str, Any]], None]) -> None:
        """set_options: sends options under the names of the wire; it does not wait for an answer."""
        self._sockname, self._peername, self._set_options = sockname, peername, set_options
        self._values: Dict[Option, int] = {}

    @property
    def family(self) -> socket.AddressFamily:
        name = self._sockname if isinstance(self._sockname, tuple) else self._peername
        if not isinstance(name, tuple):
            return socket.AF_UNIX
        return socket.AF_INET if len(name) == 2 else socket.AF_INET6

    @property
    def proto(self) -> int:
        return 0 if self.family == socket.AF_UNIX else socket.IPPROTO_TCP

    def getsockname(self) -> Any:
        return self._sockname

    def getpeername(self) -> Any:
        return self._peername

    def fileno(self) -> int:
        """-1: there is no descriptor in this process."""
        return -1

    def setsockopt(self, level: int, option: int, value: int) -> None:
        """The options that the broker can set; OSError (ENOPROTOOPT) for others. The system's own refusal is not told."""
        name, convert = self._known(level, option)
        self._set_options({name: convert(value)})
        self._values[level, option] = int(value)

    def getsockopt(self, level: int, option: int) -> int:
        """What was set here, else 0."""
        if (level, option) == (socket.SOL_SOCKET, socket.SO_TYPE):
            return int(self.type)
        if (level, option) != (socket.SOL_SOCKET, socket.SO_ERROR):
            self._known(level, option)
        return self._values.get((level, option), 0)

    def setblocking(self, flag: bool) -> None:
        if flag:
            raise ValueError("setblocking(): the socket of a transport cannot be blocking")

    def gettimeout(self) -> float:
        return 0

    def settimeout(self, value: float) -> None:
        if value != 0:
            raise ValueError("settimeout(): only 0 timeout is allowed on the socket of a transport")

    @staticmethod
    def _known(level: int, option: int) -> Tuple[str, Callable[[int], Any]]:
        try:
            return WIRE_OPTIONS[level, option]
        except KeyError:
            raise OSError(errno.ENOPROTOOPT, os.strerror(errno.ENOPROTOOPT)) from None

    def __repr__(self) -> str:
        return f"<netbroker.TransportSocket sockname={self._sockname!r} peername={self._peername!r}>"
