"""The client subcommands of the program, against the daemon, with plain sockets and curl as peers."""
import base64
import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from support import peers  # noqa: E402
from support.broker import BINARY, Broker, wait_until  # noqa: E402
from support.wire import DEADLINE  # noqa: E402

USAGE, NO_BROKER, REFUSED, LOCAL, NO = 1, 2, 3, 4, 5


@pytest.fixture(scope="module")
def daemon():
    with tempfile.TemporaryDirectory(prefix="nb-cli-") as path, Broker(f"{path}/broker.sock") as running:
        yield running


@pytest.fixture(autouse=True)
def leaves_nothing(daemon):
    """Every subcommand ends its session with itself."""
    fds = daemon.open_fds()
    yield
    assert daemon.alive() and not daemon.complaints(), "\n".join(daemon.stderr[-40:])
    wait_until(lambda: daemon.open_fds() <= fds, f"the daemon's open descriptors back at {fds}")


def command(daemon, *arguments):
    name, *rest = arguments
    return [str(BINARY), name, "--socket", str(daemon.path), *map(str, rest)]


def run(daemon, *arguments, data=b"", status=0):
    """Runs a subcommand to its end; stdout and stderr."""
    done = subprocess.run(command(daemon, *arguments), input=data, capture_output=True, timeout=3 * DEADLINE)
    assert done.returncode == status, done.stderr
    assert b"Sanitizer" not in done.stderr and b"runtime error" not in done.stderr, done.stderr.decode()
    return done.stdout, done.stderr


@contextlib.contextmanager
def running(daemon, *arguments, **options):
    """A subcommand with pipes; killed at the end if it is still there."""
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    with subprocess.Popen(command(daemon, *arguments), **options) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


@contextlib.contextmanager
def listening(daemon, *arguments, **options):
    """`netbroker listen` on a port of its own; the process and the port."""
    with running(daemon, "listen", "--json", *arguments, "127.0.0.1:0", **options) as process:
        yield process, json.loads(process.stderr.readline())["listening"]["port"]


def call(daemon, *arguments):
    return json.loads(run(daemon, "call", *arguments)[0])


# ---- usage ----

@pytest.mark.parametrize("arguments", [
    ["call"], ["call", "a", "1", "{}", "more"], ["call", "session.ping", "{"], ["call", "session.ping", "{}", "more"],
    ["call", "session.ping", '{"a": 1, "a": 2}'], ["call", "session.ping", '{"$binary": "!!!!"}'],
    ["call", "--keep-open", "session.ping"], ["call", "--nonsense", "session.ping"],
    ["connect"], ["connect", "nonsense"], ["connect", "host:99999"], ["connect", "host:"], ["connect", "host:-1"],
    ["listen"], ["listen", "99999"], ["listen", "x"], ["events", "session.ping", "nonsense"],
    ["ip"], ["ip", "::1", "::2"], ["ip", "--list", "x", "::1"], ["block", "test"], ["block", "test", "::1"],
    ["block", "test", "x", "--name", "y"], ["block", "add", "::1", "--name", "y"],
    ["block", "test", "::1", "--name", "y", "--list", "z"], ["block", "--family", "4", "test", "::1"],
])
def test_wrong_arguments_are_told_and_do_nothing(daemon, arguments):
    out, err = run(daemon, *arguments, status=USAGE)
    assert not out and err


@pytest.mark.parametrize("name", ["call", "events", "connect", "listen", "block", "ip"])
def test_help_names_options_and_statuses(daemon, name):
    out, err = run(daemon, name, "--help")
    assert b"--socket" in out and b"exit status" in out and not err


def test_the_program_lists_the_subcommands():
    listed = subprocess.run([BINARY, "--help"], capture_output=True, timeout=DEADLINE, check=True).stdout
    assert all(name in listed for name in (b"call", b"events", b"connect", b"listen", b"block", b" ip "))


@pytest.mark.parametrize("arguments", [["call", "session.ping"], ["events"], ["connect", "h:1"], ["listen", "0"],
                                       ["block", "test", "::1", "--name", "x"]])
def test_no_broker_has_a_status_of_its_own(arguments, tmp_path):
    name, *rest = arguments
    done = subprocess.run([BINARY, name, "--socket", tmp_path / "none", *rest], capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=DEADLINE)
    assert done.returncode == NO_BROKER and b"No such file" in done.stderr


