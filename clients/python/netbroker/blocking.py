"""Blocking sockets that the broker connects, for scripts and libraries without an event loop.

`create_connection` is the socket module's; `install()` and `patched()` put `Socket`
in the place of `socket.socket`, so that urllib, redis and others run unmodified, TLS
included. A connection is a real descriptor, a channel of the broker's: select, poll,
makefile and the ssl module work on it. There are no threads, and the sockets may be
used from several as Python's own may. Each connection has a session of its own.

Servers (bind, listen), datagrams and Unix sockets stay the system's.
"""
from __future__ import annotations

import ipaddress
import os
import socket
import ssl
import time
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Optional, Tuple

import msgpack

from .control import Control, NativeSocket, attach, dial, remaining
from .transport_socket import WIRE_OPTIONS

_native_getaddrinfo = socket.getaddrinfo
_INTERNET = (socket.AF_INET, socket.AF_INET6)
_TARGET = 1  # of the one socket in a session
_PAUSE = msgpack.packb((2, "socket.pause", (_TARGET,)))  # what a server says first is for the channel

# Sessions of sockets whose descriptor somebody else has now, as ssl's sockets do.
_detached: List[Control] = []


class Socket(NativeSocket):
    """A `socket.socket` whose TCP connections the broker makes.

    `connect` raises what the system's would: ConnectionRefusedError, gaierror,
    TimeoutError and the like; NoBrokerError when no broker answers. It waits, also
    with a timeout of 0. A connection that fails raises its error from `recv`, and
    SessionLost when the broker has gone.
    """

    def __init__(self, family: int = -1, type: int = -1, proto: int = -1, fileno: Optional[int] = None) -> None:
        self._family = socket.AF_INET if family == -1 else family
        kind = socket.SOCK_STREAM if type == -1 else type
        self._is_brokers = fileno is None and self._family in _INTERNET and bool(kind & socket.SOCK_STREAM)
        self._control: Optional[Control] = None
        self._endpoints: Dict[str, Any] = {}
        self._options: Dict[Tuple[int, int], int] = {}
        if self._is_brokers:
            super().__init__(socket.AF_UNIX, socket.SOCK_STREAM)
        else:
            super().__init__(family, type, proto, fileno)

    # ---- opening ----

    def connect(self, address: Any) -> None:
        if not self._is_brokers:
            return super().connect(address)
        _end_detached()
        timeout = self.gettimeout() or None
        deadline = None if timeout is None else time.monotonic() + timeout
        control = Control(timeout)
        try:
            self._endpoints = control.request("net.createConnection", _TARGET, self._where(address), _PAUSE)
            control.settimeout(remaining(deadline))
            token = control.request("socket.channel", _TARGET, {})["token"]
            self._attach(token, remaining(deadline))
        except BaseException:
            control.close()
            raise
        control.settimeout(None)
        self._control = control

    def _where(self, address: Any) -> Dict[str, Any]:
        family = 6 if self._family == socket.AF_INET6 else 4
        options = {WIRE_OPTIONS[key][0]: WIRE_OPTIONS[key][1](value) for key, value in self._options.items()}
        return {"host": address[0] or "localhost", "port": address[1], "allowHalfOpen": True,
                **({} if _is_name(address[0]) else {"family": family}), **({"socketOptions": options} if options else {})}  # fmt: skip

    def _attach(self, token: str, timeout: Optional[float]) -> None:
        before = self.gettimeout()
        super().settimeout(timeout)
        dial(self)
        attach(self, token)
        super().settimeout(before)

    def connect_ex(self, address: Any) -> int:
        try:
            self.connect(address)
        except OSError as error:
            return error.errno or -1
        return 0

    def bind(self, address: Any) -> None:
        """A socket that is bound is the system's from then on."""
        if self._is_brokers:
            self._become_native()
        super().bind(address)

    def _become_native(self) -> None:
        timeout = self.gettimeout()
        with NativeSocket(self._family, socket.SOCK_STREAM) as native:
            os.dup2(native.fileno(), self.fileno(), inheritable=False)
        NativeSocket.__init__(self, self._family, socket.SOCK_STREAM, 0, self.fileno())
        self.settimeout(timeout)
        self._is_brokers = False
        for (level, option), value in self._options.items():
            super().setsockopt(level, option, value)

    # ---- reading: only the broker knows why a stream has ended ----

    def recv(self, size: int, flags: int = 0) -> bytes:
        data = super().recv(size, flags)
        if not data and size:
            self._raise_failure()
        return data

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        size = super().recv_into(buffer, nbytes, flags)
        if not size and len(memoryview(buffer)):
            self._raise_failure()
        return size

    def _raise_failure(self) -> None:
        control, self._control = self._control, None
        if control is None:
            return
        failure = control.wait_for_end()
        self._control = control
        if failure is not None:
            raise failure

    # ---- names and options ----

    @property
    def family(self) -> socket.AddressFamily:
        return socket.AddressFamily(self._family) if self._is_brokers else super().family

    def getpeername(self) -> Any:
        return _name(self._endpoints, "remote") if self._endpoints else super().getpeername()

    def getsockname(self) -> Any:
        return _name(self._endpoints, "local") if self._endpoints else super().getsockname()

    def setsockopt(self, level: int, option: int, value: Any, *length: int) -> None:
        """Options that the broker knows are its; others concern the descriptor, or nothing."""
        if not self._is_brokers:
            return super().setsockopt(level, option, value, *length)
        if (level, option) in WIRE_OPTIONS:
            self._options[level, option] = value
            if self._control is not None:
                name, convert = WIRE_OPTIONS[level, option]
                self._control.request("socket.setOptions", _TARGET, {name: convert(value)})

    def getsockopt(self, level: int, option: int, *length: int) -> Any:
        if self._is_brokers and (level, option) in WIRE_OPTIONS:
            return self._options.get((level, option), 0)
        return super().getsockopt(level, option, *length)

    # ---- the end ----

    def _real_close(self, *arguments: Any) -> None:
        super()._real_close(*arguments)  # type: ignore[misc]
        control, self._control = self._control, None
        if control is not None:
            control.close()

    def detach(self) -> int:
        """Its session goes on for whoever has the descriptor now, until the connection ends."""
        control, self._control = self._control, None
        if control is not None:
            _detached.append(control)
        return super().detach()


