"""Lists of the configuration: loaded at the start, at SIGHUP and when their file changes; enforced on every session."""
import json
import os
import signal
import subprocess

import pytest

from support import peers
from support.broker import BINARY, wait_until
from support.wire import Session

MANY = 200_000


@pytest.fixture
def rules_file(folder):
    path = folder / "rules.txt"
    path.write_text("192.0.2.1\n")
    return path


@pytest.fixture
def configured(start_broker, folder, rules_file):
    """A broker with the list `guests`, and a session that has it as id 1."""
    config = folder / "broker.ini"
    config.write_text(f"[block-list guests]\nfile = {rules_file}\n")
    running = start_broker(None, "--config", str(config))
    with Session(running.path) as session:
        session.request("blockList.create", 1, {"name": "guests", "mustExist": True})
        yield running, session


def replace(path, text):
    """As editors do it: a new file takes the place of the old one."""
    new = path.with_name(path.name + ".new")
    new.write_text(text)
    new.rename(path)


def wait_for_rules(session, expected):
    wait_until(lambda: session.request("blockList.rules", 1) == expected, f"rules {expected}")


def logged(running, *words):
    return [line for line in running.stderr if all(word in line for word in words)]


# ---- reading ----

def test_it_is_there_from_the_start(configured):
    _, session = configured
    assert session.request("blockList.rules", 1) == ["Address: IPv4 192.0.2.1"]
    assert session.request("blockList.match", 1, {"address": "192.0.2.1"})["blocked"] is True


def test_no_session_can_change_it(configured):
    _, session = configured
    for method, body in [("addAddress", {"address": "::", "type": "ipv6"}), ("addSubnet", {"net": "1.1.1.1", "prefix": 8}),
                         ("addRange", {"start": "1.1.1.1", "end": "1.1.1.2"}), ("load", "1.1.1.1"), ("clear", {}),
                         ("addRules", {"rules": []}), ("removeRule", {"rule": "192.0.2.1"})]:
        assert session.refused(f"blockList.{method}", 1, body)["code"] == "ERR_NB_POLICY"
    assert session.request("blockList.size", 1) == 1
    session.request("blockList.release", 1)


@pytest.mark.parametrize("change", ["replaced", "written"])
def test_a_changed_file_is_loaded(configured, rules_file, change):
    _, session = configured
    if change == "replaced":
        replace(rules_file, "192.0.2.2\n2001:db8::/32\n")
    else:
        rules_file.write_text("192.0.2.2\n2001:db8::/32\n")
    wait_for_rules(session, ["Subnet: IPv6 2001:db8::/32", "Address: IPv4 192.0.2.2"])


def test_a_link_to_another_file_is_followed(start_broker, folder):
    """As a mounted ConfigMap changes: the file's own name in the directory stays as it is."""
    for name in ("a", "b"):
        (folder / name).mkdir()
    (folder / "a" / "list").write_text("192.0.2.1\n")
    (folder / "b" / "list").write_text("192.0.2.2\n")
    (folder / "now").symlink_to("a")
    (folder / "list").symlink_to("now/list")
    running = start_broker(None, "--block-list", f"guests={folder / 'list'}")
    with Session(running.path) as session:
        session.request("blockList.create", 1, {"name": "guests"})
        (folder / "then").symlink_to("b")
        (folder / "then").rename(folder / "now")
        wait_for_rules(session, ["Address: IPv4 192.0.2.2"])


def test_sighup_loads_it_anew(configured):
    running, _ = configured
    os.kill(running.pid, signal.SIGHUP)
    wait_until(lambda: logged(running, "block list loaded", "list=guests", "rules=1"), "a loaded list in the log")


def test_a_bad_file_leaves_the_list_as_it_is(configured, rules_file):
    running, session = configured
    replace(rules_file, "192.0.2.2\nnonsense\n")
    wait_until(lambda: logged(running, "block list not loaded", "list=guests", f"{rules_file}:2", "reason="),
               "a complaint with place and reason")
    assert session.request("blockList.rules", 1) == ["Address: IPv4 192.0.2.1"]
    replace(rules_file, "192.0.2.3\n")
    wait_for_rules(session, ["Address: IPv4 192.0.2.3"])


def test_a_file_that_goes_leaves_the_list_as_it_is(configured, rules_file):
    running, session = configured
    rules_file.unlink()
    os.kill(running.pid, signal.SIGHUP)
    wait_until(lambda: logged(running, "block list not loaded", "No such file"), "a complaint")
    assert session.request("blockList.size", 1) == 1
    rules_file.write_text("192.0.2.4\n")
    wait_for_rules(session, ["Address: IPv4 192.0.2.4"])


def test_json(start_broker, folder):
    path = folder / "rules.json"
    path.write_text(json.dumps(["Subnet: IPv6 2001:db8::/32", "192.0.2.1"]))
    running = start_broker(None, "--block-list", f"x={path}")
    with Session(running.path) as session:
        session.request("blockList.create", 1, {"name": "x"})
        assert session.request("blockList.rules", 1) == ["Subnet: IPv6 2001:db8::/32", "Address: IPv4 192.0.2.1"]
        replace(path, '["192.0.2.1", "192.0.2.1/33"]')
        wait_until(lambda: logged(running, "not loaded", "element 2"), "a complaint with the element")


