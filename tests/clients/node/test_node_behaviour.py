"""What conformance does not see: behaviour/*.test.cjs under Node's own net and under the package, which must be alike."""
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
PACKAGE = ROOT / "clients" / "node"
sys.path.insert(0, str(ROOT / "tests"))

from support.broker import Broker  # noqa: E402

FILES = sorted(file.name for file in (HERE / "behaviour").glob("*.test.cjs"))
WORDS = ["a closed server", "an unref'd server", "unref'd sockets", "a server that is ref'd again",
         "a write that is on its way"]
DEADLINE = 90  # seconds

pytestmark = pytest.mark.skipif(not shutil.which("node"), reason="no Node here")


@pytest.fixture(scope="module")
def broker():
    with tempfile.TemporaryDirectory(prefix="nb-") as folder, Broker(pathlib.Path(folder) / "broker.sock") as running:
        yield running


@pytest.fixture(params=["node:net", "package", "package, channels"])
def run(request, broker):
    """Runs a program of behaviour/ with Node, under one net or the other: (status, what it printed)."""
    name, _, channels = request.param.partition(", ")
    environment = {**os.environ, "NETBROKER_SOCKET": str(broker.path), "NB_NET": str(PACKAGE) if name == "package" else "",
                   "NETBROKER_DATA_PLANE": "attach" if channels else "inline"}

    def run_program(*words):
        done = subprocess.run(["node", "--expose-gc", *words], cwd=HERE / "behaviour", env=environment, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=DEADLINE)
        return done.returncode, done.stdout

    return run_program


@pytest.mark.parametrize("name", FILES)
def test_file(run, name):
    status, said = run(name)
    assert status == 0, said


@pytest.mark.parametrize("word", WORDS)
def test_process_ends_when_nothing_holds_it(run, word):
    status, said = run("released.cjs", word)
    assert status == 0 and said.splitlines()[-1] == "end", said
    assert ("written" in said) == (word == "a write that is on its way")


def test_what_an_exit_handler_writes_arrives(run):
    with socket.create_server(("127.0.0.1", 0)) as server:
        status, _ = run("released.cjs", "a write in the exit handler", str(server.getsockname()[1]))
        with server.accept()[0] as connection, connection.makefile("rb") as received:
            assert status == 0 and received.read() == b"farewell"


def test_broker_has_nothing_left(broker):
    assert not broker.complaints(), broker.complaints()
