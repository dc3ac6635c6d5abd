"""The session of those who name none: one for each event loop, from the first to the last of them.

A loop that has the broker under it has a session already, and that is the one.
"""
from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import Any, AsyncIterator, MutableMapping, Optional
from weakref import WeakKeyDictionary

from .opening import connect
from .session import Session


class Share:
    """A part in a session, until it is left."""

    def __init__(self, session: Session, shared: Optional["_Shared"] = None) -> None:
        self.session = session
        self._shared = shared

    def leave(self, *_: Any) -> None:
        """Idempotent; takes anything, so that it can be a callback."""
        shared, self._shared = self._shared, None
        if shared is not None:
            shared.leave()


class _Shared:
    def __init__(self) -> None:
        self.users = 0
        self.opening: asyncio.Future[Session] = asyncio.ensure_future(_open())

    def is_over(self) -> bool:
        opening = self.opening
        return opening.done() and (opening.cancelled() or opening.exception() is not None or opening.result().is_closed)

    def leave(self) -> None:
        self.users -= 1
        if not self.users:
            self.opening.add_done_callback(self._end_if_unused)

    def _end_if_unused(self, opening: "asyncio.Future[Session]") -> None:
        if not self.users and not self.is_over():
            opening.result().abort()


_of_loops: MutableMapping[asyncio.AbstractEventLoop, _Shared] = WeakKeyDictionary()


async def _open() -> Session:
    return await connect()


async def _join() -> Share:
    loop = asyncio.get_running_loop()
    if hasattr(loop, "broker_session"):
        return Share(await loop.broker_session())
    shared = _of_loops.get(loop)
    if shared is None or shared.is_over():
        shared = _of_loops[loop] = _Shared()
    shared.users += 1
    try:
        return Share(await asyncio.shield(shared.opening), shared)
    except BaseException:
        shared.leave()
        raise


@asynccontextmanager
async def working_in(given: Optional[Session]) -> AsyncIterator[Share]:
    """The caller's session, or a share in the loop's, which is left if the work fails and is the caller's to leave if not."""
    share = await _join() if given is None else Share(given)
    try:
        yield share
    except BaseException:
        share.leave()
        raise
