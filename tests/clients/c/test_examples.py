"""The programs of examples/c do what they say, against the daemon."""
import contextlib
import http.server
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from support import peers  # noqa: E402
from support.broker import Broker  # noqa: E402
from support.wire import DEADLINE  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[3]
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


@contextlib.contextmanager
def serving(environment, name, *arguments):
    """(the program, the port that it listens on)"""
    command = [EXAMPLES / f"example-{name}", *map(str, arguments)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as program:
        try:
            line = program.stdout.readline()
            assert line.startswith("listening on "), line
            yield program, int(line.rpartition(":")[2])
        finally:
            program.kill()


def test_echo_server(environment):
    with serving(environment, "echo_server", 0) as (_, port), peers.dial(port) as peer:
        text = os.urandom(1 << 20)
        writer = threading.Thread(target=lambda: (peer.sendall(text), peer.shutdown(1)))
        writer.start()
        assert peers.read_to_end(peer) == text
        writer.join()


def test_echo_server_on_a_path(environment, tmp_path):
    path = str(tmp_path / "echo.sock")
    with subprocess.Popen([EXAMPLES / "example-echo_server", path], env=environment, stdout=subprocess.PIPE, text=True) as program:
        try:
            assert program.stdout.readline() == f"listening on {path}\n"
            with socket.socket(socket.AF_UNIX) as peer:
                peer.settimeout(DEADLINE)
                peer.connect(path)
                peer.sendall(b"hello")
                assert peers.read_exactly(peer, 5) == b"hello"
        finally:
            program.kill()


def test_chat(environment):
    with serving(environment, "chat") as (_, port), peers.dial(port) as ada, peers.dial(port) as ben:
        heard_by_ada, heard_by_ben = ada.makefile("rb"), ben.makefile("rb")
        ada.sendall(b"Ada\n")
        assert heard_by_ada.readline() == b"Your name? * here: Ada\n"
        ben.sendall(b"Ben\n")
        assert heard_by_ben.readline() in (b"Your name? * here: Ben Ada\n", b"Your name? * here: Ada Ben\n")
        assert heard_by_ada.readline() == b"* Ben has come\n"
        ada.sendall(b"hel")
        ada.sendall(b"lo\r\n")
        assert heard_by_ben.readline() == b"Ada: hello\n"
        heard_by_ada.close()
        ada.close()
        assert heard_by_ben.readline() == b"* Ada has gone\n"
        heard_by_ben.close()


def test_proxy(environment):
    blocked = "127.0.0.2", "127.0.3.0/24", "127.0.4.1-127.0.4.9"
    with serving(environment, "echo_server", 0) as (_, target), serving(
            environment, "proxy", 0, "127.0.0.1", target, *blocked) as (program, port):
        with peers.dial(port) as peer:
            text = os.urandom(1 << 20)
            writer = threading.Thread(target=lambda: (peer.sendall(text), peer.shutdown(1)))
            writer.start()
            assert peers.read_to_end(peer) == text
            writer.join()
        for source in ("127.0.0.2", "127.0.3.7", "127.0.4.5"):
            with socket.create_connection(("127.0.0.1", port), DEADLINE, (source, 0)) as peer:
                with contextlib.suppress(ConnectionResetError):
                    assert peer.recv(1) == b""
                assert program.stdout.readline() == f"turned away: {source}\n"


def test_proxy_says_which_rule_is_none(environment):
    assert b"nonsense" in run(environment, "proxy", 0, "127.0.0.1", 1, "nonsense", status=1)


def answers(port, count):
    """What whoever listens there answers to so many."""
    for _ in range(count):
        with peers.dial(port) as peer:
            yield peers.read_to_end(peer).decode().strip()


def test_a_listener_is_shared_with_other_languages(environment):
    python = {**environment, "PYTHONPATH": str(ROOT / "clients" / "python")}
    command = [sys.executable, "-u", ROOT / "examples" / "python" / "shared_listener.py", "ours"]
    with serving(environment, "shared_listener", "ours") as (program, port), subprocess.Popen(
            command, env=python, stdout=subprocess.PIPE, text=True) as other:
        try:
            assert f"{port})" in other.stdout.readline()
            assert sorted(answers(port, 4)) == ["C", "C", "Python", "Python"]
            program.kill()
            program.wait()
            assert list(answers(port, 2)) == ["Python", "Python"]
        finally:
            other.kill()


@pytest.mark.parametrize("words", [["ask"], ["shout"], ["fetch", "127.0.0.1", "1", "/"], ["chat"], ["echo_server", "0"],
                                   ["proxy", "0", "127.0.0.1", "1"], ["shared_listener", "ours"]], ids=lambda words: words[0])
def test_without_a_broker_each_says_so(tmp_path, words):
    nowhere = tmp_path / "none"
    said = run({**os.environ, "NETBROKER_SOCKET": str(nowhere)}, *words, status=1).decode()
    assert said == (f"no broker answers at {nowhere} (from NETBROKER_SOCKET): No such file or directory; "
                    f"start one with netbroker serve --socket {nowhere}\n")


def test_without_a_word_where_the_broker_is_they_say_what_to_set():
    environment = {name: value for name, value in os.environ.items() if name not in ("NETBROKER_SOCKET", "XDG_RUNTIME_DIR")}
    assert b"set NETBROKER_SOCKET" in run(environment, "ask", status=1)
