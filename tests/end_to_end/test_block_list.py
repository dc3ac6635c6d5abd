"""blockList.*: what a Node answered, what goes beyond it, named lists, limits."""
import contextlib
import json
import os
import pathlib

import pytest

from support.wire import Session, request_frame

VECTORS = pathlib.Path(__file__).resolve().parents[1] / "core" / "net" / "block_list" / "blocklist.json"
SCENARIOS = [s for s in json.loads(VECTORS.read_text())["scenarios"] if "quirk" not in s]
BURST = 500  # requests that are open at a time
MANY = 60000
LIST = 1


@pytest.fixture
def lists(session):
    """A session with an empty list of id 1."""
    session.request("blockList.create", LIST)
    return session


def add_all(session, rules, target=LIST):
    """As many a command as a frame may have values."""
    for start in range(0, len(rules), 4000):
        session.request("blockList.addRules", target, {"rules": rules[start:start + 4000]})


def all_rules(session, target=LIST, part=5000):
    rules = []
    while more := session.request("blockList.rules", target, {"offset": len(rules), "limit": part}):
        rules += more
    return rules


def singles(count):
    return [f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}" for i in range(count)]


# ---- as Node ----

METHODS = {"add_address": ("blockList.addAddress", {"address": "address", "family": "type"}),
           "add_range": ("blockList.addRange", {"start": "start", "end": "end", "family": "type"}),
           "add_subnet": ("blockList.addSubnet", {"network": "net", "prefix": "prefix", "family": "type"}),
           "check": ("blockList.check", {"address": "address", "family": "type"})}


def is_plain(value):
    return value is not None and not isinstance(value, dict) and (
        not isinstance(value, str) or all(not 0xD800 <= ord(c) < 0xE000 for c in value))


def as_request(operation):
    """(method, body) of a recorded call; None where an argument is for a library to judge."""
    method, names = METHODS[operation.get("op", "check")]
    arguments = {key: value for key, value in operation.items() if key in names}
    if operation.get("op") == "add_range" and any(isinstance(arguments.get(k), dict) for k in ("start", "end")):
        return None
    if not all(map(is_plain, arguments.values())):
        return None
    return method, {names[key]: value for key, value in arguments.items()}


def has_wrong_type(body):
    return any(isinstance(value, str) == (name == "prefix") for name, value in body.items())


def replay(session, operation):
    request = as_request(operation)
    if request is None:
        return
    expect = operation["expect"]
    if "error" not in expect:
        assert session.request(request[0], LIST, request[1]) == expect.get("value", {}), operation
        return
    error = session.refused(request[0], LIST, request[1])
    if has_wrong_type(request[1]) and expect["error"]["code"] != "ERR_INVALID_ARG_TYPE":
        assert error["code"] == "ERR_INVALID_ARG_TYPE"  # two are wrong: here types are looked at first
        return
    assert (error["code"], error.get("name", "Error")) == (expect["error"]["code"], expect["error"]["name"]), operation
    assert error["message"].startswith(expect["error"]["message"])  # of which the first line was recorded
    assert error["argument"] in METHODS[operation.get("op", "check")][1].values()


def replay_checks(session, checks):
    cases = [(check, request) for check in checks if (request := as_request(check)) and "value" in check["expect"]]
    for start in range(0, len(cases), BURST):
        part = cases[start:start + BURST]
        msgids = [session.send(method, LIST, body) for _, (method, body) in part]
        for (check, _), msgid in zip(part, msgids):
            assert session.result(msgid) == check["expect"]["value"], check


def is_whole(scenario):
    """Node's own objects and values have no form on the wire: a scenario that builds on them is a library's."""
    return all(as_request(operation) or "error" in operation["expect"] for operation in scenario["ops"])


@pytest.mark.parametrize("scenario", list(filter(is_whole, SCENARIOS)), ids=lambda s: s["name"])
def test_as_node_answers(lists, scenario):
    for operation in scenario["ops"]:
        replay(lists, operation)
    assert lists.request("blockList.rules", LIST) == scenario["rules"]
    replay_checks(lists, scenario["checks"])
    for check in scenario["checks"]:
        if "error" in check["expect"]:
            replay(lists, check)


