"""What a block list keeps out: inbound connections, and each address that would be dialled."""
import socket

import pytest

from support import peers
from support.wire import DEADLINE

LOCAL4 = "Subnet: IPv4 127.0.0.0/8"
FAMILIES = {4: ("127.0.0.1", "127.0.0.0/8", LOCAL4), 6: ("::1", "::1", "Address: IPv6 ::1")}


@pytest.fixture
def rules(session):
    """Makes a list of the session of these rules; the id."""
    def make(*texts, target=11):
        session.request("blockList.create", target)
        session.request("blockList.addRules", target, {"rules": list(texts)})
        return target
    return make


def gone(sock):
    """Whether the broker closed the connection without a byte."""
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


def nobody_came(listener):
    listener.setblocking(False)
    try:
        listener.accept()
    except BlockingIOError:
        return True
    return False


# ---- accepting ----

@pytest.mark.parametrize("family", FAMILIES)
def test_a_blocked_peer_is_dropped(session, rules, family):
    host, rule, words = FAMILIES[family]
    address = peers.serve(session, 1, {"host": host, "port": 0}, blockList=rules(rule))
    with peers.dial((host, address["port"])) as peer:
        drop = session.expect_event("server.drop", 1)
        assert drop == {"localAddress": host, "localPort": address["port"], "localFamily": f"IPv{family}",
                        "remoteAddress": host, "remotePort": peer.getsockname()[1], "remoteFamily": f"IPv{family}",
                        "rule": words}
        assert gone(peer)
    assert session.request("server.getConnections", 1) == {"count": 0}
    assert session.request("blockList.hits", 11) == [{"rule": words, "hits": 1}]


def test_an_ipv4_peer_of_an_ipv6_server_is_dropped(session, rules):
    address = peers.serve(session, 1, {"host": "::", "port": 0}, blockList=rules("127.0.0.1"))
    with peers.dial(address["port"]) as peer:
        drop = session.expect_event("server.drop", 1)
        assert (drop["remoteAddress"], drop["rule"]) == ("::ffff:127.0.0.1", "Address: IPv4 127.0.0.1")
        assert gone(peer)
    with peers.dial(("::1", address["port"])):
        assert session.expect_event("server.connection", 1)["remoteAddress"] == "::1"


def test_the_list_may_change_while_the_server_listens(session, rules):
    port = peers.serve(session, 1, blockList=rules())["port"]
    peers.accepted(session)[0].close()
    session.request("blockList.addAddress", 11, {"address": "127.0.0.1"})
    with peers.dial(port):
        assert session.expect_event("server.drop", 1)["rule"] == "Address: IPv4 127.0.0.1"
    session.request("blockList.clear", 11)
    peers.accepted(session)[0].close()


def test_the_server_keeps_a_list_that_was_released(session, rules):
    port = peers.serve(session, 1, blockList=rules("127.0.0.0/8"))["port"]
    session.request("blockList.release", 11)
    with peers.dial(port) as peer:
        assert session.expect_event("server.drop", 1)["rule"] == LOCAL4 and gone(peer)


def test_a_list_is_looked_at_before_the_number_of_connections(session, rules):
    port = peers.serve(session, 1, blockList=rules("127.0.0.2"), maxConnections=0)["port"]
    with peers.dial(port):
        assert "rule" not in session.expect_event("server.drop", 1)
    with socket.create_connection(("127.0.0.1", port), DEADLINE, ("127.0.0.2", 0)):
        assert session.expect_event("server.drop", 1)["rule"] == "Address: IPv4 127.0.0.2"


def test_listen_can_name_a_list_too(session, rules):
    session.request("server.create", 1, {"blockList": rules(target=13)})
    address = session.request("server.listen", 1, {"host": "127.0.0.1", "port": 0, "blockList": rules("127.0.0.1")})
    with peers.dial(address["port"]):
        assert session.expect_event("server.drop", 1)["rule"] == "Address: IPv4 127.0.0.1"
    assert session.refused("server.listen", 1, {"blockList": 11})["code"] == "ERR_SERVER_ALREADY_LISTEN"


def test_unix_peers_are_on_no_list(session, rules, folder):
    path = folder / "server.sock"
    peers.serve(session, 1, {"path": str(path)}, blockList=rules("0.0.0.0/0", "::/0"))
    with peers.dial(path):
        session.expect_event("server.connection", 1)


# ---- connecting ----

def blocked(error, address, port):
    assert (error["code"], error["message"]) == ("ERR_IP_BLOCKED", f"IP({address}) is blocked by net.BlockList")
    assert (error["address"], error["port"]) == (address, port) and "name" not in error and "errno" not in error


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("way", ["net.createConnection", "socket.create", "socket.connect"])
def test_a_blocked_address_is_not_dialled(session, rules, family, way):
    host, rule, words = FAMILIES[family]
    with socket.create_server((host, 0), family=socket.AF_INET if family == 4 else socket.AF_INET6) as listener:
        port, chosen = peers.port_of(listener), {"blockList": rules(rule)}
        if way != "net.createConnection":
            session.request("socket.create", 1, chosen if way == "socket.create" else {})
        method = "net.createConnection" if way == "net.createConnection" else "socket.connect"
        options = {"host": host, "port": port, **(chosen if way != "socket.create" else {})}
        blocked(session.refused(method, 1, options), host, port)
        blocked(session.expect_event("socket.error", 1), host, port)
        assert session.expect_event("socket.close", 1)["hadError"] is True
        assert nobody_came(listener)
    assert session.request("blockList.hits", 11) == [{"rule": words, "hits": 1}]


