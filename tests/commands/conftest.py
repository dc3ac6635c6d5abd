"""The commands of a newcomer, against the build that ./run makes: build/netbroker."""
import os
import pathlib
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from commands.documents import ROOT  # noqa: E402
from support.broker import Broker  # noqa: E402

DEADLINE = 600  # seconds: the first run builds


@pytest.fixture(scope="session", autouse=True)
def built():
    """`./run --once` has been run."""
    done = subprocess.run([ROOT / "run", "--once"], capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture
def environment():
    """As in a terminal, but without a broker of its own anywhere."""
    env = {name: value for name, value in os.environ.items()
           if not name.startswith("NETBROKER_") and name not in ("XDG_RUNTIME_DIR", "PYTHONPATH")}
    return env


@pytest.fixture
def running(built, environment):
    """A broker; its path is in environment["NETBROKER_SOCKET"]."""
    binary = ROOT / "build" / "netbroker"
    with tempfile.TemporaryDirectory(prefix="nb-") as folder:
        path = f"{folder}/broker.sock"
        with Broker(path, command=[str(binary), "serve", "--socket", path]) as broker:
            environment["NETBROKER_SOCKET"] = path
            yield broker
