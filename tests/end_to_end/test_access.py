"""Who may talk to the daemon and what for, and where its settings come from. protocol.md 1.5."""
import json
import os
import subprocess
import sys

import pytest

from support import peers
from support.wire import Session

NOBODY = 65534
AS_NOBODY = """
import json, os, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
sys.path[:0] = json.loads(sys.argv[1])
from support.wire import Session
try:
    session = Session(sys.argv[2])
except OSError as error:
    print(json.dumps({"connect": type(error).__name__})); raise SystemExit
answers = []
try:
    for method, target, body in json.loads(sys.argv[3]):
        error = session.response(session.send(method, target, body))[2]
        answers.append(error["code"] if error else "ok")
except (EOFError, BrokenPipeError):
    session.expect_eof()
    answers.append("eof")
print(json.dumps({"answers": answers, "errors": [body["code"] for [body] in session.events("session.error")]}))
"""

root_only = pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")


@pytest.fixture
def open_folder(folder):
    os.chmod(folder, 0o755)
    return folder


def as_nobody(path, *requests):
    run = subprocess.run([sys.executable, "-c", AS_NOBODY, json.dumps(sys.path), str(path), json.dumps(requests)],
                         capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_the_kernel_says_who_the_peer_is(session):
    peer = session.request("session.hello", 0, {})["peer"]
    assert peer == {"uid": os.getuid(), "gid": os.getgid(), "pid": os.getpid()}


@root_only
def test_another_uid_is_kept_out(start_broker, open_folder):
    start_broker(open_folder / "broker.sock")
    answer = as_nobody(open_folder / "broker.sock", ["session.ping", 0, {}])
    assert answer.get("connect") == "PermissionError" or answer["answers"] == ["eof"]


@root_only
def test_another_uid_is_kept_out_even_when_the_file_lets_it_in(start_broker, open_folder):
    path = open_folder / "broker.sock"
    start_broker(path)
    os.chmod(path, 0o666)
    answer = as_nobody(path, ["session.ping", 0, {}])
    assert answer["answers"] == ["eof"] and answer["errors"] == ["ERR_NB_POLICY"]


@root_only
def test_an_allowed_uid_may_connect_but_not_bind(start_broker, open_folder):
    path = open_folder / "broker.sock"
    start_broker(path, "--allow-uid", str(NOBODY))
    with peers.listener() as listener, peers.listener(open_folder / "peer"):
        answer = as_nobody(path, ["session.ping", 0, {}],
                           ["net.createConnection", 1, {"port": peers.port_of(listener), "host": peers.LOOPBACK}],
                           ["net.createConnection", 3, {"path": str(open_folder / "peer")}],
                           ["net.createConnection", 5, {"port": 1, "host": peers.LOOPBACK}],
                           ["server.create", 7, {}], ["server.listen", 7, {"port": 0, "host": peers.LOOPBACK}],
                           ["server.listen", 7, {"path": str(open_folder / "server")}])
    assert answer["answers"] == ["ok", "ok", "ERR_NB_POLICY", "ERR_NB_POLICY", "ok", "ERR_NB_POLICY", "ERR_NB_POLICY"]


@root_only
@pytest.mark.parametrize("right, request_, answer", [
    ("bind", ["server.listen", 1, {"port": 0, "host": "127.0.0.1"}], "ok"),
    ("unix", ["net.createConnection", 3, {"path": "/nonexistent"}], "ENOENT"),
    ("low-ports", ["net.createConnection", 3, {"port": 1, "host": "127.0.0.1"}], "ECONNREFUSED")])
def test_a_right_lifts_its_denial(start_broker, open_folder, right, request_, answer):
    path = open_folder / "broker.sock"
    start_broker(path, "--allow-uid", f"{NOBODY}:{right}")
    assert as_nobody(path, ["server.create", 1, {}], request_)["answers"] == ["ok", answer]


CROWD = """
import json, os, sys
sys.path[:0] = json.loads(sys.argv[1])
from support.wire import Session
os.setgroups([]); os.setgid(65534); os.setuid(65534)
def is_let_in():
    with Session(sys.argv[2]) as session:
        try:
            return session.request("session.ping") == {}
        except (EOFError, BrokenPipeError):
            return False
sessions = [Session(sys.argv[2]) for _ in range(4)]
for session in sessions[:3]:
    session.request("session.ping")
print(json.dumps(sessions[3].expect_event("session.error")), flush=True)
sessions[3].expect_eof()
sessions[0].request("session.close")
sessions[0].expect_eof()
while not is_let_in():
    pass
sys.stdin.read()
"""


@root_only
def test_a_uid_cannot_take_all_sessions(start_broker, open_folder):
    path = open_folder / "broker.sock"
    start_broker(path, "--allow-uid", str(NOBODY), "--limit", "maxSessions=4", "--limit", "maxUidSessions=3")
    with subprocess.Popen([sys.executable, "-c", CROWD, json.dumps(sys.path), str(path)],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as crowd:
        error = json.loads(crowd.stdout.readline())
        assert (error["code"], error["limit"], error["fatal"]) == ("ERR_NB_LIMIT", "maxUidSessions", True)
        with Session(path) as session:
            session.request("session.ping")
        crowd.communicate("", timeout=60)
    assert crowd.returncode == 0


# ---- settings ----

def closing_deadline(broker):
    with Session(broker.path) as session:
        session.request("session.ping", 0, {})
        broker.terminate()
        deadline = session.expect_event("session.closing")["deadline"]
    broker.wait()
    return deadline


@pytest.fixture
def config(folder):
    path = folder / "netbroker.ini"
    path.write_text("[netbroker]\nstop-deadline = 1111\n")
    return str(path)


def test_a_setting_from_the_command_line(start_broker):
    assert 1000 < closing_deadline(start_broker(None, "--stop-deadline", "1234")) <= 1234


def test_a_setting_from_the_environment(start_broker):
    assert 1235 < closing_deadline(start_broker(env={"NETBROKER_STOP_DEADLINE": "2345"})) <= 2345


def test_a_setting_from_the_file(start_broker, config):
    assert 1000 < closing_deadline(start_broker(None, "--config", config)) <= 1111


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(start_broker, config, folder):
    env = {"NETBROKER_STOP_DEADLINE": "2345"}
    assert closing_deadline(start_broker(folder / "a", "--config", config, env=env)) > 1111
    flags = ("--config", config, "--stop-deadline", "567")
    assert closing_deadline(start_broker(folder / "b", *flags, env=env)) <= 567


@pytest.mark.parametrize("flags", [("--frobnicate",), ("--workers", "none"), ("--workers", "-1"), ("--stop-deadline", "x"),
                                   ("--config", "/nonexistent/file"), ("--log-level", "loud"), ("surplus",)])
def test_a_wrong_setting_is_refused_at_the_start(start_broker, flags):
    with pytest.raises(RuntimeError):
        start_broker(None, *flags)


def test_a_wrong_line_of_the_file_is_refused_at_the_start(start_broker, folder):
    (folder / "wrong.ini").write_text("[netbroker]\nfrobnicate = 1\n")
    with pytest.raises(RuntimeError):
        start_broker(None, "--config", str(folder / "wrong.ini"))