@pytest.mark.parametrize("host, shown", [
    ("::ffff:127.0.0.1", "::ffff:127.0.0.1"), ("::ffff:7f00:1", "::ffff:127.0.0.1"), ("0.0.0.0", "0.0.0.0"),
    ("::ffff:0.0.0.0", "::ffff:0.0.0.0"), ("::", "::")])
def test_no_other_spelling_gets_through(session, rules, host, shown):
    """The system takes an unspecified address for the loopback's."""
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        port = peers.port_of(listener)
        error = session.refused("net.createConnection", 1,
                                {"host": host, "port": port, "blockList": rules("127.0.0.0/8", "::1")})
        blocked(error, shown, port)
        assert nobody_came(listener)


@pytest.mark.parametrize("host, local, rule", [
    ("0.0.0.0", "127.0.0.2", "127.0.0.2"), ("::ffff:0.0.0.0", "::ffff:127.0.0.2", "127.0.0.2"),
    ("::", "::ffff:127.0.0.2", "127.0.0.1")])
def test_nor_does_one_from_a_bound_socket(session, rules, host, local, rule):
    """An unspecified address is that of the socket's own end, to the system."""
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        options = {"host": host, "port": peers.port_of(listener), "localAddress": local}
        blocked(session.refused("net.createConnection", 1, {**options, "blockList": rules(rule)}),
                host, options["port"])
        assert nobody_came(listener)
        session.request("net.createConnection", 3, options)
        assert listener.accept()[1][0] == "::ffff:127.0.0.2"


def test_the_next_address_of_a_name_is_tried(session, rules):
    """localhost is both loopback addresses here, or only IPv4's."""
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        options = {"host": "localhost", "port": peers.port_of(listener)}
        free = session.request("net.createConnection", 1, options)
        tried = [body["address"] for [body] in session.events("socket.lookup", 1)]
        others = [address for address in tried if address != free["remoteAddress"]]
        ends = session.send("net.createConnection", 3, {**options, "blockList": rules(free["remoteAddress"])})
        if others:
            assert session.result(ends)["remoteAddress"] == others[0]
        else:
            blocked(session.error(ends), free["remoteAddress"], options["port"])
        session.request("blockList.addRules", 11, {"rules": ["127.0.0.0/8", "::1"]})
        blocked(session.refused("net.createConnection", 5, {**options, "blockList": 11}), tried[0], options["port"])


def test_names_are_not_checked(session, rules):
    """What a name stands for counts: a list that blocks another address lets it pass."""
    with peers.listener() as listener:
        session.request("net.createConnection", 1, {"host": "127.0.0.1", "port": peers.port_of(listener),
                                                    "blockList": rules("127.0.0.2")})
        peers.accept(listener).close()


def test_the_socket_keeps_its_list_for_the_next_connect(session, rules):
    with peers.listener() as listener:
        where = {"host": "127.0.0.1", "port": peers.port_of(listener)}
        session.request("socket.create", 1, {"blockList": rules("127.0.0.1"), "autoRelease": False})
        session.request("blockList.release", 11)
        for _ in range(2):
            blocked(session.refused("socket.connect", 1, where), "127.0.0.1", where["port"])
            session.expect_event("socket.close", 1)
        session.request("socket.connect", 1, {**where, "blockList": rules()})
        peers.accept(listener).close()


def test_unix_paths_are_on_no_list(session, rules, folder):
    with peers.connect_unix(session, folder / "x.sock", blockList=rules("0.0.0.0/0", "::/0")):
        pass


# ---- what blockList may name ----

@pytest.mark.parametrize("method, body", [
    ("net.createConnection", {"port": 1}), ("socket.create", {}), ("server.create", {}), ("net.createServer", {})])
def test_a_list_that_is_none(session, method, body):
    session.request("socket.create", 3)
    for number, code in ((3, "ERR_NB_WRONG_TARGET"), (5, "ERR_NB_NO_SUCH_TARGET")):
        error = session.refused(method, 1, {**body, "blockList": number})
        assert (error["code"], error["argument"]) == (code, "blockList")
    assert session.refused(method, 1, {**body, "blockList": "x"})["code"] == "ERR_INVALID_ARG_TYPE"
    session.notify(method, 1, {**body, "blockList": 5})
    assert session.expect_event("session.error")["argument"] == "blockList"
    assert session.request("session.info")["sockets"] == 1  # nothing was made


def test_all_in_one_go(session):
    """A list can be named before its creation was answered."""
    msgids = [session.send("blockList.create", 1), session.send("blockList.addAddress", 1, {"address": "127.0.0.1"}),
              session.send("net.createConnection", 3, {"host": "127.0.0.1", "port": 9, "blockList": 1})]
    assert session.result(msgids[0]) == {"id": 1}
    blocked(session.error(msgids[2]), "127.0.0.1", 9)
