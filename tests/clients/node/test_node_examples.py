"""The programs under examples/node do what they say, with real peers."""
import contextlib
import http.server
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "examples" / "node"
sys.path.insert(0, str(ROOT / "tests"))

from support.broker import Broker  # noqa: E402

DEADLINE = 20  # seconds for whatever is waited for


@pytest.fixture(scope="module")
def folder():
    """With the examples, and the package where npm would have put it."""
    with tempfile.TemporaryDirectory(prefix="nb-") as path:
        installed = pathlib.Path(path)
        shutil.copytree(EXAMPLES, installed, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
        (installed / "node_modules" / "@netbroker").mkdir(parents=True)
        (installed / "node_modules" / "@netbroker" / "net").symlink_to(ROOT / "clients" / "node")
        yield installed


@pytest.fixture(scope="module")
def broker(folder):
    with Broker(folder / "broker.sock") as running:
        yield running


class Program:
    """An example as a process of its own."""

    def __init__(self, folder, broker, *words, **environment):
        environment = {**os.environ, "NETBROKER_SOCKET": str(broker.path), "NO_COLOR": "1", **environment}
        self.process = subprocess.Popen(["node", *map(str, words)], cwd=folder, env=environment, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self._watch = threading.Timer(DEADLINE, self.process.kill)
        self._watch.start()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._watch.cancel()
        self.process.kill()
        self.process.communicate()

    def line(self):
        return self.process.stdout.readline().rstrip("\n")

    def port(self):
        line = self.line()
        assert line.startswith("listening on"), line + self.process.stderr.read()
        return int(line.partition("port: ")[2].rstrip(" }"))

    def finish(self):
        out, err = self.process.communicate()
        return self.process.returncode, out, err


class Caller:
    """A plain socket, in lines."""

    def __init__(self, port, source="127.0.0.1"):
        self.socket = socket.create_connection(("127.0.0.1", port), DEADLINE, (source, 0))
        self.file = self.socket.makefile("rwb")

    def say(self, line):
        self.file.write(line.encode() + b"\n")
        self.file.flush()

    def hear(self):
        return self.file.readline().decode().rstrip("\n")

    def close(self):
        self.file.close()
        self.socket.close()


def test_echo_server(folder, broker):
    with Program(folder, broker, "echo-server.mjs", 0) as program, socket.create_connection(
            ("127.0.0.1", program.port()), DEADLINE) as peer:
        sent = os.urandom(1 << 20)
        threading.Thread(target=lambda: (peer.sendall(sent), peer.shutdown(socket.SHUT_WR))).start()
        assert peer.makefile("rb").read() == sent


def test_echo_server_on_a_path_of_its_own_directory(folder, broker):
    with Program(folder, broker, "echo-server.mjs", "echo.sock") as program:
        assert program.line() == "listening on echo.sock"
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(folder / "echo.sock"))
            peer.sendall(b"hello")
            peer.shutdown(socket.SHUT_WR)
            assert peer.makefile("rb").read() == b"hello"


def test_chat(folder, broker):
    with Program(folder, broker, "chat.mjs", 0) as program:
        port = program.port()
        ada, ben = Caller(port), Caller(port)
        ada.say("Ada")
        assert ada.hear() == "Your name? * here: Ada"
        ben.say("Ben")
        assert ben.hear() == "Your name? * here: Ada, Ben"
        assert ada.hear() == "* Ben has come"
        ada.say("hello")
        assert ben.hear() == "Ada: hello"
        ada.close()
        assert ben.hear() == "* Ada has gone"
        ben.close()


@contextlib.contextmanager
def web_server():
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "8")
            self.end_headers()
            self.wfile.write(b"the page")

        def log_message(self, *words):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


def test_fetch(folder, broker):
    with web_server() as port, Program(
            folder, broker, "--import", "@netbroker/net/register", "fetch.mjs", f"http://127.0.0.1:{port}/page") as program:
        status, out, err = program.finish()
        assert (status, out) == (0, "the page") and err.startswith("200 OK\n")


def test_proxy(folder, broker):
    with web_server() as port, Program(folder, broker, "proxy.mjs", 0, f"127.0.0.1:{port}", "127.0.0.2", "127.0.3.0/24",
                                       "127.0.4.1-127.0.4.9") as program:
        ours = program.port()
        for source in ("127.0.0.2", "127.0.3.7", "127.0.4.5"):
            blocked = Caller(ours, source)
            with contextlib.suppress(ConnectionResetError):
                assert blocked.hear() == ""
            assert program.line() == f"turned away: {source}"
            blocked.close()
        welcome = Caller(ours, "127.0.4.10")
        welcome.say("GET / HTTP/1.0\n")
        assert welcome.file.read().endswith(b"\r\n\r\nthe page")
        welcome.close()


def test_listeners_share_a_port(folder, broker):
    words = {"NETBROKER_GROUP": "examples"}
    with Program(folder, broker, "shared-listener.mjs", 0, **words) as first:
        port = first.port()
        with Program(folder, broker, "shared-listener.mjs", 0, **words) as second:
            assert second.port() == port
            for _ in range(4):
                assert Caller(port).hear() == "Node"
            first.process.kill()
            first.process.wait()
            assert Caller(port).hear() == "Node"


def test_a_port_is_shared_with_python(folder, broker):
    program = ROOT / "examples" / "python" / "shared_listener.py"
    environment = {**os.environ, "NETBROKER_SOCKET": str(broker.path), "PYTHONPATH": str(ROOT / "clients" / "python")}
    with Program(folder, broker, "shared-listener.mjs", 0, NETBROKER_GROUP="both") as ours, subprocess.Popen(
            [sys.executable, "-u", program, "both"], env=environment, stdout=subprocess.PIPE, text=True) as other:
        try:
            port = ours.port()
            assert f"{port})" in other.stdout.readline()
            assert sorted(Caller(port).hear() for _ in range(4)) == ["Node", "Node", "Python", "Python"]
        finally:
            other.kill()


@pytest.mark.parametrize("words", [["echo-server.mjs", 0], ["chat.mjs"], ["proxy.mjs", 0, "127.0.0.1:1"], ["shared-listener.mjs"],
                                   ["--import", "@netbroker/net/register", "fetch.mjs", "http://127.0.0.1:2/"]])
def test_without_a_broker_they_say_so(folder, broker, words):
    nowhere = folder / "nobody.sock"
    with Program(folder, broker, *words, NETBROKER_SOCKET=str(nowhere)) as program:
        status, _, err = program.finish()
        assert status == 1 and str(nowhere) in err and "netbroker serve" in err and "    at " not in err
