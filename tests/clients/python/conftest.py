"""Fixtures: one daemon for all tests of a run; the client package comes from this checkout."""
import pathlib
import ssl
import subprocess
import sys
import tempfile

import pytest
import pytest_asyncio

TESTS = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TESTS))
sys.path.insert(0, str(TESTS.parent / "clients" / "python"))

import netbroker  # noqa: E402
from support.broker import Broker  # noqa: E402

from .peers import soon, until_empty  # noqa: E402


@pytest.fixture(scope="session")
def daemon():
    """The shared daemon; that it ends with status 0 is asserted when the run ends."""
    with tempfile.TemporaryDirectory(prefix="nb-py-") as path, Broker(f"{path}/broker.sock") as running:
        yield running


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A key and a certificate for localhost; the contexts of server and client."""
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)  # fmt: skip
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(cert, key)
    return server, ssl.create_default_context(cafile=cert)


@pytest.fixture(autouse=True)
def complaints(daemon):
    """No test may make the daemon complain or die."""
    before = len(daemon.complaints())
    yield
    assert daemon.alive(), "\n".join(daemon.stderr[-40:])
    assert len(daemon.complaints()) == before, "\n".join(daemon.stderr[-40:])


@pytest.fixture
def folder():
    """A directory whose path leaves room for a Unix socket's name."""
    with tempfile.TemporaryDirectory(prefix="nb-py-") as path:
        yield pathlib.Path(path)


@pytest.fixture
def start_broker(folder):
    """Starts a daemon of the test's own, with `flags`."""
    started = []

    def start(*flags):
        started.append(Broker(folder / f"broker{len(started)}.sock", *flags))
        return started[-1]

    yield start
    for broker in started:
        if broker.alive():
            broker.stop()


@pytest.fixture
def data_plane():
    """How the bytes of a test's streams travel; modules to which it makes a difference override it."""
    return "inline"


@pytest_asyncio.fixture
async def session(daemon, data_plane):
    """A session that must be empty of sockets and servers when the test is over."""
    async with netbroker.connect(daemon.path, data_plane=data_plane) as opened:
        yield opened
        if not opened.is_closed:
            await soon(until_empty(opened))
            assert opened.budget.ahead == 0
