"""Runs the tests that a build knows of, and those that only pytest would find."""

import concurrent.futures
import json
import os
import sys

import counts
from runner import LOGS, ROOT, run

SLOWER = 3  # times that a sanitizer may make a test slower than meson allows


class Build:
    """A configured build directory and the environment in which its programs are tested."""

    def __init__(self, path, env):
        self.path, self.env = path, env
        self.binary = path / "netbroker"

    def tests(self):
        """As meson describes them: name, cmd, env, suite, timeout, protocol."""
        listing = run(f"{self.path.name}/tests", ["meson", "introspect", "--tests", self.path], deadline=60)
        return json.loads(listing.output) if listing.status == 0 else []


def suite_of(test):
    """The test's own word; meson puts the project's name before it."""
    return test["suite"][0].rpartition(":")[2]


def in_suites(tests, suites):
    return [test for test in tests if suite_of(test) in suites]


def run_test(build, test, env):
    """One test of meson's, counted by what it reports."""
    name = f"{build.path.name}/{test['name']}"
    env = {**test["env"], **build.env, **env}
    deadline = SLOWER * (test["timeout"] or 30)
    cwd = test["workdir"] or build.path
    if "pytest" in test["cmd"]:
        return run_pytest(name, test["cmd"], deadline, env, cwd)
    done = run(name, test["cmd"], deadline=deadline, env=env, cwd=cwd)
    if test["protocol"] == "tap":
        return counts.of_tap(name, done)
    return counts.of_libcheck(name, done) if counts.SUMMARY.search(done.output) else counts.of_status(name, done)


def run_pytest(name, command, deadline, env, cwd=ROOT):
    LOGS.mkdir(parents=True, exist_ok=True)
    report = LOGS / (name.replace("/", "-") + ".xml")
    report.unlink(missing_ok=True)
    done = run(name, [*command, f"--junitxml={report}"], deadline=deadline, env=env, cwd=cwd)
    return counts.of_junit(name, done, report)


def run_tests(build, chosen, env=None):
    """Side by side, one on each core; then those that measure, which meson lists as not parallel, by themselves."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        futures = [pool.submit(run_test, build, test, env or {}) for test in chosen if test["is_parallel"]]
        done = [future.result() for future in futures]
    return counts.add(done + [run_test(build, test, env or {}) for test in chosen if not test["is_parallel"]])


def unlisted_files(build, tests):
    """The pytest files that no test of the build names, by directory."""
    listed = {(build.path / word).resolve() for test in tests for word in test["cmd"] if word.endswith(".py")}
    groups = {}
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        if file.resolve() not in listed:
            groups.setdefault(file.parent, []).append(file)
    return groups


def run_unlisted(build, directory, files):
    name = str(directory.relative_to(ROOT))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files]
    env = {**build.env, "NETBROKER_BINARY": str(build.binary), "PYTHONDONTWRITEBYTECODE": "1"}
    return run_pytest(name, command, 900, env)
