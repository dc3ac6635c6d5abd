"""Addresses and block lists, method by method."""
import netbroker
import pytest
from netbroker import BlockList, Server, Socket

from .peers import soon

pytestmark = pytest.mark.asyncio


async def test_addresses(session):
    assert [await netbroker.is_ip(session, text) for text in ("192.0.2.1", "::1%lo", "localhost")] == [4, 6, 0]
    assert await netbroker.is_ipv4(session, "192.0.2.1") and not await netbroker.is_ipv4(session, "::1")
    assert await netbroker.is_ipv6(session, "::1") and not await netbroker.is_ipv6(session, "192.0.2.1")
    assert await netbroker.socket_address(session, "2001:DB8::1", family="ipv6", port=80) == {
        "address": "2001:db8::1", "family": "ipv6", "port": 80, "flowlabel": 0}
    with pytest.raises(ValueError, match="Invalid socket address"):
        await netbroker.socket_address(session, "::1")


async def test_rules(session):
    rules = await BlockList.create(session)
    await rules.add_address("192.0.2.1")
    await rules.add_range("192.0.2.10", "192.0.2.19")
    await rules.add_subnet("2001:db8::", 32, "ipv6")
    await rules.add_rules(["198.51.100.0/24"])
    await rules.load("203.0.113.7\n")
    await rules.load('["Address: IPv4 203.0.113.8"]', "json")
    assert await rules.size() == 6
    assert (await rules.rules(limit=2)) == ["Address: IPv4 203.0.113.8", "Address: IPv4 203.0.113.7"]
    assert await rules.check("192.0.2.11") and not await rules.check("2001:db8::1")
    assert await rules.check_many(["2001:db8::1", "::ffff:192.0.2.1", "x"], "ipv6") == [True, True, False]
    assert await rules.match("203.0.113.7") == {"blocked": True, "rule": "Address: IPv4 203.0.113.7"}
    assert (await rules.hits(offset=1, limit=1)) == [{"rule": "Address: IPv4 203.0.113.7", "hits": 1}]
    assert await rules.remove_rule("203.0.113.7") and not await rules.remove_rule("203.0.113.7")
    with pytest.raises(ValueError, match=r"rules\[1\]"):
        await rules.add_rules(["::1", "::1/129"])
    await rules.load("", replace=True)
    assert await rules.rules() == []
    await rules.add_address("::1", "ipv6")
    await rules.clear()
    assert await rules.size() == 0
    await rules.release()


async def test_names(session):
    with pytest.raises(FileNotFoundError):
        await BlockList.create(session, name="python", must_exist=True)
    one, other = [await BlockList.create(session, name="python") for _ in range(2)]
    await one.add_address("192.0.2.1")
    assert await other.check("192.0.2.1")
    await one.release()
    await other.release()


async def test_what_they_keep_out(session):
    rules = await BlockList.create(session)
    await rules.add_rules(["127.0.0.0/8"])
    server = await Server.create(session, block_list=rules)
    port = (await server.listen(0, "127.0.0.1"))["port"]
    dialled = await Socket.open(session, port, "127.0.0.1")
    event = [event async for event in one_of(server, "drop")][0]
    assert event.body["rule"] == "Subnet: IPv4 127.0.0.0/8" and event.body["remote_address"] == "127.0.0.1"
    await soon(dialled.destroy())
    with pytest.raises(netbroker.BrokerError, match="blocked by net.BlockList") as caught:
        await Socket.open(session, port, "127.0.0.1", block_list=rules)
    assert caught.value.code == "ERR_IP_BLOCKED"
    socket = await Socket.create(session, block_list=rules)
    with pytest.raises(netbroker.BrokerError, match="blocked"):
        await socket.connect(port, "127.0.0.1")
    await soon(server.close())
    await server.release()
    await rules.release()


async def one_of(server, name):
    async for event in server:
        if event.name == name:
            yield event
            return
