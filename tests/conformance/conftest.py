"""Fixtures: one daemon and one Node for all scenarios of a run; both must be as they were after each."""
import os
import pathlib
import shutil
import sys
import tempfile

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from sides import BrokerSide, NodeSide, PackageSide, find_node  # noqa: E402
from support.broker import Broker, wait_until  # noqa: E402

os.umask(0o022)  # of daemon and Node: the modes of paths are compared
PLACE_OF_NODE = os.environ.get("NB_ORACLE", HERE.parents[1] / "build" / "tests" / "differential")


@pytest.fixture(scope="session")
def daemon():
    with tempfile.TemporaryDirectory(prefix="nb-") as path, Broker(f"{path}/broker.sock") as running:
        yield running


@pytest.fixture
def broker_side(daemon):
    """The daemon, which must survive the scenario and keep no descriptor of it."""
    fds, complaints = daemon.open_fds(), len(daemon.complaints())
    side = BrokerSide(daemon)
    yield side
    side.close()
    assert daemon.alive(), "the daemon died:\n" + "\n".join(daemon.stderr[-40:])
    assert len(daemon.complaints()) == complaints, "\n".join(daemon.stderr[-60:])
    wait_until(lambda: daemon.open_fds() <= fds, f"the daemon's open descriptors back at {fds}")


@pytest.fixture(scope="session")
def node():
    """The program of the very version whose net is served."""
    pathlib.Path(PLACE_OF_NODE).mkdir(parents=True, exist_ok=True)
    program, reason = find_node(PLACE_OF_NODE)
    return program or pytest.skip(reason)


@pytest.fixture(scope="session")
def node_side(node):
    side = NodeSide(node)
    yield side
    side.end()


@pytest.fixture(scope="session", params=["19.2.0-inline", "installed-inline", "installed-attach"])
def both_nets(request, daemon):
    """(side with Node's own net, side with the package's), under the version that is served or the one that is there."""
    version, data_plane = request.param.split("-")
    program = shutil.which("node") if version == "installed" else request.getfixturevalue("node")
    sides = NodeSide(program), PackageSide(program, daemon, data_plane)
    yield sides
    for side in sides:
        side.end()
