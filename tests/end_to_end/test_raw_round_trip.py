"""The standalone script: its own code from the wire up, run against the daemon."""
import pathlib
import subprocess
import sys

import pytest

SCRIPT = pathlib.Path(__file__).with_name("raw_round_trip.py")


@pytest.mark.parametrize("at_once", [1, 6])
def test_the_raw_script_makes_its_round_trips(broker, at_once):
    """Several at once take turns in an order that changes from run to run."""
    scripts = [subprocess.Popen([sys.executable, str(SCRIPT), str(broker.path)], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True) for _ in range(at_once)]
    outputs = [script.communicate(timeout=120)[0] for script in scripts]
    for script, output in zip(scripts, outputs):
        assert script.returncode == 0 and output.count(": ok") == 4, output