class TLSSocket(ssl.SSLSocket):
    """TLS over a connection, by its descriptor alone; its names are that connection's."""

    _endpoints: Dict[str, Any] = {}

    @classmethod
    def _create(cls, sock: socket.socket, *arguments: Any, **options: Any) -> "TLSSocket":
        endpoints = sock._endpoints if isinstance(sock, Socket) else {}
        secured: TLSSocket = super()._create(sock, *arguments, **options)  # type: ignore[misc]
        secured._endpoints = endpoints
        return secured

    def getpeername(self) -> Any:
        return _name(self._endpoints, "remote") if self._endpoints else super().getpeername()

    def getsockname(self) -> Any:
        return _name(self._endpoints, "local") if self._endpoints else super().getsockname()


def _name(endpoints: Dict[str, Any], side: str) -> Any:
    name = (endpoints[side + "Address"], endpoints[side + "Port"])
    return name if endpoints[side + "Family"] == "IPv4" else (*name, 0, 0)


def create_connection(address: Tuple[str, int], timeout: Optional[float] = None) -> Socket:
    """A connection to (host, port), as socket.create_connection. timeout: seconds, of this and of what follows."""
    connection = Socket()
    try:
        connection.settimeout(timeout)
        connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection


def install() -> None:
    """From now on the sockets that programs make with the socket module are these."""
    socket.socket = Socket  # type: ignore[misc]
    socket.getaddrinfo = _getaddrinfo
    ssl.SSLContext.sslsocket_class = TLSSocket


@contextmanager
def patched() -> Iterator[None]:
    """`install()` for the length of a with statement; holds for all threads."""
    before = socket.socket, socket.getaddrinfo, ssl.SSLContext.sslsocket_class
    install()
    try:
        yield
    finally:
        socket.socket, socket.getaddrinfo, ssl.SSLContext.sslsocket_class = before  # type: ignore[misc]


def _getaddrinfo(host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> Any:
    """A name is its own answer: the broker resolves it when it is connected to."""
    if not _is_name(host) or type == socket.SOCK_DGRAM or not str(port or 0).isdigit():
        return _native_getaddrinfo(host, port, family, type, proto, flags)
    name = host.decode() if isinstance(host, bytes) else host
    return [(family or socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (name, int(port or 0)))]


def _is_name(host: Any) -> bool:
    if not host:
        return False
    try:
        ipaddress.ip_address(os.fsdecode(host).partition("%")[0])
    except ValueError:
        return True
    return False


def _end_detached() -> None:
    """Lets go of the sessions whose connections have ended."""
    for control in [control for control in _detached if control.is_over()]:
        _detached.remove(control)
        control.close()
