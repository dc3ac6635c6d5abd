"""docs/configuration.md and the manual page say what the daemon does: names, defaults and bounds."""
import re
import subprocess

import pytest

from commands.conftest import ROOT
from support.wire import Session

TEXT = (ROOT / "docs" / "configuration.md").read_text()
MANUAL = (ROOT / "docs" / "man" / "netbroker-serve.1.scd").read_text()
LIMITS = re.findall(r"^\| `(\w+)` \| (\d+) \| (\d+) \| (\d+) \|", TEXT, re.MULTILINE)
OPTIONS = re.findall(r"^\| `(--[\w-]+) [^`]*` \|", TEXT, re.MULTILINE)
NOT_TOLD = {"maxUidSessions", "maxLingering", "maxLingerBytes", "maxFileRules"}


def serve(*arguments):
    """Reads all settings, and then only prints its help."""
    command = [ROOT / "build" / "netbroker", "serve", *arguments, "--help"]
    return subprocess.run(command, capture_output=True, text=True, timeout=20)


def test_every_option_is_described():
    options = re.findall(r"^  (--[\w-]+)", serve().stdout, re.MULTILINE)
    assert sorted(options) == sorted([*OPTIONS, "--help"])
    assert all(f"*{option}*" in MANUAL for option in options)


@pytest.mark.parametrize("name, default, least, most", LIMITS)
def test_the_bounds_of_a_limit(name, default, least, most):
    others = {"outHigh": ["--limit", "outLow=0"], "outLow": ["--limit", "outHigh=1073741824"]}.get(name, [])
    most = int(most) - (name == "outLow")  # less than outHigh

    def is_taken(value):
        return serve(*others, "--limit", f"{name}={value}").returncode == 0

    assert is_taken(least) and is_taken(most) and is_taken(default)
    assert not is_taken(most + 1) and not is_taken(int(least) - 1)


def test_defaults_of_limits(running):
    with Session(running.path) as session:
        told = session.request("session.hello", 0, {"protocol": 1})["limits"]
    written = {name: int(default) for name, default, *_ in LIMITS}
    assert {name: value for name, value in written.items() if name not in NOT_TOLD} == {
        name: value for name, value in told.items() if name not in ("maxFrame", "maxDepth")}
    assert told["maxFrame"] == written["maxWrite"] + (64 << 10) and told["maxDepth"] == 16
    in_manual = dict(re.findall(r"\*(\w+)\*\s+\((\d+)\)", MANUAL))
    assert {name: int(value) for name, value in in_manual.items()} == written


def test_the_file_that_is_shown(tmp_path):
    for text in (re.search(r"```ini\n(; all.*?)```", TEXT, re.DOTALL)[1],
                 re.search(r"# FILE.*?```\n(.*?)```", MANUAL, re.DOTALL)[1]):
        (tmp_path / "netbroker.ini").write_text(text)
        done = serve("--config", tmp_path / "netbroker.ini")
        assert done.returncode == 0, done.stderr
