"""Servers in asyncio's own shape, for event loops that use the broker."""
from __future__ import annotations

import asyncio
import sys
from typing import Any, Awaitable, Callable, Dict, List, Tuple

from . import streams
from .session import Session

WAITS_FOR_CONNECTIONS = sys.version_info >= (3, 12)  # what asyncio's wait_closed() does


class BrokerServer(asyncio.AbstractServer):
    """One server of the program, at one place or several."""

    def __init__(
        self,
        get_session: Callable[[], Awaitable[Session]],
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        places: List[Dict[str, Any]],
    ) -> None:
        """places: the arguments of `streams.create_server`, for each."""
        self._get_session, self._protocol_factory, self._places = get_session, protocol_factory, places
        self._loop = asyncio.get_running_loop()
        self._servers: List[streams.StreamServer] = []
        self._is_closed = False

    @property
    def sockets(self) -> Tuple[Any, ...]:
        return tuple(one for server in self._servers for one in server.sockets)

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    def is_serving(self) -> bool:
        return any(server.is_serving() for server in self._servers)

    async def start_serving(self) -> None:
        """Listens at all places, or at none: raises what the first fails with. Idempotent."""
        if self._servers or self._is_closed:
            return
        try:
            for place in self._places:
                await self._listen(place)
        except BaseException:
            self._close_all()
            raise

    async def _listen(self, place: Dict[str, Any]) -> None:
        session = await self._get_session()
        self._servers.append(await streams.create_server(self._protocol_factory, session=session, **place))

    async def serve_forever(self) -> None:
        """Until it is cancelled, which closes it."""
        await self.start_serving()
        try:
            await asyncio.gather(*(server.serve_forever() for server in self._servers))
        finally:
            self.close()
            await self.wait_closed()

    def close(self) -> None:
        """Stops listening; the connections go on."""
        self._is_closed = True
        self._close_all()

    def _close_all(self) -> None:
        for server in self._servers:
            server.close()

    async def wait_closed(self) -> None:
        """As asyncio's of the same Python: from 3.12 on it waits for the connections too."""
        if WAITS_FOR_CONNECTIONS:
            await asyncio.gather(*(server.wait_closed() for server in self._servers))
