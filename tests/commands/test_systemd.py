"""The systemd units: well-formed, and the daemon takes the socket that they describe."""
import os
import shutil
import signal
import socket
import subprocess

import msgpack
import pytest

from commands.conftest import ROOT
from support.broker import wait_until

UNITS = ROOT / "packaging" / "systemd"
BINARY = ROOT / "build" / "netbroker"
DEADLINE = 20


@pytest.mark.parametrize("folder, scope", [("", "--system"), ("user", "--user")])
def test_units_verify(folder, scope, tmp_path):
    for name in ("netbroker.socket", "netbroker.service"):
        text = (UNITS / folder / name).read_text().replace("ExecStart=netbroker", f"ExecStart={BINARY}")
        (tmp_path / name).write_text(text.replace("man:netbroker-serve(1)", "man:systemd(1)"))
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    command = ["systemd-analyze", "verify", scope, "--man=no", *sorted(tmp_path.glob("netbroker.*"))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    complaints = [line for line in done.stderr.splitlines() if "netbroker" in line]
    assert done.returncode == 0 and not complaints, done.stderr


def test_the_socket_is_taken_over(tmp_path, environment):
    path = tmp_path / "activated.sock"
    command = [shutil.which("systemd-socket-activate"), "--fdname=control", "--listen", str(path), str(BINARY), "serve"]
    with subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            wait_until(path.is_socket, "the socket")
            assert ping(path) == [1, 7, None, {}]
        finally:
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=DEADLINE)
        assert process.returncode == 0, log
    assert b"ready socket=inherited" in log


def ping(path):
    """Connects before the daemon runs: that is what starts it."""
    with socket.socket(socket.AF_UNIX) as session:
        session.settimeout(DEADLINE)
        session.connect(str(path))
        session.sendall(msgpack.packb([0, 7, "session.ping", [0]]))
        return msgpack.unpackb(session.recv(4096))
