"""The package offers every method of the schema, with every field of it."""
import inspect

import pytest
from netbroker import BlockList, Server, Session, Socket, address
from netbroker._schema import EVENTS, METHODS
from netbroker.names import from_body, to_body, to_camel, to_path, to_snake

CLASSES = {"session": Session, "socket": Socket, "server": Server, "net": address, "blockList": BlockList}
NAMES = {"isIP": "is_ip", "isIPv4": "is_ipv4", "isIPv6": "is_ipv6"}  # as Python writes acronyms
ELSEWHERE = {
    "session.poll",  # for programs that cannot take events
    "net.createServer",  # another name of server.create
    "net.connect",  # another name of net.createConnection
    "net.createConnection",  # Socket.open, whose options are those of create and connect
    "socket.credit",  # said as the program takes its data
    "socket.channel", "session.attach",  # of feature channel
}
IMPLIED = {
    "session.hello": {"protocol", "minProtocol", "client", "features", "events", "expiry", "group"},
    "session.ping": {"value"},
    "session.describe": {"format"},
    "session.close": {"ifIdle"},
    "socket.create": {"readable", "writable", "fd", "fdName"},  # descriptors: of feature fds
    "server.listen": {"handle", "fd", "fdName"},
}
UNASKED = {"socket.flushed"}  # writes are answered when the kernel has them


@pytest.mark.parametrize("name", sorted(set(METHODS) - ELSEWHERE))
def test_method(name):
    noun, _, verb = name.partition(".")
    function = getattr(CLASSES[noun], NAMES.get(verb) or to_snake(verb))
    parameters = inspect.signature(function).parameters
    wanted = set(METHODS[name].params) - IMPLIED.get(name, set())
    assert {to_snake(field) for field in wanted} <= set(parameters)


def test_events_have_documented_names():
    documented = " ".join(filter(None, (cls.__doc__ for cls in (Socket, Server)))) + inspect.getdoc(Session.on)
    assert all(f"`{name.partition('.')[2]}`" in documented for name in set(EVENTS) - UNASKED)


@pytest.mark.parametrize("name", sorted({field for method in METHODS.values() for field in method.params}))
def test_names_survive_the_way_there_and_back(name):
    assert to_camel(to_snake(name)) == name


def test_absent_options_stay_absent():
    assert to_body(no_delay=None, port=0, ipv6_only=False) == {"port": 0, "ipv6Only": False}
    assert from_body({"ipv6Only": False, "bytesRead": 1}) == {"ipv6_only": False, "bytes_read": 1}


def test_paths():
    assert to_path("/tmp/ä") == "/tmp/ä" and to_path(b"/tmp/a") == "/tmp/a" and to_path(b"/tmp/\xff") == b"/tmp/\xff"
