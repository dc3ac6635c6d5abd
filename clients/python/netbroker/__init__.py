"""netbroker: TCP and Unix sockets that live in the netbroker daemon, on asyncio.

Streams in asyncio's own shape (`open_connection`, `start_server`), transports and
protocols (`create_connection`, `create_server`), and the broker's sockets and
servers themselves (`Socket`, `Server`), all over one `Session` (`connect`).
"""
from .actor import Event
from .address import SocketAddress, is_ip, is_ipv4, is_ipv6, socket_address
from .block_list import BlockList, Match, RuleHits
from .errors import BrokerError, NoBrokerError, SessionLost
from .loop import BrokerLoopMixin, install, on_broker
from .opening import connect, default_path
from .server import Connection, Peer, Server, ServerInfo
from .session import VERSION, Session
from .socket import Address, Endpoints, Socket, SocketInfo
from .streams import (
    StreamServer,
    create_connection,
    create_server,
    open_connection,
    open_unix_connection,
    start_server,
    start_unix_server,
)
from .transport import SocketTransport

__version__ = VERSION

__all__ = [
    "Address",
    "BlockList",
    "BrokerError",
    "BrokerLoopMixin",
    "Connection",
    "Endpoints",
    "Event",
    "Match",
    "NoBrokerError",
    "Peer",
    "RuleHits",
    "Server",
    "ServerInfo",
    "Session",
    "SessionLost",
    "Socket",
    "SocketAddress",
    "SocketInfo",
    "SocketTransport",
    "StreamServer",
    "connect",
    "create_connection",
    "create_server",
    "default_path",
    "install",
    "is_ip",
    "is_ipv4",
    "is_ipv6",
    "on_broker",
    "open_connection",
    "open_unix_connection",
    "socket_address",
    "start_server",
    "start_unix_server",
]
