"""The standalone script: its own code from the wire up, run against the daemon."""
import pathlib
import subprocess
import sys

SCRIPT = pathlib.Path(__file__).with_name("raw_round_trip.py")


def test_the_raw_script_makes_its_round_trips(broker):
    run = subprocess.run([sys.executable, str(SCRIPT), str(broker.path)], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count(": ok") == 4
