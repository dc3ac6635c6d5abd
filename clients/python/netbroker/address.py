"""IP addresses as Node's net has them, judged by the broker: each method of the schema is one coroutine."""
from __future__ import annotations

from typing import Optional, TypedDict

from .names import to_body
from .session import Session


class SocketAddress(TypedDict):
    """An address in canonical text, with its companions."""

    address: str
    family: str  # ipv4 or ipv6
    port: int
    flowlabel: int


async def is_ip(session: Session, input: str) -> int:
    """4 or 6 for the text of an IP address, else 0."""
    version: int = await session.request("net.isIP", 0, {"input": input})
    return version


async def is_ipv4(session: Session, input: str) -> bool:
    """Whether the text is an IPv4 address."""
    answer: bool = await session.request("net.isIPv4", 0, {"input": input})
    return answer


async def is_ipv6(session: Session, input: str) -> bool:
    """Whether the text is an IPv6 address, with a zone or without."""
    answer: bool = await session.request("net.isIPv6", 0, {"input": input})
    return answer


async def socket_address(
    session: Session,
    address: Optional[str] = None,
    *,
    family: Optional[str] = None,
    port: Optional[int] = None,
    flowlabel: Optional[int] = None,
) -> SocketAddress:
    """Checks the values and fills in what was left out; a ValueError says what is wrong.

    family: `ipv4`, the default, or `ipv6`; address: 127.0.0.1 or `::` when left out.
    """
    checked: SocketAddress = await session.request(
        "net.socketAddress", 0, to_body(address=address, family=family, port=port, flowlabel=flowlabel)
    )
    return checked
