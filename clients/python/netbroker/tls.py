"""TLS over the broker's connections: asyncio's own, put between a transport and the program's protocol."""
from __future__ import annotations

import asyncio
import ssl
import sys
from asyncio import sslproto
from typing import Any, Awaitable, Callable, Dict, Optional, Tuple

Made = Tuple[asyncio.BaseTransport, asyncio.BaseProtocol]
ProtocolFactory = Callable[[], asyncio.BaseProtocol]


class TLSProtocol(sslproto.SSLProtocol):
    """asyncio's. When the peer ends TLS, it closes without the bytes that it held back because the transport was full."""

    def _on_shutdown_complete(self, error: Optional[BaseException]) -> None:
        transport: Any = self._transport
        if error is None and transport is not None:
            transport.write(self._outgoing.read())  # type: ignore[attr-defined]
        super()._on_shutdown_complete(error)  # type: ignore[misc]


def protocol_for(
    protocol: asyncio.BaseProtocol,
    context: Any,
    waiter: Optional["asyncio.Future[None]"] = None,
    *,
    server_side: bool = False,
    server_hostname: Optional[str] = None,
    call_connection_made: bool = True,
    handshake_timeout: Optional[float] = None,
    shutdown_timeout: Optional[float] = None,
) -> sslproto.SSLProtocol:
    """What a transport gets in place of `protocol`. context: an SSLContext, or True for the default one. Times in seconds."""
    if context is True and not server_side:
        context = ssl.create_default_context()
    if not isinstance(context, ssl.SSLContext):
        raise TypeError(f"ssl argument must be an SSLContext or None, not {context!r}")
    options: Dict[str, Any] = {"ssl_handshake_timeout": handshake_timeout}
    if sys.version_info >= (3, 11):
        options["ssl_shutdown_timeout"] = shutdown_timeout
    loop = asyncio.get_running_loop()
    return TLSProtocol(
        loop, protocol, context, waiter, server_side, server_hostname or None, call_connection_made, **options)  # type: ignore[arg-type]


async def secured(
    make: Callable[[ProtocolFactory], Awaitable[Made]],
    protocol_factory: ProtocolFactory,
    context: Any,
    server_hostname: Optional[str],
    handshake_timeout: Optional[float],
    shutdown_timeout: Optional[float],
) -> Made:
    """What `make` makes of the protocol; with a context, once TLS is agreed upon. Raises what the handshake fails with."""
    if not context:
        return await make(protocol_factory)
    waiter = asyncio.get_running_loop().create_future()
    protocol = protocol_factory()
    outer = protocol_for(
        protocol, context, waiter, server_hostname=server_hostname,
        handshake_timeout=handshake_timeout, shutdown_timeout=shutdown_timeout,
    )  # fmt: skip
    try:
        transport, _ = await make(lambda: outer)
    except BaseException:
        _give_up(outer)
        raise
    return await _agreed(waiter, transport, outer), protocol


async def start_tls(
    transport: asyncio.Transport,
    protocol: asyncio.BaseProtocol,
    context: Any,
    server_side: bool,
    server_hostname: Optional[str],
    handshake_timeout: Optional[float],
    shutdown_timeout: Optional[float],
) -> asyncio.BaseTransport:
    """Turns a plain connection into one of TLS; what it gives back takes the place of `transport`."""
    loop = asyncio.get_running_loop()
    waiter = loop.create_future()
    outer = protocol_for(
        protocol, context, waiter, server_side=server_side, server_hostname=server_hostname,
        call_connection_made=False, handshake_timeout=handshake_timeout, shutdown_timeout=shutdown_timeout,
    )  # fmt: skip
    transport.pause_reading()  # what comes now is for TLS, which is not ready before the next turn
    transport.set_protocol(outer)
    loop.call_soon(outer.connection_made, transport)
    loop.call_soon(transport.resume_reading)
    return await _agreed(waiter, transport, outer)


def secured_factory(
    protocol_factory: ProtocolFactory, context: Any, handshake_timeout: Optional[float], shutdown_timeout: Optional[float]
) -> ProtocolFactory:
    """A server's factory whose protocols speak TLS; without a context the same."""
    if not context:
        return protocol_factory
    return lambda: protocol_for(
        protocol_factory(), context, server_side=True,
        handshake_timeout=handshake_timeout, shutdown_timeout=shutdown_timeout,
    )  # fmt: skip


def _give_up(outer: sslproto.SSLProtocol) -> None:
    """It never had a connection: nobody is to be warned of a transport that was not closed."""
    inner: Any = getattr(outer, "_app_transport", None)
    if inner is not None:
        inner._closed = True


async def _agreed(waiter: "asyncio.Future[None]", transport: Any, outer: sslproto.SSLProtocol) -> asyncio.BaseTransport:
    try:
        await waiter
    except BaseException:
        transport.abort()
        raise
    return outer._get_app_transport() if hasattr(outer, "_get_app_transport") else outer._app_transport  # type: ignore[no-any-return]