def test_what_is_missing(lists):
    for method, body, label, argument in [
            ("blockList.addAddress", {}, "address", "address"), ("blockList.addRange", {}, "start", "start"),
            ("blockList.addRange", {"start": "1.1.1.1"}, "end", "end"), ("blockList.addSubnet", {}, "network", "net"),
            ("blockList.check", {}, "address", "address"), ("blockList.match", {}, "address", "address"),
            ("blockList.removeRule", {}, "rule", "rule")]:
        error = lists.refused(method, LIST, body)
        assert (error["code"], error["argument"]) == ("ERR_INVALID_ARG_TYPE", argument)
        assert error["message"] == f'The "{label}" argument must be of type string. Received undefined'
    error = lists.refused("blockList.addSubnet", LIST, {"net": "1.1.1.1"})
    assert error["message"] == 'The "prefix" argument must be of type number. Received undefined'


def test_a_range_whose_ends_are_of_two_types(lists):
    """As Node does it for SocketAddress arguments."""
    lists.request("blockList.addRange", LIST, {"start": "192.0.2.5", "end": "::ffff:192.0.2.9", "endType": "ipv6"})
    assert lists.request("blockList.check", LIST, {"address": "192.0.2.7"}) is True
    assert lists.request("blockList.check", LIST, {"address": "192.0.2.10"}) is False
    error = lists.refused("blockList.addRange", LIST, {"start": "192.0.2.9", "end": "::ffff:192.0.2.5", "endType": "ipv6"})
    assert (error["code"], error["argument"]) == ("ERR_INVALID_ARG_VALUE", "start")
    error = lists.refused("blockList.addRange", LIST, {"start": "1.1.1.1", "end": "1.1.1.2", "endType": "v4"})
    assert (error["code"], error["argument"]) == ("ERR_INVALID_ARG_VALUE", "endType")


def test_where_node_is_wrong(lists):
    """Nothing hides behind a NUL, and a long address is read to its zone."""
    assert lists.refused("blockList.addAddress", LIST, {"address": "1.1.1.1\0"})["code"] == "ERR_INVALID_ADDRESS"
    long = "0000:0000:0000:0000:0000:ffff:1.22.33.244%eth0"
    lists.request("blockList.addAddress", LIST, {"address": long, "type": "ipv6"})
    assert lists.request("blockList.check", LIST, {"address": "1.22.33.244"}) is True
    assert lists.request("blockList.check", LIST, {"address": "1.22.33.2"}) is False
    assert lists.request("blockList.check", LIST, {"address": "1.22.33.244\0"}) is False


# ---- many rules ----

def test_rules_in_both_notations(lists):
    lists.request("blockList.addRules", LIST, {"rules": [
        "192.0.2.1", "198.51.100.0/24", "Range: IPv6 2001:db8::1-2001:db8::9", b"2001:db8:1::/48"]})
    assert lists.request("blockList.rules", LIST) == [
        "Subnet: IPv6 2001:db8:1::/48", "Range: IPv6 2001:db8::1-2001:db8::9", "Subnet: IPv4 198.51.100.0/24",
        "Address: IPv4 192.0.2.1"]
    assert lists.request("blockList.size", LIST) == 4
    assert lists.request("blockList.checkMany", LIST, {"addresses": ["192.0.2.1", "192.0.2.2", "x", "198.51.100.9"]}) \
        == [True, False, False, True]
    assert lists.request("blockList.checkMany", LIST, {"addresses": ["2001:db8::5", "::ffff:192.0.2.1"], "type": "ipv6"}) \
        == [True, True]
    assert lists.request("blockList.checkMany", LIST, {"addresses": []}) == []


