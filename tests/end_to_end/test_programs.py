"""Real programs through the command line: curl and nginx, redis-cli and redis-server, and the habits of nc.

`netbroker connect` and `listen` carry bytes between their standard streams and one socket of the broker, so that a
connection given as both streams is a relay: program -> netbroker -> broker -> server.
"""
import contextlib
import json
import os
import shutil
import socket
import subprocess
import threading

import pytest

from support import peers
from support.broker import BINARY, wait_until
from support.wire import DEADLINE

PACKAGES = {"curl": "curl", "nginx": "nginx-light", "redis-server": "redis-server", "redis-cli": "redis-tools"}


def program(name):
    path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    assert path, f"{name} is missing: apt-get install {PACKAGES[name]}"
    return path


@contextlib.contextmanager
def running(command, **options):
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=DEADLINE)


@pytest.fixture
def netbroker(broker):
    """Runs `netbroker` against the shared daemon; `start` leaves it running, until the test ends at the latest."""
    env = {**os.environ, "NETBROKER_SOCKET": str(broker.path)}
    children = []

    def run(*arguments, **options):
        options = {"input": b"", "capture_output": True, "timeout": 3 * DEADLINE, **options}
        return subprocess.run([str(BINARY), *arguments], env=env, **options)

    def start(*arguments, **options):
        children.append(subprocess.Popen([str(BINARY), *arguments], env=env, stderr=subprocess.PIPE, **options))
        return children[-1]

    run.start = start
    yield run
    for child in children:
        child.kill()
        child.wait()


@pytest.fixture
def nginx(folder):
    """nginx with one large file, on a Unix path and a port; gives (path, port, content)."""
    content = os.urandom(4 << 20)
    (folder / "large").write_bytes(content)
    os.chmod(folder, 0o755)
    taken, port = peers.refused_port()
    config = folder / "nginx.conf"
    config.write_text(f"""daemon off; master_process off; pid {folder}/pid; error_log stderr;
events {{}}
http {{ access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{ listen 127.0.0.1:{port}; listen unix:{folder}/nginx.sock; root {folder}; }} }}
""")
    with taken, running([program("nginx"), "-c", str(config), "-p", str(folder), "-e", "stderr"]):
        peers.wait_listening(port)
        yield f"{folder}/nginx.sock", port, content


@pytest.fixture
def redis(folder):
    """redis-server on a Unix path only."""
    path = folder / "redis.sock"
    with running([program("redis-server"), "--port", "0", "--unixsocket", str(path), "--save", "", "--appendonly", "no",
                  "--dir", str(folder)]):
        wait_until(path.exists, "the socket of redis")
        yield str(path)


