"""Options of the kernel's socket, by Node's methods and all of them by name. docs/socket-options.md."""
import socket

import pytest

from support import peers
from support.broker import wait_until
from support.wire import Failed

IP, IP6, SOL, TCP = socket.IPPROTO_IP, socket.IPPROTO_IPV6, socket.SOL_SOCKET, socket.IPPROTO_TCP
TCP_USER_TIMEOUT, TCP_NOTSENT_LOWAT = 18, 25

# field, a value, where the kernel has it and what it says then
OPTIONS = [
    ("noDelay", True, TCP, socket.TCP_NODELAY, 1),
    ("keepAlive", True, SOL, socket.SO_KEEPALIVE, 1),
    ("keepAliveInitialDelay", 7999, TCP, socket.TCP_KEEPIDLE, 7),
    ("keepAliveInterval", 3000, TCP, socket.TCP_KEEPINTVL, 3),
    ("keepAliveCount", 4, TCP, socket.TCP_KEEPCNT, 4),
    ("typeOfService", 0x10, IP, socket.IP_TOS, 0x10),
    ("timeToLive", 9, IP, socket.IP_TTL, 9),
    ("priority", 5, SOL, socket.SO_PRIORITY, 5),
    ("receiveBufferSize", 10000, SOL, socket.SO_RCVBUF, 20000),
    ("sendBufferSize", 10000, SOL, socket.SO_SNDBUF, 20000),
    ("userTimeout", 1500, TCP, TCP_USER_TIMEOUT, 1500),
    ("notSentLowWater", 4096, TCP, TCP_NOTSENT_LOWAT, 4096),
]
ALL = {field: value for field, value, *_ in OPTIONS}
TOLD = {**ALL, "keepAliveInitialDelay": 7000, "receiveBufferSize": 20000, "sendBufferSize": 20000}


def assert_kernel_has_all(sock):
    assert {field: sock.getsockopt(level, name) for field, _, level, name, _ in OPTIONS} == \
        {field: expected for field, _, _, _, expected in OPTIONS}


# ---- all of them ----

def test_each_reaches_the_kernel(session, broker):
    with peers.connect(session) as peer, broker.adopt_socket(peer) as theirs:
        for field, value, *_ in OPTIONS:
            assert session.request("socket.setOptions", 1, {field: value}) == {}
        assert_kernel_has_all(theirs)


def test_they_can_be_read_back(session):
    with peers.connect(session):
        before = session.request("socket.getOptions", 1)
        assert before["noDelay"] is False and before["timeToLive"] == 64 and before["notSentLowWater"] == 0
        session.request("socket.setOptions", 1, ALL)
        after = session.request("socket.getOptions", 1)
        assert {field: after[field] for field in TOLD} == TOLD
        assert after["maxSegmentSize"] == before["maxSegmentSize"] > 0


def test_without_a_connection_they_are_kept_for_the_next(session, broker):
    session.request("socket.create", 1, {"autoRelease": False})
    assert session.request("socket.getOptions", 1) == {}
    session.request("socket.setOptions", 1, ALL)
    assert session.request("socket.getOptions", 1) == {**ALL, "keepAliveInitialDelay": 7000}
    for _ in range(2):
        with peers.listener() as listener:
            session.request("socket.connect", 1, {"port": peers.port_of(listener), "host": peers.LOOPBACK})
            with peers.accept(listener) as peer, broker.adopt_socket(peer) as theirs:
                assert_kernel_has_all(theirs)
        session.expect_event("socket.close", 1)


def test_those_of_a_creation_are_there_from_the_first_packet_on(session, broker):
    with peers.connect(session, socketOptions=ALL) as peer, broker.adopt_socket(peer) as theirs:
        assert_kernel_has_all(theirs)


def test_a_segment_size_must_be_there_before_the_connection(session):
    with peers.connect(session, socketOptions={"maxSegmentSize": 1000}) as peer:
        assert peer.getsockopt(TCP, socket.TCP_MAXSEG) <= 1000


def test_those_of_a_server_are_its_connections(session, broker):
    peers.serve(session, socketOptions=ALL)
    peer, connection = peers.accepted(session)
    with peer, broker.adopt_socket(peer) as theirs:
        assert_kernel_has_all(theirs)
        told = session.request("socket.getOptions", connection["socket"])
        assert {field: told[field] for field in TOLD} == TOLD


