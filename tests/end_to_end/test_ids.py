"""Who chooses ids, what they may be, and what a wrong one gets. protocol.md 2."""
import pytest

from support import peers
from support.wire import Failed


def test_the_client_chooses_odd_ids(session):
    assert session.request("socket.create", 7, {})["id"] == 7
    assert session.request("server.create", 5, {})["id"] == 5


def test_the_broker_chooses_even_ids(session):
    ids = [session.request(method, 0, {})["id"] for method in ("socket.create", "server.create", "net.createServer")]
    assert all(number > 0 and number % 2 == 0 for number in ids) and len(set(ids)) == 3


def test_an_accepted_socket_has_an_even_id(session):
    peers.serve(session)
    peer, connection = peers.accepted(session)
    peer.close()
    assert connection["socket"] % 2 == 0 and connection["socket"] > 0


@pytest.mark.parametrize("method", ["socket.create", "server.create", "net.createConnection", "net.connect",
                                    "net.createServer"])
def test_an_even_id_in_a_create_is_refused(session, method):
    assert session.refused(method, 2, {"port": 1} if "onnect" in method else {})["code"] == "ERR_NB_WRONG_TARGET"


@pytest.mark.parametrize("target", [2**53 - 1, 2**32 + 1, 99999, 3])
def test_no_order_or_density_is_asked_of_ids(session, target):
    assert session.request("socket.create", target, {})["id"] == target
    assert session.request("socket.info", target)["pending"] is True


@pytest.mark.parametrize("target", [1, 2, 2**53 - 1])
def test_a_request_to_an_unknown_id(session, target):
    assert session.refused("socket.write", target, b"x")["code"] == "ERR_NB_NO_SUCH_TARGET"


def test_a_notification_to_an_unknown_id_is_dropped_silently(session):
    for method in ("socket.write", "socket.end"):
        session.notify(method, 1, b"x")
    session.notify("server.close", 3)
    session.request("session.ping", 0, {})
    assert len(session.log) == 1


@pytest.mark.parametrize("method, body", [("socket.write", b"x"), ("socket.pause", {}), ("server.close", {})])
def test_an_actor_of_the_wrong_kind(session, method, body):
    session.request("server.create" if method.startswith("socket") else "socket.create", 1, {})
    assert session.refused(method, 1, body)["code"] == "ERR_NB_WRONG_TARGET"


@pytest.mark.parametrize("method", ["socket.create", "server.create", "net.createConnection"])
def test_a_live_id_in_a_create_is_fatal(session, connect_session, method):
    bystander = connect_session()
    session.request("socket.create", 1, {})
    session.send(method, 1, {"port": 1} if method.startswith("net") else {})
    session.expect_eof()
    error = session.events("session.error")[0][0]
    assert error["code"] == "ERR_NB_ID_IN_USE" and error["fatal"] is True
    assert bystander.request("session.ping", 0, {"a": 1}) == {"a": 1}


def test_an_id_is_free_after_its_close_event(session):
    peers.connect(session).close()
    session.expect_event("socket.close", 1)
    with peers.connect(session) as peer:
        peer.sendall(b"new")
        assert session.received(1, 3) == b"new"


def test_an_id_is_gone_after_its_close_event(session):
    peers.connect(session).close()
    session.expect_event("socket.close", 1)
    assert session.refused("socket.info", 1)["code"] == "ERR_NB_NO_SUCH_TARGET"


def test_without_auto_release_an_id_lives_until_it_is_released(session):
    peers.connect(session, autoRelease=False).close()
    session.expect_event("socket.close", 1)
    assert session.request("socket.info", 1)["destroyed"] is True
    assert session.request("socket.release", 1) == {}
    assert session.refused("socket.info", 1)["code"] == "ERR_NB_NO_SUCH_TARGET"


def test_a_server_lives_until_it_is_released(session):
    peers.serve(session)
    session.request("server.close", 1)
    assert session.request("server.info", 1)["listening"] is False
    assert session.request("server.release", 1) == {}
    assert session.refused("server.info", 1)["code"] == "ERR_NB_NO_SUCH_TARGET"