def test_the_broker_is_found_by_the_environment(daemon):
    bare = {name: value for name, value in os.environ.items() if name not in ("NETBROKER_SOCKET", "XDG_RUNTIME_DIR")}
    ping = [BINARY, "call", "session.ping", "{}"]
    found = subprocess.run(ping, env={**bare, "NETBROKER_SOCKET": str(daemon.path)}, capture_output=True, timeout=DEADLINE)
    assert found.returncode == 0
    lost = subprocess.run(ping, env=bare, capture_output=True, timeout=DEADLINE)
    assert lost.returncode == NO_BROKER and b"NETBROKER_SOCKET" in lost.stderr


# ---- call ----

def test_call_carries_every_json_value(daemon):
    value = {"a": [1, -5, 2.5, None, True, False, "x\u00e9\u0000y", {"$binary": "AAEC/w=="}], "b": {}, "c": [],
             "big": 2**53 - 1, "low": -2**31}
    assert call(daemon, "session.ping", json.dumps(value)) == value


def test_call_gives_one_line_with_json(daemon):
    out, _ = run(daemon, "call", "--json", "session.info")
    assert out.count(b"\n") == 1 and json.loads(out)["sockets"] == 0


def test_call_reports_the_brokers_error(daemon):
    out, err = run(daemon, "call", "socket.write", "7", '"x"', status=REFUSED)
    assert not out and b"ERR_NB_NO_SUCH_TARGET" in err
    _, err = run(daemon, "call", "--json", "nonsense.method", status=REFUSED)
    assert json.loads(err)["error"]["code"] == "ERR_NB_UNKNOWN_METHOD"


def test_call_connects_and_reports_what_the_system_says(daemon):
    reserved, port = peers.refused_port()
    with reserved:
        body = json.dumps({"host": "127.0.0.1", "port": port})
        _, err = run(daemon, "call", "--json", "net.createConnection", "1", body, status=REFUSED)
    error = json.loads(err)["error"]
    assert (error["code"], error["syscall"], error["port"]) == ("ECONNREFUSED", "connect", port)


# ---- events ----

def lines(out):
    return [json.loads(line) for line in out.splitlines()]


def test_events_runs_a_script_and_ends_when_nothing_is_open(daemon):
    with peers.listener() as listener:
        def answer():
            with peers.accept(listener) as peer:
                peer.sendall(peers.read_to_end(peer).upper())
        thread = threading.Thread(target=answer)
        thread.start()
        script = (f'# a comment\nnet.createConnection 1 {{"host": "127.0.0.1", "port": {peers.port_of(listener)}, '
                  '"allowHalfOpen": true}\n\nsocket.end 1 "hello"')
        out, _ = run(daemon, "events", "--json", data=script.encode())
        thread.join()
    events = lines(out)
    names = [entry["event"] for entry in events if "event" in entry]
    assert [name for name in names if name != "session.idle"] == [
        "socket.connect", "socket.ready", "socket.data", "socket.end", "socket.close"]
    assert {entry["reply"] for entry in events if "reply" in entry} == {"net.createConnection", "socket.end"}
    data = next(entry["body"]["$binary"] for entry in events if entry.get("event") == "socket.data")
    assert base64.b64decode(data) == b"HELLO"


def test_events_takes_its_first_request_from_the_arguments(daemon):
    with running(daemon, "events", "--json", "net.createServer", "1") as process:
        assert json.loads(process.stdout.readline())["reply"] == "net.createServer"
        process.stdin.write(b'server.listen 1 {"host": "127.0.0.1", "port": 0}\n')
        process.stdin.flush()
        listening_event = json.loads(process.stdout.readline())
        assert listening_event["event"] == "server.listening"
        process.stdin.close()
        with peers.dial(listening_event["body"]["port"]):
            while "server.connection" not in (line := process.stdout.readline().decode()):
                assert line
        process.send_signal(signal.SIGTERM)
        process.wait(DEADLINE)


def test_events_goes_on_after_an_error_and_tells_in_the_end(daemon):
    out, _ = run(daemon, "events", data=b"nonsense.method\nsession.ping {}\n", status=REFUSED)
    assert b"! nonsense.method 0" in out and b"= session.ping 0 {}" in out


