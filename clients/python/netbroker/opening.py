"""Finding the broker and opening a session with it."""
from __future__ import annotations

import asyncio
import os
from types import TracebackType
from typing import Any, Generator, Optional, Type

from .errors import NoBrokerError
from .names import StrPath
from .session import Session

SOCKET_VARIABLE = "NETBROKER_SOCKET"
SOCKET_NAME = "netbroker.sock"
DATA_PLANE_VARIABLE = "NETBROKER_DATA_PLANE"
DATA_PLANES = ("inline", "attach")


class Connecting:
    """`await` it for a Session, or use it with `async with`."""

    def __init__(self, path: Optional[StrPath], group: Optional[str], data_plane: Optional[str]) -> None:
        self._path = path
        self._group = group
        self._data_plane = _data_plane(data_plane)
        self._session: Optional[Session] = None

    def __await__(self) -> Generator[Any, None, Session]:
        return self._open().__await__()

    async def __aenter__(self) -> Session:
        self._session = await self._open()
        return self._session

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        assert self._session is not None
        await self._session.close()

    async def _open(self) -> Session:
        session = await _dial(self._path)
        try:
            await session.hello(self._group, self._data_plane)
        except BaseException:
            session.abort()
            raise
        return session


def connect(
    path: Optional[StrPath] = None, *, group: Optional[str] = None, data_plane: Optional[str] = None
) -> Connecting:
    """Opens a session with the broker: `async with netbroker.connect() as session`.

    `path` is the broker's socket; default: `$NETBROKER_SOCKET`, else
    `netbroker.sock` in `$XDG_RUNTIME_DIR`. Sessions of the same user that name the
    same `group` share what they listen on. data_plane is how the bytes of transports
    and streams travel: `inline`, in the session's frames, or `attach`, each connection's
    in a Unix stream of its own; default: `$NETBROKER_DATA_PLANE`, else `inline`.

    Raises NoBrokerError when none answers there, PermissionError when the socket
    is another user's, BrokerError when versions do not fit.
    """
    return Connecting(path, group, data_plane)


def _data_plane(given: Optional[str]) -> str:
    chosen = given or os.environ.get(DATA_PLANE_VARIABLE) or DATA_PLANES[0]
    if chosen not in DATA_PLANES:
        origin = "data_plane" if given else "$" + DATA_PLANE_VARIABLE
        raise ValueError(f"{origin} must be one of {', '.join(DATA_PLANES)}, not {chosen!r}")
    return chosen


def default_path() -> str:
    """Where the broker is looked for; NoBrokerError when the environment names no place."""
    path = os.environ.get(SOCKET_VARIABLE)
    if path:
        return path
    folder = os.environ.get("XDG_RUNTIME_DIR")
    if folder:
        return os.path.join(folder, SOCKET_NAME)
    raise NoBrokerError(
        f"where is the broker? Neither ${SOCKET_VARIABLE} nor $XDG_RUNTIME_DIR is set. "
        f"Start one with `netbroker serve --socket PATH` and set {SOCKET_VARIABLE}=PATH"
    )


async def _dial(path: Optional[StrPath]) -> Session:
    where = os.fsdecode(path if path is not None else default_path())
    loop = asyncio.get_running_loop()
    try:
        dial = getattr(loop, "native_unix_connection", loop.create_unix_connection)  # a loop that uses the broker has both
        _, session = await dial(lambda: Session(where), where)
    except PermissionError as error:
        raise PermissionError(error.errno, "the broker's socket belongs to another user", where) from error
    except OSError as error:
        origin = "" if path is not None else f" (from ${SOCKET_VARIABLE} or $XDG_RUNTIME_DIR)"
        raise NoBrokerError(
            f"no broker answers at {where}{origin}: {error.strerror or error}. "
            f"Start one with `netbroker serve --socket {where}`"
        ) from error
    return session
