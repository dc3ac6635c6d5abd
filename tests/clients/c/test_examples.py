"""The programs of examples/c do what they say, against the daemon."""
import http.server
import os
import pathlib
import subprocess
import sys
import tempfile
import threading

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from support import peers  # noqa: E402
from support.broker import Broker  # noqa: E402
from support.wire import DEADLINE  # noqa: E402

EXAMPLES = pathlib.Path(os.environ["NETBROKER_EXAMPLES"])


@pytest.fixture(scope="module")
def environment():
    with tempfile.TemporaryDirectory(prefix="nb-ex-") as path, Broker(f"{path}/broker.sock") as running:
        yield {**os.environ, "NETBROKER_SOCKET": str(running.path)}


def run(environment, name, *arguments, status=0):
    done = subprocess.run([EXAMPLES / f"example-{name}", *map(str, arguments)], env=environment,
                          capture_output=True, timeout=2 * DEADLINE)
    assert done.returncode == status, done.stderr
    return done.stdout if status == 0 else done.stderr


def test_ask(environment):
    assert run(environment, "ask") == b"socket 2, one of 1\n"


def test_fetch(environment):
    handler = type("Handler", (http.server.BaseHTTPRequestHandler,), {
        "do_GET": lambda self: (self.send_response(200), self.end_headers(), self.wfile.write(b"x" * 1000000)),
        "log_message": lambda self, *_: None})
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        page = run(environment, "fetch", "127.0.0.1", server.server_port, "/")
        thread.join(DEADLINE)
    assert page.startswith(b"HTTP/1.0 200") and page.endswith(b"x" * 1000000)


def test_fetch_says_why_not(environment):
    reserved, port = peers.refused_port()
    with reserved:
        assert b"ECONNREFUSED" in run(environment, "fetch", "127.0.0.1", port, "/", status=1)


def test_shout(environment):
    with subprocess.Popen([EXAMPLES / "example-shout"], env=environment, stdout=subprocess.PIPE) as program:
        try:
            port = int(program.stdout.readline())
            text = b"one two\n" * 500000
            with peers.dial(port) as first, peers.dial(port) as second:
                second.sendall(b"quiet")
                writer = threading.Thread(target=lambda: (first.sendall(text), first.shutdown(1)))
                writer.start()
                assert peers.read_to_end(first) == text.upper()
                writer.join()
                assert peers.read_exactly(second, 5) == b"QUIET"
        finally:
            program.terminate()


def test_without_a_broker_each_says_so(tmp_path):
    nowhere = {**os.environ, "NETBROKER_SOCKET": str(tmp_path / "none")}
    for name, *arguments in (["ask"], ["shout"], ["fetch", "127.0.0.1", "1", "/"]):
        assert b"no broker: No such file" in run(nowhere, name, *arguments, status=1)