def test_a_line_without_end_is_refused(daemon):
    _, err = run(daemon, "events", data=b"x" * (2 << 20), status=USAGE)
    assert b"line of more than" in err


# ---- connect ----

def noise(size):
    return random.Random(size).randbytes(size)


def serve_once(handle, address=(peers.LOOPBACK, 0)):
    """A thread that handles one connection of a new listener; the listener."""
    listener = peers.listener(address)

    def serve():
        with listener, peers.accept(listener) as peer:
            handle(peer)
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return listener, thread


def test_connect_sends_stdin_and_its_end_and_prints_what_comes(daemon):
    heard = bytearray()

    def handle(peer):
        heard.extend(peers.read_to_end(peer))
        peer.sendall(b"answer after your end")
    listener, thread = serve_once(handle)
    out, err = run(daemon, "connect", f"127.0.0.1:{peers.port_of(listener)}", data=b"question")
    thread.join(DEADLINE)
    assert bytes(heard) == b"question" and out == b"answer after your end" and not err


def test_the_peers_end_closes_stdout_while_stdin_goes_on(daemon):
    ended = threading.Event()
    heard = bytearray()

    def handle(peer):
        peer.sendall(b"all I have")
        peer.shutdown(socket.SHUT_WR)
        ended.wait(DEADLINE)
        heard.extend(peers.read_to_end(peer))
    listener, thread = serve_once(handle)
    with running(daemon, "connect", f"127.0.0.1:{peers.port_of(listener)}") as process:
        assert process.stdout.read() == b"all I have"
        assert process.poll() is None
        process.stdin.write(b"and still")
        process.stdin.close()
        ended.set()
        assert process.wait(DEADLINE) == 0
    thread.join(DEADLINE)
    assert bytes(heard) == b"and still"


def test_one_socket_may_be_both_stdin_and_stdout(daemon):
    """As an inetd or socat gives it: closing stdout alone would not end the socket that stdin holds open."""
    heard = bytearray()

    def handle(peer):
        peer.sendall(b"all I have")
        peer.shutdown(socket.SHUT_WR)
        heard.extend(peers.read_to_end(peer))
    listener, thread = serve_once(handle)
    ours, theirs = socket.socketpair()
    with ours, running(daemon, "connect", f"127.0.0.1:{peers.port_of(listener)}", stdin=theirs, stdout=theirs) as process:
        theirs.close()
        ours.settimeout(DEADLINE)
        assert peers.read_to_end(ours) == b"all I have"
        ours.sendall(b"and still")
        ours.shutdown(socket.SHUT_WR)
        assert process.wait(DEADLINE) == 0
    thread.join(DEADLINE)
    assert bytes(heard) == b"and still"


def test_connect_carries_a_lot_both_ways_at_once(daemon):
    data = noise(16 << 20)

    def echo(peer):
        while part := peer.recv(1 << 16):
            peer.sendall(part)
    listener, thread = serve_once(echo)
    out, _ = run(daemon, "connect", f"127.0.0.1:{peers.port_of(listener)}", data=data)
    thread.join(DEADLINE)
    assert out == data


def test_connect_reaches_a_unix_socket(daemon, tmp_path):
    path = tmp_path / "peer"
    listener, thread = serve_once(lambda peer: peer.sendall(peers.read_to_end(peer)[::-1]), path)
    out, _ = run(daemon, "connect", path, data=b"abc")
    thread.join(DEADLINE)
    assert out == b"cba"


def test_connect_reports_a_refusal(daemon):
    reserved, port = peers.refused_port()
    with reserved:
        _, err = run(daemon, "connect", f"127.0.0.1:{port}", status=REFUSED)
        assert b"ECONNREFUSED" in err
        _, err = run(daemon, "connect", "--json", f"127.0.0.1:{port}", status=REFUSED)
        assert json.loads(err)["error"]["port"] == port


def test_connect_reports_a_reset(daemon):
    def handle(peer):
        peer.sendall(b"first")
        peers.read_exactly(peer, 1)
        peers.reset(peer)
    listener, thread = serve_once(handle)
    with running(daemon, "connect", f"127.0.0.1:{peers.port_of(listener)}") as process:
        assert process.stdout.read(5) == b"first"
        process.stdin.write(b"x")
        process.stdin.flush()
        assert process.wait(DEADLINE) == REFUSED
        assert b"ECONNRESET" in process.stderr.read()
    thread.join(DEADLINE)


