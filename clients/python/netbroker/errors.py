"""What goes wrong: the broker's error maps as Python exceptions.

Every error that the broker reports is a `BrokerError`. Where Python has a class
of its own for it, the exception is that class too: a refused connection is both
a `BrokerError` and a `ConnectionRefusedError` with `errno` set, so code written
for asyncio's sockets catches it unchanged.
"""
from __future__ import annotations

import errno
import socket
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple, Type


class BrokerError(Exception):
    """An error reported by the broker.

    `code` is what to match on: Node's or libuv's name (`ECONNREFUSED`,
    `ERR_SOCKET_BAD_PORT`) or one of the broker's own (`ERR_NB_LIMIT`). The other
    attributes are None unless the broker gave them.
    """

    code: str = ""
    message: str = ""
    syscall: Optional[str] = None
    address: Optional[str] = None  # a path, for Unix sockets
    port: Optional[int] = None
    hostname: Optional[str] = None  # the name that could not be resolved
    argument: Optional[str] = None  # the offending field, as it is called on the wire
    limit: Optional[str] = None  # the limit that was passed
    supported: Optional[Sequence[int]] = None  # lowest and highest protocol version
    method: Optional[str] = None  # of a command that was sent without waiting for its answer
    target: Optional[int] = None
    errors: Sequence["BrokerError"] = ()  # of a connect: one for each address that was tried, where there were several
    fatal: bool = False  # the session ended with this


class SessionLost(ConnectionResetError):
    """The session ended: the broker went away, or closed the connection.

    Everything that was still open in the session fails with this. `__cause__` is
    the broker's last word, if there was one.
    """


class NoBrokerError(ConnectionError):
    """No broker answers at the address; the text says where and what to start."""


_DETAILS = (
    "syscall", "address", "port", "hostname", "argument",
    "limit", "supported", "method", "target", "fatal",
)  # fmt: skip

_RESOLVER_CODES = {
    "ENOTFOUND": socket.EAI_NONAME,
    "ENODATA": socket.EAI_NONAME,
    **{name: value for name, value in vars(socket).items() if name.startswith("EAI_")},
}

# The broker's own codes that mean what a system error means.
_ALIKE = {
    "ERR_SOCKET_CLOSED": errno.EPIPE,
    "ERR_STREAM_DESTROYED": errno.EPIPE,
    "ERR_NB_NO_SUCH_TARGET": errno.EBADF,
    "ERR_NB_POLICY": errno.EACCES,
    "ERR_NB_STALLED": errno.ETIMEDOUT,
}

_VALUE_ERRORS = {
    "ERR_INVALID_ARG_VALUE", "ERR_OUT_OF_RANGE", "ERR_SOCKET_BAD_PORT", "ERR_INVALID_ADDRESS",
    "ERR_INVALID_IP_ADDRESS", "ERR_UNKNOWN_ENCODING", "ERR_NB_UNKNOWN_OPTION",
}  # fmt: skip


def from_map(fields: Mapping[str, Any]) -> BrokerError:
    """The exception for an error map of the wire; made, not raised."""
    code = str(fields.get("code", ""))
    errors = [from_map(one) for one in fields.get("errors", ())]
    message = str(fields.get("message") or "; ".join(one.message for one in errors) or code)
    base, arguments = _classify(code, message, fields.get("name"))
    error = _combined(base)(*arguments)
    error.code, error.message, error.errors = code, message, errors
    for name in _DETAILS:
        if name in fields:
            setattr(error, name, fields[name])
    return error


def _classify(code: str, message: str, name: Any) -> Tuple[Type[Exception], Tuple[Any, ...]]:
    if code in _RESOLVER_CODES:
        return socket.gaierror, (_RESOLVER_CODES[code], message)
    number = _ALIKE.get(code) or getattr(errno, code, None)
    if number is not None:
        return type(OSError(number, message)), (number, message)
    if code in _VALUE_ERRORS or name == "RangeError":
        return ValueError, (message,)
    if name == "TypeError":
        return TypeError, (message,)
    return Exception, (f"{message} [{code}]" if code else message,)


def _combined(base: Type[Exception]) -> Type[BrokerError]:
    """A class that is a BrokerError and a `base`, under the name of `base`; made once."""
    if base not in _classes:
        body: Dict[str, Any] = {"__module__": __name__, "__doc__": f"A {base.__name__} that the broker reported."}
        _classes[base] = type(base.__name__, (BrokerError, base), body)
    return _classes[base]


_classes: Dict[Type[Exception], Type[BrokerError]] = {Exception: BrokerError}