def test_a_unix_socket_has_only_some(session, folder):
    with peers.connect_unix(session, folder / "peer"):
        session.request("socket.setOptions", 1, {"sendBufferSize": 10000})
        told = session.request("socket.getOptions", 1)
        assert told["sendBufferSize"] == 20000 and "noDelay" not in told
        error = session.refused("socket.setOptions", 1, {"sendBufferSize": 5000, "noDelay": True})
        assert (error["code"], error["syscall"], error["argument"]) == ("ENOTSUP", "setsockopt", "noDelay")


@pytest.mark.parametrize("options, code, message", [
    ({"timeToLive": 0}, "ERR_OUT_OF_RANGE",
     'The value of "options.timeToLive" is out of range. It must be >= 1 && <= 255. Received 0'),
    ({"keepAliveInterval": 999}, "ERR_OUT_OF_RANGE",
     'The value of "options.keepAliveInterval" is out of range. It must be >= 1000 && <= 32767000. Received 999'),
    ({"priority": 7}, "ERR_OUT_OF_RANGE", 'The value of "options.priority" is out of range. It must be >= 0 && <= 6. Received 7'),
    ({"noDelay": 1}, "ERR_INVALID_ARG_TYPE",
     'The "options.noDelay" property must be of type boolean. Received type number (1)'),
    ({"typeOfService": "low"}, "ERR_INVALID_ARG_TYPE",
     'The "options.typeOfService" property must be of type number. Received type string (\'low\')'),
    ({"nodelay": True}, "ERR_NB_UNKNOWN_OPTION", "")], ids=str)
def test_values_are_checked_before_any_is_set(session, options, code, message):
    with peers.connect(session):
        error = session.refused("socket.setOptions", 1, {"timeToLive": 33, **options})
        assert error["code"] == code and error["message"].startswith(message)
        assert error["argument"] in options
        assert session.request("socket.getOptions", 1)["timeToLive"] == 64


@pytest.mark.parametrize("method", ["socket.create", "server.create"])
def test_those_of_a_creation_are_checked(session, method):
    error = session.refused(method, 1, {"socketOptions": {"keepAliveCount": 128}})
    assert (error["code"], error["argument"]) == ("ERR_OUT_OF_RANGE", "socketOptions.keepAliveCount")


def test_any_value_of_any_option_is_answered(session):
    """Set, or refused with an error that names the field: never anything else."""
    with peers.connect(session):
        for field in [*ALL, "maxSegmentSize"]:
            for value in (-1, 0, 1, 255, 65536, 2**31 - 1, -2**31, True):
                try:
                    session.request("socket.setOptions", 1, {field: value})
                except Failed as failure:
                    assert failure.error["argument"] == field
        assert session.request("session.ping", 0, {"a": 1}) == {"a": 1}


# ---- keep-alive ----

def keep_alive(sock):
    return tuple(sock.getsockopt(level, name) for level, name in
                 ((SOL, socket.SO_KEEPALIVE), (TCP, socket.TCP_KEEPIDLE), (TCP, socket.TCP_KEEPINTVL), (TCP, socket.TCP_KEEPCNT)))


def test_keep_alive_with_interval_and_count(session, broker):
    with peers.connect(session) as peer, broker.adopt_socket(peer) as theirs:
        session.request("socket.setKeepAlive", 1, {"enable": True, "initialDelay": 5000, "interval": 2999, "count": 3})
        assert keep_alive(theirs) == (1, 5, 2, 3)
        session.request("socket.setKeepAlive", 1, {"enable": True})
        assert keep_alive(theirs) == (1, 5, 1, 10)


@pytest.mark.parametrize("count", [0, -1, 128])
def test_the_count_of_probes_is_checked(session, count):
    session.request("socket.create", 1, {})
    error = session.refused("socket.setKeepAlive", 1, {"enable": True, "count": count})
    assert (error["code"], error["argument"]) == ("ERR_OUT_OF_RANGE", "count")


# ---- type of service ----