def test_all_or_none(lists):
    lists.request("blockList.addRules", LIST, {"rules": ["192.0.2.1"]})
    error = lists.refused("blockList.addRules", LIST, {"rules": ["192.0.2.2", "192.0.2.3", "192.0.2.0/33", "x"]})
    assert (error["code"], error["argument"]) == ("ERR_INVALID_ARG_VALUE", "rules[2]")
    assert error["message"].startswith("The argument 'rules[2]' is no rule: ") and "'192.0.2.0/33'" in error["message"]
    error = lists.refused("blockList.addRules", LIST, {"rules": ["192.0.2.2", 7]})
    assert (error["code"], error["argument"]) == ("ERR_INVALID_ARG_TYPE", "rules[1]")
    for wrong in ({"rules": "192.0.2.1"}, {"rules": {}}, {}):
        error = lists.refused("blockList.addRules", LIST, wrong)
        assert (error["code"], error["argument"]) == ("ERR_INVALID_ARG_TYPE", "rules")
    assert lists.refused("blockList.checkMany", LIST, {"addresses": ["::", None]})["argument"] == "addresses[1]"
    assert lists.request("blockList.rules", LIST) == ["Address: IPv4 192.0.2.1"]


def test_loading_text(lists):
    text = "# hosts\n192.0.2.1\r\n\n  198.51.100.0/24   # a net\n2001:db8::1-2001:db8::9\n"
    lists.request("blockList.load", LIST, text)
    loaded = ["Range: IPv6 2001:db8::1-2001:db8::9", "Subnet: IPv4 198.51.100.0/24", "Address: IPv4 192.0.2.1"]
    assert lists.request("blockList.rules", LIST) == loaded
    error = lists.refused("blockList.load", LIST, b"192.0.2.2\n192.0.2.300\n")
    assert (error["code"], error["argument"]) == ("ERR_INVALID_ARG_VALUE", "data") and "line 2: " in error["message"]
    assert lists.refused("blockList.load", LIST)["argument"] == "data"
    assert lists.refused("blockList.load", LIST, "", {"format": "yaml"})["argument"] == "format"
    assert lists.request("blockList.rules", LIST) == loaded
    lists.request("blockList.load", LIST, "203.0.113.7\n", {"replace": True, "format": "text"})
    assert lists.request("blockList.rules", LIST) == ["Address: IPv4 203.0.113.7"]


def test_loading_json(lists):
    rules = ["Subnet: IPv4 198.51.100.0/24", "Address: IPv4 192.0.2.1"]
    lists.request("blockList.load", LIST, json.dumps(rules), {"format": "json"})
    assert lists.request("blockList.rules", LIST) == rules
    error = lists.refused("blockList.load", LIST, json.dumps([*rules, "192.0.2.1/40"]), {"format": "json"})
    assert error["argument"] == "data" and "element 3: " in error["message"]
    lists.request("blockList.load", LIST, "[]", {"format": "json", "replace": True})
    assert lists.request("blockList.size", LIST) == 0


def test_a_text_larger_than_maxwrite_is_refused_and_the_session_lives(lists):
    error = lists.refused("blockList.load", LIST, "#" * ((1 << 20) + 1))
    assert (error["code"], error["limit"]) == ("ERR_NB_LIMIT", "maxWrite")
    assert lists.request("blockList.size", LIST) == 0