@pytest.mark.parametrize("kind", ["socket", "server"])
def test_release_and_create_in_one_burst(session, kind):
    session.request(f"{kind}.create", 1, {"autoRelease": False} if kind == "socket" else {})
    sent = [session.send(f"{kind}.release", 1), session.send("server.create", 1, {}), session.send("server.info", 1)]
    assert session.result(sent[0]) == {} and session.result(sent[1]) == {"id": 1}
    assert session.result(sent[2])["listening"] is False


@pytest.mark.parametrize("kind", ["socket", "server"])
@pytest.mark.parametrize("answered", [False, True], ids=["notification", "request"])
def test_a_released_id_is_free(session, kind, answered):
    session.request(f"{kind}.create", 1, {"autoRelease": False} if kind == "socket" else {})
    if kind == "socket":
        session.request("socket.destroy", 1)
    release = session.request if answered else session.notify
    release(f"{kind}.release", 1)
    assert session.refused(f"{kind}.info", 1)["code"] == "ERR_NB_NO_SUCH_TARGET"
    assert session.request("socket.create", 1, {}) == {"id": 1}


def test_what_is_open_cannot_be_released(session):
    peers.serve(session, 1)
    with peers.connect(session, 3) as peer:
        for target, method in ((1, "server.release"), (3, "socket.release")):
            session.refused(method, target)
        assert session.request("server.info", 1)["listening"] is True
        peer.sendall(b"open")
        assert session.received(3, 4) == b"open"


def test_a_refused_creation_leaves_its_id_free(session):
    assert session.refused("net.createConnection", 1, {"port": 65536})["code"] == "ERR_SOCKET_BAD_PORT"
    assert session.refused("socket.info", 1)["code"] == "ERR_NB_NO_SUCH_TARGET"
    assert session.request("socket.create", 1, {})["id"] == 1


def test_create_connect_and_write_go_in_one_burst(session):
    with peers.listener() as listener:
        session.notify("socket.create", 1, {})
        session.notify("socket.connect", 1, {"port": peers.port_of(listener), "host": peers.LOOPBACK})
        session.notify("socket.end", 1, b"no round trip")
        with peers.accept(listener) as peer:
            assert peers.read_to_end(peer) == b"no round trip"


def test_a_creation_sent_as_a_notification_makes_its_id_too(session):
    session.notify("server.create", 1, {})
    assert session.request("server.listen", 1, {"port": 0, "host": peers.LOOPBACK})["port"] > 0


@pytest.mark.parametrize("target", [-1, 1.5, "1", 2**53 + 1, [1], True])
def test_what_is_no_id_is_an_error(session, connect_session, target):
    bystander = connect_session()
    session.send("socket.create", target, {})
    with pytest.raises((Failed, EOFError)):
        session.result(1)
    assert bystander.request("session.ping", 0, {"a": 1}) == {"a": 1}


def test_sessions_have_their_own_ids(connect_session):
    one, two = connect_session(), connect_session()
    with peers.connect(one, 1) as peer_of_one, peers.connect(two, 1) as peer_of_two:
        one.notify("socket.end", 1, b"one")
        two.notify("socket.end", 1, b"two")
        assert (peers.read_to_end(peer_of_one), peers.read_to_end(peer_of_two)) == (b"one", b"two")


def test_a_session_cannot_reach_what_another_one_owns(connect_session):
    owner, stranger = connect_session(), connect_session()
    peers.serve(owner, 1)
    peer, connection = peers.accepted(owner)
    with peer:
        for target in (1, connection["socket"]):
            assert stranger.refused("socket.destroy", target)["code"] == "ERR_NB_NO_SUCH_TARGET"
            stranger.notify("socket.write", target, b"intruder")
        stranger.request("session.ping", 0, {})
        owner.request("socket.end", connection["socket"], b"mine")
        assert peers.read_to_end(peer) == b"mine"