def test_type_of_service(session, broker):
    with peers.connect(session, typeOfService=8) as peer, broker.adopt_socket(peer) as theirs:
        assert session.request("socket.getTypeOfService", 1) == 8 == theirs.getsockopt(IP, socket.IP_TOS)
        assert session.request("socket.setTypeOfService", 1, {"tos": 16}) == {}
        assert session.request("socket.getTypeOfService", 1) == 16 == theirs.getsockopt(IP, socket.IP_TOS)


def test_type_of_service_of_ipv6(session):
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        session.request("net.createConnection", 1, {"host": "::1", "port": listener.getsockname()[1], "typeOfService": 32})
        assert session.request("socket.getTypeOfService", 1) == 32
        assert session.request("socket.getOptions", 1)["timeToLive"] == 64


def test_type_of_service_of_a_mapped_connection(session, broker):
    """A dual-stack server's connection from IPv4: an IPv6 socket whose packets are IPv4's."""
    port = session.request("server.create", 1, {}) and session.request("server.listen", 1, {"port": 0})["port"]
    with peers.dial(port) as peer, broker.adopt_socket(peer) as theirs:
        connection = session.expect_event("server.connection", 1)
        session.request("socket.setTypeOfService", connection["socket"], {"tos": 24})
        assert theirs.getsockopt(IP6, socket.IPV6_TCLASS) == 24 == theirs.getsockopt(IP, socket.IP_TOS)


def test_type_of_service_is_kept_until_there_is_a_connection(session):
    session.request("socket.create", 1, {})
    assert session.request("socket.getTypeOfService", 1) == 0
    session.request("socket.setTypeOfService", 1, {"tos": 4})
    assert session.request("socket.getTypeOfService", 1) == 4


def test_type_of_service_of_a_unix_socket_is_only_kept(session, folder):
    with peers.connect_unix(session, folder / "peer"):
        assert session.request("socket.setTypeOfService", 1, {"tos": 4}) == {}
        assert session.request("socket.getTypeOfService", 1) == 4


@pytest.mark.parametrize("body, code, message", [
    ({"tos": 256}, "ERR_OUT_OF_RANGE", 'The value of "tos" is out of range. It must be >= 0 && <= 255. Received 256'),
    ({"tos": -1}, "ERR_OUT_OF_RANGE", 'The value of "tos" is out of range. It must be >= 0 && <= 255. Received -1'),
    ({"tos": "4"}, "ERR_INVALID_ARG_TYPE", "The \"tos\" argument must be of type number. Received type string ('4')"),
    ({}, "ERR_INVALID_ARG_TYPE", 'The "tos" argument must be of type number. Received undefined')], ids=str)
def test_type_of_service_is_checked_as_in_node(session, body, code, message):
    session.request("socket.create", 1, {})
    error = session.refused("socket.setTypeOfService", 1, body)
    assert (error["code"], error["argument"], error["message"]) == (code, "tos", message)


def test_the_option_type_of_service_is_checked_as_in_node(session):
    error = session.refused("socket.create", 1, {"typeOfService": 999})
    assert error["message"] == 'The value of "options.typeOfService" is out of range. It must be >= 0 && <= 255. Received 999'


# ---- bind ----

def bind(session, **options):
    session.request("socket.create", 1, {"autoRelease": False})
    return session.request("socket.bind", 1, options)


def test_a_bound_socket_connects_from_there(session):
    address = bind(session, host=peers.LOOPBACK)
    assert address["address"] == peers.LOOPBACK and address["port"] > 0 and address["family"] == "IPv4"
    assert session.request("socket.address", 1) == address
    with peers.listener() as listener:
        ends = session.request("socket.connect", 1, {"port": peers.port_of(listener), "host": peers.LOOPBACK})
        assert (ends["localAddress"], ends["localPort"]) == (peers.LOOPBACK, address["port"])
        with peers.accept(listener) as peer:
            assert peer.getpeername() == (peers.LOOPBACK, address["port"])


def test_a_bound_socket_finds_the_address_of_a_name_that_it_can_reach(session):
    address = bind(session, host=peers.LOOPBACK)
    with peers.listener() as listener:
        ends = session.request("socket.connect", 1, {"port": peers.port_of(listener), "host": "localhost"})
        assert (ends["localAddress"], ends["localPort"]) == (peers.LOOPBACK, address["port"])
        assert ends["remoteAddress"] == peers.LOOPBACK


