"""Whole programs under `node --import @netbroker/net/register`: they say what they say under plain Node, word for word.

They have no network of their own then (tests/end_to_end/compatibility/isolation.py), so what works goes over the broker.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import pytest

HERE = pathlib.Path(__file__).resolve().parent
TESTS = HERE.parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "end_to_end" / "compatibility")]

import servers  # noqa: E402
from isolation import without_network  # noqa: E402
from support.broker import Broker  # noqa: E402

REGISTER = TESTS.parent / "clients" / "node" / "register" / "index.cjs"
PROGRAMS = sorted(file.stem for file in (HERE / "register").glob("*.mjs") if not file.stem.endswith("-child"))
WAYS = {"import": ["--import", REGISTER.as_uri()], "require": ["--require", REGISTER]}
DEADLINE = 60  # seconds for a program

needs_node = pytest.mark.skipif(not shutil.which("node"), reason="no Node here")


@pytest.fixture(scope="module")
def folder():
    with tempfile.TemporaryDirectory(prefix="nb-") as path:
        servers.make_certificate(pathlib.Path(path))
        yield pathlib.Path(path)


@pytest.fixture(scope="module")
def broker(folder):
    with Broker(folder / "broker.sock") as running:
        yield running


def run(folder, command, **environment):
    """(status, what it printed)"""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        environment = {**os.environ, "TLS_DIRECTORY": str(folder), "SCRATCH": scratch, **environment}
        done = subprocess.run([str(word) for word in command], env=environment, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=DEADLINE)
    return done.returncode, done.stdout


def run_over(broker, folder, options, program, **environment):
    command = ["node", *options, program]
    return run(folder, without_network(command), NETBROKER_SOCKET=str(broker.path), **environment)


@needs_node
@pytest.mark.parametrize("name", PROGRAMS)
def test_program_is_the_same(broker, folder, name):
    program = HERE / "register" / f"{name}.mjs"
    plain = run(folder, ["node", program])
    assert plain[0] == 0, plain[1]
    assert run_over(broker, folder, WAYS["import"], program) == plain


@needs_node
@pytest.mark.parametrize("way", WAYS)
def test_registered_twice_is_registered_once(broker, folder, way):
    program = HERE / "register" / "identity.mjs"
    plain = run(folder, ["node", program])
    assert run_over(broker, folder, [*WAYS["import"], *WAYS[way]], program) == plain


@needs_node
def test_without_a_broker_the_error_says_what_to_start(folder):
    path = folder / "nobody.sock"
    script = "import('node:net').then((net) => net.connect(1, '127.0.0.1'))"
    status, said = run(folder, ["node", *WAYS["import"], "-e", script], NETBROKER_SOCKET=str(path))
    assert status != 0 and str(path) in said and "netbroker serve" in said


@needs_node
@pytest.mark.parametrize("flag", ["--no-deprecation", "--throw-deprecation", "--disable-proto=throw"])
def test_flags_of_node_are_respected(folder, flag):
    assert run(folder, ["node", flag, *WAYS["import"], "-e", "console.log('fine')"]) == (0, "fine\n")


@needs_node
def test_a_program_without_sockets_needs_no_broker(folder):
    script = "require('http'); require('tls'); console.log('fine')"
    assert run(folder, ["node", *WAYS["import"], "-e", script], NETBROKER_SOCKET=str(folder / "nobody.sock")) == (0, "fine\n")