def test_sixty_thousand_rules(lists):
    rules = singles(MANY)
    lists.request("blockList.load", LIST, "\n".join(rules[:MANY // 2]))
    add_all(lists, rules[MANY // 2:])
    assert lists.request("blockList.size", LIST) == MANY
    asked = [*rules[::40], "11.0.0.0", "9.255.255.255"]
    assert lists.request("blockList.checkMany", LIST, {"addresses": asked}) == [True] * (len(asked) - 2) + [False] * 2
    assert all_rules(lists) == [f"Address: IPv4 {rule}" for rule in reversed(rules)]
    for method in ("blockList.rules", "blockList.hits"):
        error = lists.refused(method, LIST)
        assert (error["code"], error["limit"]) == ("ERR_NB_LIMIT", "maxFrame")
    assert lists.request("blockList.removeRule", LIST, {"rule": rules[0]}) is True
    assert lists.request("blockList.size", LIST) == MANY - 1
    lists.request("blockList.clear", LIST)
    assert lists.request("blockList.size", LIST) == 0 and lists.request("blockList.rules", LIST) == []


def test_parts_of_the_rules(lists):
    add_all(lists, singles(10))
    newest_first = [f"Address: IPv4 {rule}" for rule in reversed(singles(10))]
    for body, expected in [({}, newest_first), ({"limit": 3}, newest_first[:3]), ({"offset": 8}, newest_first[8:]),
                           ({"offset": 4, "limit": 2}, newest_first[4:6]), ({"offset": 10}, []), ({"limit": 0}, []),
                           ({"offset": 65536}, [])]:
        assert lists.request("blockList.rules", LIST, body) == expected
    assert lists.request("blockList.rules", LIST, {"offset": 2 ** 32 - 1}) == []


def test_many_large_answers_come_one_by_one(lists):
    """The broker does not hold hundreds of them at a time: its memory is looked at by the fixture."""
    add_all(lists, singles(30000))
    msgids = [lists.send("blockList.rules", LIST) for _ in range(60)]
    first = lists.result(msgids[0])
    assert len(first) == 30000
    assert all(lists.result(msgid) == first for msgid in msgids[1:])


# ---- removing, matching, counting ----

def test_removing(lists):
    lists.request("blockList.addRules", LIST, {"rules": ["192.0.2.0/24", "192.0.2.1", "192.0.2.1"]})
    assert lists.request("blockList.removeRule", LIST, {"rule": "Address: IPv4 192.0.2.1"}) is True
    assert lists.request("blockList.size", LIST) == 2
    assert lists.request("blockList.removeRule", LIST, {"rule": "192.0.2.0/24"}) is True
    assert lists.request("blockList.removeRule", LIST, {"rule": "192.0.2.0/24"}) is False
    assert lists.request("blockList.checkMany", LIST, {"addresses": ["192.0.2.1", "192.0.2.2"]}) == [True, False]
    error = lists.refused("blockList.removeRule", LIST, {"rule": "192.0.2.0/x"})
    assert (error["code"], error["argument"]) == ("ERR_INVALID_ARG_VALUE", "rule")


def test_which_rule_and_how_often(lists):
    lists.request("blockList.addRules", LIST, {"rules": ["192.0.2.0/24", "192.0.2.7"]})
    newest = {"blocked": True, "rule": "Address: IPv4 192.0.2.7"}
    assert lists.request("blockList.match", LIST, {"address": "192.0.2.7"}) == newest
    assert lists.request("blockList.match", LIST, {"address": "::ffff:192.0.2.7", "type": "ipv6"}) == newest
    assert lists.request("blockList.match", LIST, {"address": "192.0.2.8"})["rule"] == "Subnet: IPv4 192.0.2.0/24"
    assert lists.request("blockList.match", LIST, {"address": "192.0.3.8"}) == {"blocked": False}
    assert lists.request("blockList.match", LIST, {"address": "nobody"}) == {"blocked": False}
    assert lists.request("blockList.check", LIST, {"address": "192.0.2.8"}) is True  # is no hit
    assert lists.request("blockList.hits", LIST) == [
        {"rule": "Address: IPv4 192.0.2.7", "hits": 2}, {"rule": "Subnet: IPv4 192.0.2.0/24", "hits": 1}]
    assert lists.request("blockList.hits", LIST, {"offset": 1, "limit": 1})[0]["hits"] == 1


# ---- ids and names ----

def test_ids(session):
    assert session.request("blockList.create") == {"id": 2}
    assert session.request("blockList.create", 1) == {"id": 1}
    assert session.refused("blockList.check", 3, {"address": "::"})["code"] == "ERR_NB_NO_SUCH_TARGET"
    session.request("socket.create", 3)
    assert session.refused("blockList.check", 3, {"address": "::"})["code"] == "ERR_NB_WRONG_TARGET"
    assert session.refused("socket.info", 1)["code"] == "ERR_NB_WRONG_TARGET"
    assert session.request("session.info")["blockLists"] == 2
    assert session.request("blockList.release", 1) == {}
    assert session.refused("blockList.size", 1)["code"] == "ERR_NB_NO_SUCH_TARGET"
    assert session.request("session.info")["blockLists"] == 1
    session.request("blockList.create", 1)
    session.notify("blockList.addAddress", 1, {"address": "x"})
    error = session.expect_event("session.error")
    assert (error["code"], error["method"], error["target"]) == ("ERR_INVALID_ADDRESS", "blockList.addAddress", 1)


def test_lists_are_independent(session):
    session.request("blockList.create", 1)
    session.request("blockList.create", 3)
    session.request("blockList.addAddress", 1, {"address": "192.0.2.1"})
    assert session.request("blockList.size", 3) == 0


def test_named_lists_are_shared_while_somebody_uses_them(connect_session):
    one, other = connect_session(), connect_session()
    assert one.refused("blockList.create", 1, {"name": "guests", "mustExist": True})["code"] == "ENOENT"
    one.request("blockList.create", 1, {"name": "guests"})
    other.request("blockList.create", 5, {"name": "guests", "mustExist": True})
    one.request("blockList.addAddress", 1, {"address": "192.0.2.1"})
    assert other.request("blockList.check", 5, {"address": "192.0.2.1"}) is True
    other.request("blockList.addRules", 5, {"rules": ["192.0.2.0/24"]})
    assert one.request("blockList.rules", 1) == ["Subnet: IPv4 192.0.2.0/24", "Address: IPv4 192.0.2.1"]
    one.request("blockList.match", 1, {"address": "192.0.2.9"})
    other.request("blockList.match", 5, {"address": "192.0.2.8"})
    assert one.request("blockList.hits", 1, {"limit": 1})[0]["hits"] == 2
    one.request("session.close")
    one.expect_eof()
    assert other.request("blockList.size", 5) == 2
    other.request("blockList.release", 5)
    assert other.refused("blockList.create", 7, {"name": "guests", "mustExist": True})["code"] == "ENOENT"
    other.request("blockList.create", 7, {"name": "guests"})
    assert other.request("blockList.size", 7) == 0


def test_sessions_change_a_list_side_by_side(connect_session):
    """Sessions of several loops, each with rules of its own; nobody's check waits or sees half a change."""
    sessions = [connect_session() for _ in range(4)]
    for session in sessions:
        session.request("blockList.create", 1, {"name": "busy"})
    sessions[0].request("blockList.addRules", 1, {"rules": ["198.51.100.0/24"]})
    open_requests = [[] for _ in sessions]
    for turn in range(150):
        for number, session in enumerate(sessions):
            rules = [f"10.{number}.{turn}.{i}" for i in range(20)]
            open_requests[number] += [
                (session.send("blockList.addRules", 1, {"rules": rules}), {}),
                (session.send("blockList.checkMany", 1, {"addresses": [*rules, "198.51.100.7"]}), [True] * 21),
                (session.send("blockList.removeRule", 1, {"rule": rules[0]}), True),
                (session.send("blockList.checkMany", 1, {"addresses": rules}), [False] + [True] * 19)]
    for session, requests in zip(sessions, open_requests):
        for msgid, expected in requests:
            assert session.result(msgid) == expected
    assert [session.request("blockList.size", 1) for session in sessions] == [4 * 150 * 19 + 1] * 4


def test_a_server_keeps_a_named_list(connect_session):
    one, other = connect_session(), connect_session()
    one.request("blockList.create", 1, {"name": "kept"})
    one.request("blockList.addAddress", 1, {"address": "192.0.2.1"})
    one.request("server.create", 3, {"blockList": 1})
    one.request("blockList.release", 1)
    other.request("blockList.create", 1, {"name": "kept", "mustExist": True})
    assert other.request("blockList.size", 1) == 1


def test_names(session):
    session.request("blockList.create", 1, {"name": "é" * 32})
    for name in ("", "x" * 65):
        error = session.refused("blockList.create", 3, {"name": name})
        assert (error["code"], error["argument"]) == ("ERR_INVALID_ARG_VALUE", "name")
    assert session.refused("blockList.create", 3, {"name": 5})["code"] == "ERR_INVALID_ARG_TYPE"
    assert session.refused("blockList.create", 3, {"title": "x"})["code"] == "ERR_NB_UNKNOWN_OPTION"
    session.request("blockList.create", 3, {"name": "x" * 64})  # the id is still free


# ---- limits ----

def limited(refused, limit):
    return (refused["code"], refused["limit"]) == ("ERR_NB_LIMIT", limit)


@pytest.fixture
def small(start_broker, folder):
    """Sessions of a broker that allows three lists and ten rules."""
    running = start_broker(None, "--limit", "maxBlockLists=3", "--limit", "maxRules=10")
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(Session(running.path))


def test_limits_are_told(session, small):
    assert {"maxBlockLists": 256, "maxRules": 65536}.items() <= session.request("session.hello", 0, {})["limits"].items()
    assert {"maxBlockLists": 3, "maxRules": 10}.items() <= small().request("session.hello", 0, {})["limits"].items()


def test_rules_count_over_all_lists(small):
    session = small()
    for target in (1, 3):
        session.request("blockList.create", target)
    add_all(session, singles(6), 1)
    assert limited(session.refused("blockList.addRules", 3, {"rules": singles(5)}), "maxRules")
    assert session.request("blockList.size", 3) == 0
    add_all(session, singles(4), 3)
    for method, body in [("addAddress", {"address": "::", "type": "ipv6"}), ("addSubnet", {"net": "1.1.1.1", "prefix": 8}),
                         ("addRange", {"start": "1.1.1.1", "end": "1.1.1.2"}), ("load", "1.1.1.1")]:
        assert limited(session.refused(f"blockList.{method}", 3, body), "maxRules")
    session.request("blockList.load", 1, "\n".join(singles(5)), {"replace": True})
    session.request("blockList.addAddress", 3, {"address": "1.1.1.1"})
    assert limited(session.refused("blockList.load", 1, "\n".join(singles(6)), {"replace": True}), "maxRules")
    assert session.request("blockList.removeRule", 3, {"rule": "1.1.1.1"}) is True
    session.request("blockList.release", 3)
    session.request("session.ping")
    add_all(session, singles(5), 1)
    session.request("blockList.clear", 1)
    add_all(session, singles(10), 1)


def test_lists_count(small):
    session = small()
    for target in (1, 3, 5):
        session.request("blockList.create", target)
    assert limited(session.refused("blockList.create", 7), "maxBlockLists")
    assert limited(session.refused("blockList.create", 7, {"name": "x"}), "maxBlockLists")
    session.request("server.create", 9, {"blockList": 1})
    session.request("blockList.release", 1)
    assert limited(session.refused("blockList.create", 7), "maxBlockLists")  # the server still uses it
    session.request("server.release", 9)
    session.request("session.ping")
    session.request("blockList.create", 7)


def test_named_lists_of_a_uid_count_together(small):
    one, other = small(), small()
    one.request("blockList.create", 1, {"name": "a"})
    other.request("blockList.create", 1, {"name": "b"})
    add_all(one, singles(6), 1)
    assert limited(other.refused("blockList.addRules", 1, {"rules": singles(5)}), "maxRules")
    add_all(other, singles(4), 1)
    other.request("blockList.create", 3)
    add_all(other, singles(10), 3)  # which has no name
    one.request("blockList.create", 3, {"name": "c"})
    assert limited(one.refused("blockList.create", 5, {"name": "d"}), "maxBlockLists")
    one.request("blockList.create", 5, {"name": "b"})  # which is there


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_names_are_of_a_uid(start_broker, folder):
    import test_access  # noqa: PLC0415
    os.chmod(folder, 0o755)
    running = start_broker(None, "--allow-uid", str(test_access.NOBODY))
    with Session(running.path) as session:
        session.request("blockList.create", 1, {"name": "mine"})
        answer = test_access.as_nobody(running.path, ["blockList.create", 1, {"name": "mine", "mustExist": True}],
                                       ["blockList.create", 1, {"name": "mine"}])
        assert answer["answers"] == ["ENOENT", "ok"]


def test_a_long_list_holds_up_nobody(start_broker):
    """What goes over all rules comes one at a time: others are served between two of them, on the same loop too."""
    broker = start_broker(None, "--workers", "1")
    with Session(broker.path) as busy, Session(broker.path) as other:
        busy.request("blockList.create", LIST)
        add_all(busy, singles(20000))
        other.request("session.ping", 0, {})
        busy.send_bytes(b"".join(request_frame(number, "blockList.removeRule", LIST, {"rule": "192.0.2.1"})
                                 for number in range(1000, 2000)))
        busy.wait_for_response(1000)
        other.request("session.ping", 0, {})
        busy.take_in()
        assert len(busy.unread()) < 500
        busy.response(1999)
