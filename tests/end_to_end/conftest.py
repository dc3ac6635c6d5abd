"""Fixtures: one daemon for all tests of a run, looked after from test to test."""
import pathlib
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.broker import BINARY, Broker, sanitized, wait_until  # noqa: E402
from support.conformance import Tap  # noqa: E402
from support.wire import Session  # noqa: E402

MOST_GROWTH = 24 << 20  # bytes of resident memory that one test may leave behind


def pytest_report_header(config):
    return f"netbroker: {BINARY}" + (" (with a sanitizer)" if BINARY.exists() and sanitized() else "")


@pytest.fixture(scope="session")
def daemon():
    """The shared daemon. Tests use `broker`, which also checks what they leave behind."""
    with tempfile.TemporaryDirectory(prefix="nb-") as path, Broker(f"{path}/broker.sock") as running:
        warm_up(running)
        yield running


def warm_up(running):
    """Starts what the daemon starts once, so that no test is blamed for it."""
    for _ in range(4):
        with Session(running.path) as session:
            session.refused("net.createConnection", 1, {"host": "localhost", "port": 1})


@pytest.fixture
def broker(daemon):
    """The shared daemon: alive, quiet, and with the descriptors and memory it had before."""
    fds, memory, complaints = daemon.open_fds(), daemon.rss(), len(daemon.complaints())
    yield daemon
    assert daemon.alive(), "the daemon died:\n" + "\n".join(daemon.stderr[-40:])
    assert len(daemon.complaints()) == complaints, "\n".join(daemon.stderr[-60:])
    wait_until(lambda: daemon.open_fds() <= fds, f"the daemon's open descriptors back at {fds}")
    if not sanitized():
        grown = daemon.rss() - memory
        assert grown < MOST_GROWTH, f"resident memory grew by {grown} bytes"


@pytest.fixture
def connect_session(broker):
    """Opens sessions to the shared daemon; all are closed after the test."""
    sessions = []

    def open_session(path=None):
        sessions.append(Session(path or broker.path, inspect=Tap()))
        return sessions[-1]

    yield open_session
    for session in sessions:
        session.socket.close()


@pytest.fixture
def session(connect_session):
    return connect_session()


@pytest.fixture
def server(session):
    """A session with a server of id 1 that does not listen yet."""
    session.request("server.create", 1, {})
    return session


@pytest.fixture
def folder():
    """An own directory with a path so short that socket paths in it fit into 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="nb-") as path:
        yield pathlib.Path(path)


@pytest.fixture
def start_broker(folder):
    """Starts further daemons, each ended (with every assertion of a clean end) unless the test has ended it."""
    started = []

    def start(path=None, *flags, **options):
        started.append(Broker(path or folder / "broker.sock", *flags, **options))
        return started[-1]

    yield start
    for running in started:
        if running.alive():
            running.stop()
