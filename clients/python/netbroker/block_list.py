"""Block lists as the protocol has them: each method of the schema is one coroutine."""
from __future__ import annotations

from typing import Any, Awaitable, List, Optional, Sequence, TypedDict, Union

from .names import to_body
from .session import Session


class _Match(TypedDict):
    blocked: bool


class Match(_Match, total=False):
    rule: str  # the newest that matches, if one does


class RuleHits(TypedDict):
    rule: str
    hits: int


class BlockList:
    """Rules for addresses that a socket does not connect to, and a server does not accept from.

    Give it to `Socket.create`, `Socket.open`, `Server.create` and others as
    `block_list`; they keep it even if it is released. Methods raise BrokerError,
    and SessionLost when the session ends before the answer. There are no events.

    `type` is `ipv4`, the default, or `ipv6`: how the text of an address is read.
    Rules are texts: `192.0.2.1`, `192.0.2.0/24`, `192.0.2.1-192.0.2.9`, IPv6 as
    well, or as `rules` gives them.
    """

    def __init__(self, session: Session, target: int) -> None:
        self.session = session
        self.target = target

    def _request(self, verb: str, **options: Any) -> Awaitable[Any]:
        return self.session.request(f"blockList.{verb}", self.target, to_body(**options))

    @classmethod
    async def create(
        cls, session: Session, *, name: Optional[str] = None, must_exist: Optional[bool] = None
    ) -> "BlockList":
        """A new, empty list; or, with a name, the one that sessions of this uid or all sessions share.

        must_exist: FileNotFoundError instead of a new list of that name.
        """
        made = cls(session, session.new_target())
        await made._request("create", name=name, must_exist=must_exist)
        return made

    async def add_address(self, address: str, type: Optional[str] = None) -> None:
        await self._request("addAddress", address=address, type=type)

    async def add_range(
        self, start: str, end: str, type: Optional[str] = None, *, end_type: Optional[str] = None
    ) -> None:
        """Both ends included; end_type: where it is not the type of start."""
        await self._request("addRange", start=start, end=end, type=type, end_type=end_type)

    async def add_subnet(self, net: str, prefix: int, type: Optional[str] = None) -> None:
        await self._request("addSubnet", net=net, prefix=prefix, type=type)

    async def add_rules(self, rules: Sequence[str]) -> None:
        """All or none; a ValueError names the first that is no rule."""
        await self._request("addRules", rules=list(rules))

    async def load(
        self, data: Union[str, bytes], format: Optional[str] = None, replace: Optional[bool] = None
    ) -> None:
        """The rules of a whole file, all or none: `text`, one a line, or `json`.

        data: at most `session.max_write` bytes; replace: instead of all rules that are there.
        """
        options = to_body(format=format, replace=replace)
        await self.session.request("blockList.load", self.target, data, options)

    async def remove_rule(self, rule: str) -> bool:
        """Removes the newest rule that equals it; False: there is none."""
        removed: bool = await self._request("removeRule", rule=rule)
        return removed

    async def clear(self) -> None:
        """Removes all rules."""
        await self._request("clear")

    async def check(self, address: str, type: Optional[str] = None) -> bool:
        """Whether a rule matches; False for what is no address."""
        blocked: bool = await self._request("check", address=address, type=type)
        return blocked

    async def check_many(self, addresses: Sequence[str], type: Optional[str] = None) -> List[bool]:
        blocked: List[bool] = await self._request("checkMany", addresses=list(addresses), type=type)
        return blocked

    async def match(self, address: str, type: Optional[str] = None) -> Match:
        """As `check`, but tells the rule, and counts as a hit of it."""
        match: Match = await self._request("match", address=address, type=type)
        return match

    async def size(self) -> int:
        """How many rules there are."""
        size: int = await self._request("size")
        return size

    async def rules(self, offset: Optional[int] = None, limit: Optional[int] = None) -> List[str]:
        """The rules, newest first; refused where they are too many for one frame: ask for parts."""
        rules: List[str] = await self._request("rules", offset=offset, limit=limit)
        return rules

    async def hits(self, offset: Optional[int] = None, limit: Optional[int] = None) -> List[RuleHits]:
        """As `rules`, each with the number of its hits."""
        hits: List[RuleHits] = await self._request("hits", offset=offset, limit=limit)
        return hits

    async def release(self) -> None:
        """Ends the id. Sockets and servers that were given the list keep it."""
        await self._request("release")

    def __repr__(self) -> str:
        return f"<netbroker.BlockList {self.target}>"


def id_of(block_list: Optional[BlockList]) -> Optional[int]:
    """As the option of a socket or server."""
    return None if block_list is None else block_list.target