def test_the_default_is_any_address_and_port(session):
    assert bind(session)["address"] == "0.0.0.0"


def test_the_default_is_that_of_ipv6_with_ipv6_only(session):
    assert bind(session, ipv6Only=True)["address"] == "::"


def test_what_is_bound_is_in_use(session, connect_session):
    port = bind(session, host=peers.LOOPBACK)["port"]
    other = connect_session()
    other.request("socket.create", 1, {})
    with socket.socket() as strict:
        with pytest.raises(OSError):
            strict.bind((peers.LOOPBACK, port))
    session.request("socket.destroy", 1)
    with socket.socket() as strict:
        strict.bind((peers.LOOPBACK, port))


def test_an_address_that_cannot_be_bound(session):
    session.request("socket.create", 1, {})
    error = session.refused("socket.bind", 1, {"host": "192.0.2.1"})
    assert (error["code"], error["syscall"], error["address"]) == ("EADDRNOTAVAIL", "bind", "192.0.2.1")
    assert session.request("socket.address", 1) == {}
    assert session.request("socket.bind", 1, {"host": peers.LOOPBACK})["port"] > 0


def test_a_socket_is_bound_once_and_not_when_connected(session):
    bind(session, host=peers.LOOPBACK)
    assert session.refused("socket.bind", 1, {})["code"] == "EINVAL"
    with peers.connect(session, 3):
        assert session.refused("socket.bind", 3, {})["code"] == "EINVAL"


@pytest.mark.parametrize("options", [{"path": "/tmp/nowhere"}, {"localPort": 5000}, {"localAddress": "127.0.0.2"}], ids=str)
def test_a_bound_socket_connects_from_nowhere_else(session, options):
    address = bind(session, host=peers.LOOPBACK)
    body = options if "path" in options else {"port": 1, "host": peers.LOOPBACK, **options}
    error = session.refused("socket.connect", 1, body)
    assert (error["code"], error["syscall"], error["port"]) == ("EINVAL", "bind", address["port"])
    assert session.request("socket.address", 1) == address


def test_a_bound_socket_of_the_other_family(session):
    bind(session, host=peers.LOOPBACK)
    assert session.refused("socket.connect", 1, {"port": 1, "host": "::1"})["code"] == "EINVAL"


@pytest.mark.parametrize("body, code, argument", [
    ({"host": "localhost"}, "ERR_INVALID_IP_ADDRESS", "host"), ({"port": 65536}, "ERR_SOCKET_BAD_PORT", "port"),
    ({"ipv6Only": 1}, "ERR_INVALID_ARG_TYPE", "ipv6Only"), ({"address": "::"}, "ERR_NB_UNKNOWN_OPTION", "address")], ids=str)
def test_arguments_of_bind_are_checked(session, body, code, argument):
    session.request("socket.create", 1, {})
    error = session.refused("socket.bind", 1, body)
    assert (error["code"], error["argument"]) == (code, argument)


def test_a_connection_that_fails_leaves_the_address(session):
    port = bind(session, host=peers.LOOPBACK)["port"]
    taken, refused = peers.refused_port()
    with taken:
        assert session.refused("socket.connect", 1, {"port": refused, "host": peers.LOOPBACK})["code"] == "ECONNREFUSED"
    wait_until(lambda: session.request("socket.address", 1) == {}, "nothing is bound")
    assert session.request("socket.bind", 1, {"host": peers.LOOPBACK, "port": port})["port"] == port


def test_a_server_listens_on_what_a_socket_has_bound(session):
    address = bind(session, host=peers.LOOPBACK)
    session.request("server.create", 3, {})
    assert session.request("server.listen", 3, {"handle": {"socket": 1}}) == address
    assert session.request("socket.address", 1) == {}
    with peers.dial(address["port"]):
        session.expect_event("server.connection", 3)
    assert session.request("socket.bind", 1, {"host": peers.LOOPBACK})["port"] != address["port"]


def test_reuse_port_of_bind(session):
    port = bind(session, host=peers.LOOPBACK, reusePort=True)["port"]
    session.request("socket.create", 3, {})
    assert session.request("socket.bind", 3, {"host": peers.LOOPBACK, "port": port, "reusePort": True})["port"] == port