@contextlib.contextmanager
def relay(netbroker, *destination):
    """A port whose every connection becomes the standard streams of a `netbroker connect`, as inetd would do it."""
    children = []

    def serve(listener):
        with contextlib.suppress(OSError):
            while True:
                peer, _ = listener.accept()
                with peer:
                    children.append(netbroker.start("connect", *destination, stdin=peer, stdout=peer))

    with socket.create_server((peers.LOOPBACK, 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        try:
            yield peers.port_of(listener)
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
    for child in children:
        errors = child.communicate(timeout=DEADLINE)[1]
        assert child.returncode == 0, errors


def fetch(port, *arguments):
    command = [program("curl"), "--silent", "--show-error", "--noproxy", "*", "--max-time", "20", *arguments,
               f"http://127.0.0.1:{port}/large"]
    run = subprocess.run(command, capture_output=True, timeout=3 * DEADLINE)
    assert run.returncode == 0, run.stderr
    return run.stdout


# ---- curl and nginx ----

def test_curl_fetches_from_nginx_through_connect(netbroker, nginx):
    _, port, content = nginx
    with relay(netbroker, f"127.0.0.1:{port}") as entry:
        assert fetch(entry) == content


def test_curl_fetches_from_nginx_on_a_unix_path_through_connect(netbroker, nginx):
    path, _, content = nginx
    with relay(netbroker, path) as entry:
        assert fetch(entry) == content


def test_curl_fetches_from_nginx_through_listen(netbroker, nginx):
    _, port, content = nginx
    taken, entry = peers.refused_port()
    with taken, peers.dial(port) as upstream:
        listening = netbroker.start("listen", str(entry), stdin=upstream, stdout=upstream)
        peers.wait_listening(entry)
    assert fetch(entry) == content
    errors = listening.communicate(timeout=DEADLINE)[1]
    assert listening.returncode == 0, errors


def test_curl_posts_nothing_lost_through_both(netbroker, nginx):
    """curl -> netbroker listen -> netbroker connect -> nginx, joined by one socketpair."""
    _, port, content = nginx
    taken, entry = peers.refused_port()
    near, far = socket.socketpair()
    with taken, near, far:
        listening = netbroker.start("listen", str(entry), stdin=near, stdout=near)
        connecting = netbroker.start("connect", f"127.0.0.1:{port}", stdin=far, stdout=far)
        peers.wait_listening(entry)
    assert fetch(entry) == content
    for child in (listening, connecting):
        errors = child.communicate(timeout=DEADLINE)[1]
        assert child.returncode == 0, errors


# ---- redis ----

def test_redis_cli_talks_to_redis_through_connect(netbroker, redis, folder):
    value = "v" * 1_000_000
    with relay(netbroker, redis) as entry:
        def cli(*arguments, **options):
            return subprocess.run([program("redis-cli"), "-h", "127.0.0.1", "-p", str(entry), *arguments], check=True,
                                  capture_output=True, text=True, timeout=3 * DEADLINE, **options).stdout.strip()
        assert cli("PING") == "PONG"
        assert cli("-x", "SET", "key", input=value) == "OK"
        assert cli("GET", "key") == value
        commands = "".join(f"INCR counter\n" for _ in range(1000))
        assert cli(input=commands).splitlines()[-1] == "1000"


# ---- connect and listen as nc ----

def test_connect_sends_standard_input_and_half_closes(netbroker):
    with peers.listener() as listener:
        child = netbroker.start("connect", f"127.0.0.1:{peers.port_of(listener)}", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        with peers.accept(listener) as peer:
            child.stdin.write(b"question")
            child.stdin.close()
            assert peers.read_to_end(peer) == b"question"
            peer.sendall(b"answer")
        assert child.stdout.read() == b"answer"
        child.stdout.close()
        assert (child.wait(DEADLINE), child.stderr.read()) == (0, b"")
        child.stderr.close()


def test_connect_ends_when_the_peer_has_ended(netbroker):
    with peers.listener() as listener:
        child = netbroker.start("connect", f"127.0.0.1:{peers.port_of(listener)}", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        with peers.accept(listener) as peer:
            peer.sendall(b"all there is")
        assert child.stdout.read() == b"all there is"
        child.stdout.close()
        child.stdin.close()
        assert child.wait(DEADLINE) == 0
        child.stderr.close()


def test_connect_carries_much_both_ways(netbroker):
    data = os.urandom(8 << 20)
    with peers.listener() as listener:
        def echo():
            with peers.accept(listener) as peer:
                while part := peer.recv(1 << 16):
                    peer.sendall(part)
        thread = threading.Thread(target=echo)
        thread.start()
        run = netbroker("connect", f"127.0.0.1:{peers.port_of(listener)}", input=data)
        thread.join()
    assert run.returncode == 0 and run.stdout == data, run.stderr


def test_listen_serves_one_connection(netbroker, folder):
    path = folder / "listen.sock"
    child = netbroker.start("listen", str(path), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    wait_until(path.exists, "the path of listen")
    with peers.dial(path) as peer:
        peer.sendall(b"question")
        peer.shutdown(socket.SHUT_WR)
        assert child.stdout.read(8) == b"question"
        child.stdin.write(b"answer")
        child.stdin.close()
        assert peers.read_to_end(peer) == b"answer"
    child.stdout.close()
    assert child.wait(DEADLINE) == 0
    child.stderr.close()
    wait_until(lambda: not path.exists(), "the path unlinked")


def test_connect_fails_with_a_message_and_a_status(netbroker):
    taken, port = peers.refused_port()
    with taken:
        run = netbroker("connect", f"127.0.0.1:{port}")
    assert run.returncode > 0 and run.stdout == b""
    assert b"ECONNREFUSED" in run.stderr and len(run.stderr.splitlines()) == 1


def test_no_broker_has_a_status_of_its_own(netbroker, folder):
    def status(socket_path, *arguments):
        return subprocess.run([str(BINARY), *arguments], env={**os.environ, "NETBROKER_SOCKET": str(socket_path)},
                              capture_output=True, stdin=subprocess.DEVNULL, timeout=DEADLINE)
    run = status(folder / "nobody", "call", "session.ping")
    refused = netbroker("call", "net.bogus")
    usage = netbroker("frobnicate")
    assert run.returncode > 0 and str(folder / "nobody").encode() in run.stderr
    assert len({run.returncode, refused.returncode, usage.returncode, 0}) == 4


# ---- call ----

def test_call_prints_the_result_as_json(netbroker):
    run = netbroker("call", "session.ping", '{"a": [1, "ü", true]}')
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == {"a": [1, "ü", True]}


def test_call_without_a_body(netbroker):
    run = netbroker("call", "session.info")
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["sockets"] == 0


def test_call_prints_an_error_on_stderr(netbroker):
    run = netbroker("call", "net.bogus", "{}")
    assert run.returncode > 0 and run.stdout == b""
    assert b"ERR_NB_UNKNOWN_METHOD" in run.stderr


def test_call_refuses_what_is_no_json(netbroker):
    run = netbroker("call", "session.ping", "{nonsense")
    assert run.returncode > 0 and run.stdout == b"" and run.stderr


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_help_and_version(netbroker, flag):
    run = netbroker(flag)
    assert run.returncode == 0 and run.stdout and not run.stderr


def test_serve_has_help(netbroker):
    run = netbroker("serve", "--help")
    assert run.returncode == 0 and b"--socket" in run.stdout and b"--workers" in run.stdout
