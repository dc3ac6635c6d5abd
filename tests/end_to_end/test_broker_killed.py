"""The broker is killed under load: programs learn of it on every connection, and go on when it is back.

A program (broker_killed/) prints `loaded` when bytes go to and fro on all its connections, `lost` and what it saw when all of them
have ended, and `again` when a new connection has echoed; it ends with status 0 if it saw what it should: an error on each
connection, and before that all that was echoed, in order.
"""
import contextlib
import os
import pathlib
import socket
import subprocess
import tempfile
import threading

import pytest

from support import peers
from support.broker import ROOT, Broker
from support.wire import DEADLINE

PROGRAMS = pathlib.Path(__file__).with_name("broker_killed")
COMMANDS = {"python": ["/usr/bin/python3", PROGRAMS / "load.py"], "node": ["node", PROGRAMS / "load.mjs"]}


@contextlib.contextmanager
def echo_server():
    """Gives the port of a plain one; a thread for each connection, until its peer is gone."""
    def echo(peer):
        with contextlib.suppress(OSError), peer:
            while data := peer.recv(1 << 16):
                peer.sendall(data)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=echo, args=(peers.accept(listener),), daemon=True).start()

    with peers.listener() as listener:
        listener.settimeout(None)
        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield peers.port_of(listener)
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            acceptor.join(DEADLINE)


@contextlib.contextmanager
def running(command, environment):
    """Gives a function that waits for a line with that word; the program must end by itself, with status 0."""
    process = subprocess.Popen([str(word) for word in command], env=environment, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    too_late = threading.Timer(6 * DEADLINE, process.kill)
    too_late.start()
    seen = []

    def wait_for(word):
        for line in process.stdout:
            seen.append(line)
            if line.startswith(word):
                return
        raise AssertionError(f"ended, and not one word of {word}:\n" + "".join(seen))

    try:
        yield wait_for
        seen += process.stdout
        assert process.wait() == 0, "".join(seen)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        too_late.cancel()


@pytest.mark.parametrize("language, data_plane", [("python", "inline"), ("python", "attach"), ("node", "inline"), ("node", "attach")])
def test_clients_see_the_end_and_go_on_with_the_next(language, data_plane):
    with tempfile.TemporaryDirectory(prefix="nb-") as folder, echo_server() as port:
        path = pathlib.Path(folder) / "broker.sock"
        environment = {**os.environ, "NETBROKER_SOCKET": str(path), "NETBROKER_DATA_PLANE": data_plane,
                       "PYTHONPATH": str(ROOT / "clients" / "python")}
        first = Broker(path)
        with contextlib.ExitStack() as undo:
            undo.callback(lambda: first.alive() and first.kill())
            wait_for = undo.enter_context(running([*COMMANDS[language], port], environment))
            wait_for("loaded")
            first.kill()
            wait_for("lost")
            undo.enter_context(Broker(path))
            wait_for("again")
