"""Runs commands, each with a deadline, a log file and a process group of its own."""

import os
import pathlib
import signal
import subprocess
import threading
import time
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILDS = ROOT / "build-check"
LOGS = BUILDS / "logs"

_running = set()
_lock = threading.Lock()


class Done(NamedTuple):
    status: int  # below 0: minus the signal's number
    output: str  # stdout and stderr together
    seconds: float
    log: pathlib.Path  # holds the output
    is_late: bool  # was killed at its deadline


def run(name, command, *, deadline, env=None, cwd=ROOT):
    """Runs a command to its end, or kills it and all its children after `deadline` seconds."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / (name.replace("/", "-").replace(" ", "-") + ".log")
    began, is_late = time.monotonic(), False
    with open(log, "wb") as output:
        process = subprocess.Popen(
            [str(word) for word in command], cwd=cwd, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
            stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        with _lock:
            _running.add(process)
        try:
            process.wait(deadline)
        except subprocess.TimeoutExpired:
            is_late = True
        finally:
            _end_group(process)
            with _lock:
                _running.discard(process)
    return Done(process.returncode, log.read_text(errors="replace"), time.monotonic() - began, log, is_late)


def _end_group(process):
    """What is left of the group too: a test must not leave a daemon behind."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def end_all():
    """Ends what still runs; for an interrupted check."""
    with _lock:
        for process in _running:
            _end_group(process)
