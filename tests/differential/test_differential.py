"""Our answers about addresses and block lists are Node's: a short run of what ./run does for as long as one likes."""

import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
CASES = 50_000
NO_NODE = 77


def run(*arguments):
    return subprocess.run([sys.executable, "-B", HERE / "run", *map(str, arguments)], capture_output=True, text=True,
                          timeout=600)


def test_answers_are_nodes():
    done = run(CASES)
    if done.returncode == NO_NODE:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\n0 differences" in done.stdout