def test_other_sessions_go_on_while_a_large_file_is_loaded(configured, rules_file):
    running, session = configured
    rules = "".join(f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}\n" for i in range(MANY))
    with Session(running.path) as other:
        replace(rules_file, rules)
        while session.request("blockList.size", 1) == 1:
            other.request("session.ping")
        assert session.request("blockList.size", 1) == MANY  # all at once, never a part
        assert other.request("session.ping") == {}
    assert session.request("blockList.check", 1, {"address": "10.3.13.63"}) is True


def test_too_many_rules(start_broker, folder):
    path = folder / "rules.txt"
    path.write_text("192.0.2.1\n192.0.2.2\n")
    running = start_broker(None, "--block-list", f"x={path}", "--limit", "maxFileRules=2", "--limit", "maxRules=1")
    with Session(running.path) as session:
        session.request("blockList.create", 1, {"name": "x"})
        replace(path, "192.0.2.1\n192.0.2.2\n192.0.2.3\n")
        wait_until(lambda: logged(running, "not loaded", "maxFileRules"), "a complaint that names the setting")
        replace(path, "# words\n" * 20_000)  # a file of nothing but words is not read for ever
        wait_until(lambda: logged(running, "not loaded", "more text", "maxFileRules"), "a complaint about the text")
        assert session.request("blockList.size", 1) == 2


# ---- refusing to start ----

def start_fails(folder, *flags):
    done = subprocess.run([str(BINARY), "serve", "--socket", str(folder / "x.sock"), *flags], capture_output=True,
                          text=True, timeout=30)
    assert done.returncode != 0 and not (folder / "x.sock").exists()
    return done.stderr


def test_a_bad_file_keeps_the_broker_from_starting(folder, rules_file):
    rules_file.write_text("# fine\n192.0.2.1\n192.0.2.1-192.0.2.0\n")
    said = start_fails(folder, "--block-list", f"guests={rules_file}")
    assert f"block list guests: {rules_file}:3: " in said
    missing = folder / "missing.txt"
    assert f"{missing}: No such file" in start_fails(folder, "--block-list", f"guests={missing}")
    assert "not a regular file" in start_fails(folder, "--block-list", f"guests={folder}")
    os.mkfifo(folder / "fifo")
    assert "not a regular file" in start_fails(folder, "--block-list", f"guests={folder / 'fifo'}")
    rules_file.write_text("192.0.2.1\n192.0.2.2\n")
    assert "maxFileRules" in start_fails(folder, "--block-list", f"x={rules_file}", "--limit", "maxFileRules=1")


def test_a_policy_needs_a_list(folder, rules_file):
    said = start_fails(folder, "--deny-connect", "guests")
    assert "deny-connect: there is no block list guests" in said
    assert "deny-accept" in start_fails(folder, "--block-list", f"x={rules_file}", "--deny-accept", "guests")


# ---- for all sessions ----

def test_no_session_connects_to_what_is_denied(start_broker, folder, rules_file):
    config = folder / "broker.ini"
    rules_file.write_text("127.0.0.1\n::1\n")
    config.write_text(f"[netbroker]\ndeny-connect = local\n[block-list local]\nfile = {rules_file}\n")
    running = start_broker(None, "--config", str(config))
    with peers.listener() as listener, Session(running.path) as session:
        port = peers.port_of(listener)
        for host in ("127.0.0.1", "0.0.0.0", "::ffff:127.0.0.1", "localhost"):
            error = session.refused("net.createConnection", 1, {"host": host, "port": port})
            assert error["code"] == "ERR_NB_POLICY" and error["port"] == port
            session.expect_event("socket.close", 1)
        peers.serve(session, 3)
        peers.accepted(session, 3)[0].close()  # inbound is another matter
        replace(rules_file, "192.0.2.1\n")
        wait_until(lambda: connects(session, port), "a connection that is allowed now")


def connects(session, port):
    error = session.response(session.send("net.createConnection", 5, {"host": "127.0.0.1", "port": port}))[2]
    if error:
        session.expect_event("socket.close", 5)
    return not error


def test_no_server_accepts_what_is_denied(start_broker, rules_file):
    rules_file.write_text("127.0.0.0/8\n")
    running = start_broker(None, "--block-list", f"local={rules_file}", "--deny-accept", "local")
    with peers.listener() as listener, Session(running.path) as session:
        port = peers.serve(session, 1)["port"]
        with peers.dial(port):
            assert session.expect_event("server.drop", 1)["rule"] == "Subnet: IPv4 127.0.0.0/8"
        session.request("net.createConnection", 3, {"host": "127.0.0.1", "port": peers.port_of(listener)})
        session.request("blockList.create", 5, {"name": "local"})
        assert session.request("blockList.hits", 5)[0]["hits"] == 1


def test_shutdown_with_a_file_that_is_being_loaded(configured, rules_file):
    running, session = configured
    replace(rules_file, "".join(f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}\n" for i in range(MANY)))
    os.kill(running.pid, signal.SIGHUP)
    session.socket.close()
    running.stop()
