"""./run as a newcomer meets it: from anywhere, whatever Python comes first, and leaving nothing behind."""
import contextlib
import os
import pathlib
import signal
import subprocess
import uuid

import pytest

from commands.conftest import DEADLINE, ROOT
from support.broker import wait_until

RUN = str(ROOT / "run")


@pytest.fixture
def folder(tmp_path_factory, environment):
    """A folder that becomes $XDG_RUNTIME_DIR."""
    path = tmp_path_factory.mktemp("run")
    environment["XDG_RUNTIME_DIR"] = str(path)
    return path


@pytest.fixture
def marked(environment):
    """Puts a mark on all processes that a test starts; gives a function that counts those that are left."""
    mark = f"MARK={uuid.uuid4()}".encode()
    environment["MARK"] = mark.decode().partition("=")[2]

    def count():
        return sum(mark in read(f"/proc/{pid}/environ") for pid in os.listdir("/proc") if pid.isdigit())

    return count


def read(path):
    try:
        return pathlib.Path(path).read_bytes()
    except OSError:  # it has ended, or ends
        return b""


def run_once(environment, cwd=ROOT):
    return subprocess.run([RUN, "--once"], cwd=cwd, env=environment, capture_output=True, text=True, timeout=DEADLINE,
                          stdin=subprocess.DEVNULL)


def test_once_proves_and_leaves_nothing(folder, environment, marked):
    environment["NETBROKER_SOCKET"] = str(folder / "named.sock")
    for _ in range(2):
        done = run_once(environment)
        assert done.returncode == 0, done.stderr
        assert [line for line in done.stdout.splitlines() if line.startswith("proof: ")]
        assert os.listdir(folder) == []
        assert marked() == 0


def test_another_python_and_another_directory(folder, environment, tmp_path):
    for name in ("python3", "meson", "ninja"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 99\n")
        (tmp_path / name).chmod(0o755)
    environment["PATH"] = f"{tmp_path}:{environment['PATH']}"
    done = run_once(environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_failure_has_a_reason(folder, environment, marked):
    environment["NETBROKER_SOCKET"] = f"{folder}/" + "x" * 108
    done = run_once(environment)
    assert done.returncode == 1
    assert "too long" in done.stderr and "did not start" in done.stderr
    assert os.listdir(folder) == [] and marked() == 0


def test_it_does_not_take_the_place_of_another(running, environment):
    done = run_once(environment)
    assert done.returncode == 1 and "another broker" in done.stderr
    assert running.alive()


@contextlib.contextmanager
def ended(process):
    """However the test goes."""
    try:
        yield
    finally:
        process.terminate()


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_the_lines_to_paste(folder, environment, marked, number):
    command = ["env", "--default-signal=INT", RUN]  # whoever started the tests may ignore it
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          stdin=subprocess.DEVNULL, text=True) as process, ended(process):
        text = ""
        while "^C ends it." not in text:
            line = process.stdout.readline()
            assert line, f"it ended: {text}"
            text += line
        assert f"The broker is at {folder}/netbroker.sock" in text
        lines = [line for line in text.splitlines() if "build/netbroker" in line or "/usr/bin/python3" in line]
        answers = [paste(line) for line in lines]
        assert len(answers) == 3
        assert '"hello": "broker"' in answers[0] and "'sockets': 0" in answers[1] and "'hello': 'broker'" in answers[2]
        process.send_signal(getattr(signal, number))
        assert process.wait(DEADLINE) == 0
    assert os.listdir(folder) == []
    wait_until(lambda: marked() == 0, "no process left")


def paste(line):
    """Into a terminal that knows nothing of the broker."""
    env = {"PATH": "/usr/bin:/bin"}
    done = subprocess.run(["sh", "-c", line], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{line}\n{done.stderr}"
    return done.stdout
