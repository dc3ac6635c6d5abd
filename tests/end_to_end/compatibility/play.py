"""Runs one case, without the broker (the control: the program itself must be right) or over it."""
import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

import isolation
import packages
import servers

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from support.broker import BINARY, Broker  # noqa: E402

DEADLINE = 60  # seconds for a program, on a machine that does other things too
C_PROGRAMS = pathlib.Path(os.environ.get("NB_COMPATIBILITY_C") or BINARY.parent / "tests" / "end_to_end" / "compatibility")
PYTHON = "/usr/bin/python3"  # Debian's, which sees Debian's libraries


class Failed(Exception):
    """A program did not do what it should; the text is what it said."""


class Verdict(NamedTuple):
    passed: bool
    reason: str  # of a failure
    seconds: float


class Program:
    """A started program. Its output is in a file, which is the only thing it shares with us."""

    def __init__(self, name, command, environment, directory, watched=False):
        self.name, self._output = name, directory / f"{name}.log"
        with open(self._output, "wb") as output:
            self._process = subprocess.Popen([str(word) for word in command], env=environment, cwd=directory,
                                             stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        self._watched, self._seen = watched, set()
        self._end = time.monotonic() + DEADLINE

    def port(self):
        """What a server announces."""
        return self._until(lambda: next((line.split()[1] for line in self._lines() if line.startswith("port ")), None))

    def finish(self):
        """Waits for the end; raises Failed if it is not the right one."""
        self._until(lambda: self._process.poll() is not None, may_end=True)
        if self._process.returncode != 0 or self._lines()[-1:] != ["ok"]:
            raise Failed(f"{self.name}: status {self._process.returncode}\n" + "\n".join(self._lines()[-40:]))
        if self._seen:
            raise Failed(f"{self.name}: had sockets of its own")

    def kill(self):
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _lines(self):
        return self._output.read_text(errors="replace").splitlines()

    def _until(self, condition, may_end=False):
        while not (value := condition()):
            if self._watched:
                self._seen |= isolation.internet_sockets(self._process.pid)
            if time.monotonic() > self._end:
                raise Failed(f"{self.name}: not in time\n" + "\n".join(self._lines()[-40:]))
            if self._process.poll() is not None and not may_end and not condition():
                raise Failed(f"{self.name}: ended too early\n" + "\n".join(self._lines()[-40:]))
            time.sleep(0.01)
        return value


class Stage:
    """A broker, the servers that were asked for so far, and the programs' directory."""

    def __init__(self, node_modules):
        self._exit = contextlib.ExitStack()
        self._node_modules, self._servers = node_modules, {}

    def __enter__(self):
        self.directory = pathlib.Path(self._exit.enter_context(tempfile.TemporaryDirectory(prefix="nb-")))
        self.directory.chmod(0o755)  # the servers may run as somebody else
        for language in ("node", "python"):
            shutil.copytree(HERE / language, self.directory / language, ignore=shutil.ignore_patterns("__pycache__"))
        (self.directory / "node_modules").symlink_to(self._node_modules)
        servers.make_certificate(self.directory)
        self.broker = self._exit.enter_context(Broker(self.directory / "broker.sock"))
        return self

    def __exit__(self, *exc):
        return self._exit.__exit__(*exc)

    def control(self, case):
        """The verdict without the broker, where that is possible."""
        return self.play(case, over_broker=False) if case.has_control else Verdict(True, "", 0.0)

    def play(self, case, over_broker):
        began, reason = time.monotonic(), ""
        try:
            self._play(case, over_broker)
        except (Failed, OSError, RuntimeError, subprocess.SubprocessError) as error:
            reason = str(error)
        return Verdict(not reason, reason, time.monotonic() - began)

    def _play(self, case, over_broker):
        if case.against:
            server = self._server(case.against)
            with self._start(case, "client", over_broker, *(getattr(server, name) for name in case.ports)) as client:
                client.finish()
            return
        with self._start(case, "server", over_broker and case.side == "server") as server:
            with self._start(case, "client", over_broker and case.side == "client", server.port()) as client:
                client.finish()
            server.finish()

    def _server(self, name):
        if name not in self._servers:
            self._servers[name] = self._exit.enter_context(servers.ALL[name](self.directory / name, self.directory))
        return self._servers[name]

    @contextlib.contextmanager
    def _start(self, case, side, over_broker, *ports):
        command = [*COMMANDS[case.language](self.directory, case, over_broker), side, *ports]
        watched = over_broker and not isolation.can_take_the_network_away()
        program = Program(side, isolation.without_network(command) if over_broker else command,
                          self._environment(over_broker), self.directory, watched)
        try:
            yield program
        finally:
            program.kill()

    def _environment(self, over_broker):
        certificate = self.directory / "cert.pem"
        kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        kept.pop("NETBROKER_SOCKET", None)
        ours = {"NETBROKER_SOCKET": str(self.broker.path)} if over_broker else {}
        return {**kept, **ours, "TLS_DIRECTORY": str(self.directory), "NODE_EXTRA_CA_CERTS": str(certificate),
                "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(packages.ROOT / "clients" / "python")}


def node_command(directory, case, over_broker):
    registered = [case.way, "@netbroker/net/register"] if over_broker else []
    return ["node", *registered, directory / "node" / case.program]


def python_command(directory, case, over_broker):
    launch = directory / "python" / "launch.py"
    return [PYTHON, launch, case.way, "broker" if over_broker else "plain", directory / "python" / case.program]


def c_command(directory, case, over_broker):
    return [C_PROGRAMS / case.program, case.way]


COMMANDS = {"Node": node_command, "Python": python_command, "C": c_command}