def test_connect_of_one_family_only(daemon):
    listener, thread = serve_once(lambda peer: peer.sendall(b"four"))
    out, err = run(daemon, "connect", "-4", "-v", f"localhost:{peers.port_of(listener)}")
    thread.join(DEADLINE)
    assert out == b"four" and b"connected to 127.0.0.1" in err and b"closed" in err


def test_a_slow_reader_of_stdout_stops_the_peer(daemon):
    """Nobody reads the pipe: the peer must get stuck, with a bounded amount on the way."""
    sent, stuck = [0], threading.Event()

    def handle(peer):
        peer.settimeout(1)
        with contextlib.suppress(TimeoutError):
            while sent[0] < 256 << 20:
                sent[0] += peer.send(bytes(1 << 16))
        stuck.set()
    listener, thread = serve_once(handle)
    with running(daemon, "connect", f"127.0.0.1:{peers.port_of(listener)}") as process:
        assert stuck.wait(3 * DEADLINE)
        memory = int(pathlib.Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        assert sent[0] < 64 << 20, "the peer was never stopped"
        assert memory < 64 << 20 or b"__asan_init" in BINARY.read_bytes()
        process.stdin.close()
        assert len(process.stdout.read()) == sent[0]
        assert process.wait(DEADLINE) == 0
    thread.join(DEADLINE)


def test_a_peer_that_does_not_read_stops_stdin(daemon):
    go = threading.Event()
    heard = []

    def handle(peer):
        go.wait(3 * DEADLINE)
        heard.append(len(peers.read_to_end(peer)))
    listener, thread = serve_once(handle)
    with running(daemon, "connect", f"127.0.0.1:{peers.port_of(listener)}") as process:
        os.set_blocking(process.stdin.fileno(), False)
        written = 0
        idle = 0
        while idle < 100 and written < 256 << 20:
            try:
                written += os.write(process.stdin.fileno(), bytes(1 << 16))
                idle = 0
            except BlockingIOError:
                idle += 1
                threading.Event().wait(0.01)
        assert written < 64 << 20, "stdin was never stopped"
        process.stdin.close()
        go.set()
        assert process.wait(3 * DEADLINE) == 0
    thread.join(DEADLINE)
    assert heard == [written]


def test_a_closed_stdout_is_a_local_failure(daemon):
    listener, thread = serve_once(lambda peer: peer.sendall(b"x" * 1000))
    with open("/dev/full", "wb") as full, running(
            daemon, "connect", f"127.0.0.1:{peers.port_of(listener)}", stdout=full) as process:
        assert process.wait(DEADLINE) == LOCAL
        assert b"stdout" in process.stderr.read()
    thread.join(DEADLINE)


def test_losing_the_broker_has_its_status(tmp_path):
    with tempfile.TemporaryDirectory(prefix="nb-cli-") as path:
        broker = Broker(f"{path}/broker.sock")
        with peers.listener() as listener, running(
                broker, "connect", f"127.0.0.1:{peers.port_of(listener)}") as process:
            peers.accept(listener).close()
            broker.kill()
            assert process.wait(DEADLINE) == NO_BROKER
            assert process.stderr.read().startswith(b"netbroker: ECONNRESET")


# ---- listen ----

def test_listen_joins_one_connection(daemon):
    with listening(daemon) as (process, port):
        with peers.dial(port) as peer:
            peer.sendall(b"to you")
            assert process.stdout.read(6) == b"to you"
            process.stdin.write(b"to me")
            process.stdin.close()
            assert peers.read_to_end(peer) == b"to me"
            peer.sendall(b", after your end")
            peer.shutdown(socket.SHUT_WR)
            assert process.stdout.read() == b", after your end"
            assert process.wait(DEADLINE) == 0
        with pytest.raises(ConnectionRefusedError):
            peers.dial(port)


def test_listen_on_a_path_unlinks_it(daemon, tmp_path):
    path = tmp_path / 'here "quoted"'
    with running(daemon, "listen", "--json", path) as process:
        assert json.loads(process.stderr.readline()) == {"listening": {"path": str(path)}}
        process.stdin.close()
        with peers.dial(path) as peer:
            assert peers.read_to_end(peer) == b""
            peer.sendall(b"x")
        assert process.stdout.read() == b"x"
        assert process.wait(DEADLINE) == 0
    assert not path.exists()


def test_keep_open_takes_one_after_another(daemon):
    with listening(daemon, "--keep-open") as (process, port):
        process.stdin.close()
        with peers.dial(port) as first, peers.dial(port) as second:
            second.sendall(b"second")
            first.sendall(b"first,")
            assert process.stdout.read(6) == b"first,"
            first.close()
            assert process.stdout.read(6) == b"second"
            second.shutdown(socket.SHUT_WR)
            assert peers.read_to_end(second) == b""
        assert process.poll() is None


def test_keep_open_ends_with_the_peer_though_stdin_is_open(daemon):
    with listening(daemon, "-k") as (process, port):
        for text in (b"one", b"two"):
            with peers.dial(port) as peer:
                peer.sendall(text)
                peer.shutdown(socket.SHUT_WR)
                assert process.stdout.read(3) == text
                assert peers.read_to_end(peer) == b""


def test_listen_reports_a_port_in_use(daemon):
    with peers.listener() as taken:
        _, err = run(daemon, "listen", f"127.0.0.1:{peers.port_of(taken)}", status=REFUSED)
    assert b"EADDRINUSE" in err


def test_two_of_them_talk_to_each_other(daemon):
    there, back = noise(4 << 20), noise(3 << 20)
    with listening(daemon) as (process, port):
        def feed():
            process.stdin.write(back)
            process.stdin.close()
        writer = threading.Thread(target=feed)
        writer.start()
        heard = []
        reader = threading.Thread(target=lambda: heard.append(process.stdout.read()))
        reader.start()
        out, _ = run(daemon, "connect", f"127.0.0.1:{port}", data=there)
        assert process.wait(DEADLINE) == 0
        writer.join()
        reader.join()
    assert out == back and heard == [there]


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_curl_is_served_by_hand(daemon):
    with listening(daemon) as (process, port):
        curl = subprocess.Popen(["curl", "-sS", "--max-time", str(int(DEADLINE)), f"http://127.0.0.1:{port}/page"],
                                stdout=subprocess.PIPE)
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            request += os.read(process.stdout.fileno(), 4096)
        assert request.startswith(b"GET /page HTTP/1.1")
        process.stdin.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
        process.stdin.close()
        assert curl.communicate(timeout=DEADLINE)[0] == b"hello" and curl.returncode == 0
        assert process.wait(DEADLINE) == 0


def test_a_request_by_hand_over_connect(daemon):
    """What curl would have sent, through `connect`, to a plain HTTP server."""
    import http.server
    handler = type("Handler", (http.server.BaseHTTPRequestHandler,), {
        "do_GET": lambda self: (self.send_response(200), self.end_headers(), self.wfile.write(b"body")),
        "log_message": lambda self, *_: None})
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        out, _ = run(daemon, "connect", f"127.0.0.1:{server.server_port}", data=b"GET / HTTP/1.0\r\n\r\n")
        thread.join(DEADLINE)
    assert out.startswith(b"HTTP/1.0 200") and out.endswith(b"body")


# ---- block, ip ----

@pytest.fixture
def rules(tmp_path):
    path = tmp_path / "rules.txt"
    path.write_text("10.0.0.0/8\n2001:db8::1-2001:db8::9  # a range\n192.0.2.7\n")
    return path


def test_block_test_says_which_rule_of_a_file(daemon, rules):
    out, _ = run(daemon, "block", "test", "10.1.2.3", "--list", rules, status=NO)
    assert out == b"10.1.2.3 is blocked\n  Subnet: IPv4 10.0.0.0/8\n  from 10.0.0.0 to 10.255.255.255\n"
    out, _ = run(daemon, "block", "test", "::FFFF:192.0.2.7", "--list", rules, status=NO)
    assert out == b"::ffff:192.0.2.7, which is 192.0.2.7, is blocked\n  Address: IPv4 192.0.2.7\n"
    out, _ = run(daemon, "block", "--json", "test", "2001:db8::9%eth0", "--list", rules, status=NO)
    assert json.loads(out) == {"address": "2001:db8::9", "blocked": True, "first": "2001:db8::1", "last": "2001:db8::9",
                               "rule": "Range: IPv6 2001:db8::1-2001:db8::9"}
    assert run(daemon, "block", "test", "11.1.2.3", "--list", rules)[0] == b"11.1.2.3 is not blocked\n"
    assert json.loads(run(daemon, "block", "test", "-j", "::1", "--list", rules)[0]) == {"address": "::1", "blocked": False}


def test_block_test_reads_json(daemon, tmp_path):
    (tmp_path / "rules.json").write_text('["Subnet: IPv6 2001:db8::/32"]')
    run(daemon, "block", "test", "2001:db8::1", "--list", tmp_path / "rules.json", status=NO)


def test_a_file_that_is_no_list(daemon, rules, tmp_path):
    rules.write_text("10.0.0.0/8\n10.0.0.0/99\n")
    out, err = run(daemon, "block", "test", "10.0.0.1", "--list", rules, status=LOCAL)
    assert not out and f"{rules}:2: ".encode() in err
    assert b"No such file" in run(daemon, "block", "test", "::1", "--list", tmp_path / "none", status=LOCAL)[1]


def test_block_test_asks_the_broker(daemon):
    with running(daemon, "events", "--json") as keeper:
        keeper.stdin.write(b'blockList.create 1 {"name": "cli"}\nblockList.addRules 1 {"rules": ["10.0.0.0/8"]}\n')
        keeper.stdin.flush()
        assert all(json.loads(keeper.stdout.readline())["result"] is not None for _ in range(2))
        assert b"Subnet: IPv4 10.0.0.0/8\n" in run(daemon, "block", "test", "10.1.1.1", "--name", "cli", status=NO)[0]
        run(daemon, "block", "test", "::1", "--name", "cli")
        keeper.stdin.close()
        assert keeper.wait(DEADLINE) == 0
    assert b"ENOENT" in run(daemon, "block", "test", "::1", "--name", "cli", status=REFUSED)[1]


@pytest.mark.parametrize("text, expected", [
    ("127.0.0.1", {"family": "IPv4", "address": "127.0.0.1", "scope": "loopback"}),
    ("0.0.0.0", {"family": "IPv4", "address": "0.0.0.0", "scope": "unspecified"}),
    ("8.8.8.8", {"family": "IPv4", "address": "8.8.8.8", "scope": "global"}),
    ("2001:0DB8::01", {"family": "IPv6", "address": "2001:db8::1", "scope": "documentation"}),
    ("fe80::1%eth0", {"family": "IPv6", "address": "fe80::1", "zone": "eth0", "scope": "link-local"}),
    ("::ffff:a9fe:1", {"family": "IPv6", "address": "::ffff:169.254.0.1", "mapped": "169.254.0.1", "scope": "link-local"}),
    ("2a00::1", {"family": "IPv6", "address": "2a00::1", "scope": "global"}),
    ("172.16.5.6/12", {"family": "IPv4", "address": "172.16.5.6", "subnet": "172.16.0.0/12", "prefix": 12,
                       "first": "172.16.0.0", "last": "172.31.255.255", "scope": "private"}),
    ("ff00::/8", {"family": "IPv6", "address": "ff00::", "subnet": "ff00::/8", "prefix": 8, "first": "ff00::",
                  "last": "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "scope": "multicast"}),
    ("8.8.8.0/24", {"family": "IPv4", "address": "8.8.8.0", "subnet": "8.8.8.0/24", "prefix": 24, "first": "8.8.8.0",
                    "last": "8.8.8.255", "scope": "global"}),
    ("0.0.0.0/0", {"family": "IPv4", "address": "0.0.0.0", "subnet": "0.0.0.0/0", "prefix": 0, "first": "0.0.0.0",
                   "last": "255.255.255.255", "scope": "several"}),
])
def test_ip_says_what_it_is(daemon, text, expected):
    assert json.loads(run(daemon, "ip", "--json", text)[0]) == expected
    lines = run(daemon, "ip", text)[0].decode().splitlines()
    assert dict(line.split(None, 1) for line in lines) == {key: str(value) for key, value in expected.items()}


@pytest.mark.parametrize("text", ["", "localhost", "127.1", "010.0.0.1", "::1::", "10.0.0.0/33", "::/129", "fe80::1%", "1.2.3.4 "])
def test_ip_of_what_is_none(daemon, text):
    out, err = run(daemon, "ip", text, status=NO)
    assert not out and b"neither" in err
