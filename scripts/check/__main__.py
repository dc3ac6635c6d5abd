"""Every test there is, section by section; the last line of the output is the sum. Called by ../../check."""

import shutil
import sys
import time

import counts
import runner
from runner import BUILDS, ROOT, run
from tests import Build, in_suites, run_tests, run_unlisted, suite_of, unlisted_files

# Findings end the program with a status that no test takes for success.
ADDRESS = {
    "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1:exitcode=99",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1:exitcode=99",
}
THREAD = {"TSAN_OPTIONS": "second_deadlock_stack=1:exitcode=99", "NETBROKER_WORKERS": "4"}

# clang gives a second opinion on the C code, which gcc builds for use; it warns inside uthash's macros.
CLANG = {"CC": "clang"}
CLANG_OPTIONS = ["-Db_lundef=false", "-Dc_args=-Wno-implicit-fallthrough"]

# What several loops share: the runtime, sessions that come and go, traffic.
THREADED_SUITES = {"core"}
THREADED_TESTS = {"raw_round_trip", "session", "order", "lifecycle", "load"}

FUZZING_TIME = 15  # seconds, of each harness

# Where memory is measured, which a sanitizer would change.
RELEASED_SUITES = {"end_to_end", "valgrind"}

MOST_FAILURES_SHOWN = 40


class Check:
    def __init__(self):
        self.total = counts.Count(0, [])

    def section(self, title, work):
        """Runs `work`, which gives a Count, and goes on whatever happens."""
        print(f"check: {title}", flush=True)
        began = time.monotonic()
        try:
            count = work()
        except Exception as error:  # the other sections are still worth running
            count = counts.Count(0, [f"{title}: {error!r}"])
        if not count.passed and not count.failures:
            count = counts.Count(0, [f"{title}: held no test"])
        self.total = counts.add((self.total, count))
        skipped = f", {count.skipped} skipped" if count.skipped else ""
        print(f"       {count.passed} passed, {len(count.failures)} failed{skipped}, "
              f"{time.monotonic() - began:.0f} s", flush=True)
        for failure in count.failures[:MOST_FAILURES_SHOWN]:
            print(f"       FAILED {failure}", flush=True)
        return not count.failures

    def report(self):
        """The last lines; the exit status."""
        passed, failures, _ = self.total
        if failures:
            print("\nFailures (full output in build-check/logs):")
            for failure in failures[:MOST_FAILURES_SHOWN]:
                print("  " + failure)
            if len(failures) > MOST_FAILURES_SHOWN:
                print(f"  and {len(failures) - MOST_FAILURES_SHOWN} more")
        print(f"{passed} passed, {len(failures)} failed", flush=True)
        return 0 if passed and not failures else 1


def configure(name, options, env):
    """With today's options, whatever an earlier check has left there."""
    path = BUILDS / name
    setup = ["meson", "setup", path, ROOT, "-Dwerror=true", *options]
    if (path / "build.ninja").exists():
        done = run(f"{name}/setup", [*setup, "--reconfigure"], env=env, deadline=300)
        if done.status == 0:
            return done
    shutil.rmtree(path, ignore_errors=True)
    return run(f"{name}/setup", setup, env=env, deadline=300)


def compile_all(name, options, env):
    """Configures and builds, warnings as errors; one test."""
    done = configure(name, options, env)
    if done.status == 0:
        done = run(f"{name}/build", ["ninja", "-C", BUILDS / name], env=env, deadline=900)
    return counts.of_status(f"{name}/build", done)


def sources(*patterns, without=("protocol/generated/", "clients/c/schema.h")):
    for directory in ("protocol", "core", "server", "clients", "tests", "fuzz", "examples", "scripts"):
        for pattern in patterns:
            for file in sorted((ROOT / directory).rglob(pattern)):
                name = str(file.relative_to(ROOT))
                if "node_modules" not in file.parts and not name.startswith(without):
                    yield name


def check_format():
    command = ["clang-format", "--dry-run", "-Werror", *sources("*.c", "*.h")]
    done = run("format", command, deadline=120)
    bad = sorted({line.split(":")[0] for line in done.output.splitlines() if "-Wclang-format-violations" in line})
    if not bad:
        return counts.of_status("format", done)
    return counts.Count(0, [f"format: clang-format -i {name}" for name in bad])


def is_shell(file):
    with open(file, "rb") as source:
        first = source.readline()
    return first.startswith(b"#!") and b"sh" in first.split(b"/")[-1] and b"python" not in first


def shell_scripts():
    named = [ROOT / "run", ROOT / "check", ROOT / ".ci" / "run"]
    inside = [ROOT / name for name in sources("*")]
    found = [file for file in inside if file.is_file() and (file.suffix == ".sh" or is_shell(file))]
    return [file.relative_to(ROOT) for file in [*named, *found]]


def check_scripts():
    return counts.of_status("shellcheck", run("shellcheck", ["shellcheck", "-x", *shell_scripts()], deadline=60))


def check_manuals():
    """Each man page is well-formed scdoc."""
    def render(page):
        name = f"manual/{page.name}"
        return counts.of_status(name, run(name, ["sh", "-c", 'exec scdoc <"$0" >/dev/null', page], deadline=20))
    return counts.add(render(page) for page in sorted((ROOT / "docs" / "man").glob("*.scd")))


def check_coverage():
    done = run("coverage", [ROOT / "tests" / "core" / "net" / "coverage", BUILDS / "coverage"], deadline=600)
    return counts.of_status("coverage: tests/core/net/coverage", done)


def run_harnesses():
    """Each fuzzing harness for a while, from its seeds on."""
    def run_one(name):
        command = [ROOT / "fuzz" / "run", "--build", BUILDS / "fuzz", name, FUZZING_TIME]
        done = run(f"fuzz/{name}", command, env=ADDRESS, deadline=FUZZING_TIME + 120)
        return counts.of_status(f"fuzz/{name}", done)
    return counts.add(run_one(file.stem.removeprefix("fuzz_")) for file in sorted((ROOT / "fuzz").glob("fuzz_*.c")))


def check_run():
    done = run("run-once", [ROOT / "run", "--once"], deadline=600)
    if done.status == 0 and not any(line.startswith("proof: ") for line in done.output.splitlines()):
        return counts.Count(0, [f"run --once: gave no proof, see {done.log}"])
    return counts.of_status("run --once", done)


def main():
    check = Check()
    address, thread, released = Build(BUILDS / "address", ADDRESS), Build(BUILDS / "thread", THREAD), Build(BUILDS / "gcc", {})
    gcc = ["-Dtests=true", "-Dbuildtype=release"]
    address_options = [*CLANG_OPTIONS, "-Dtests=true", "-Db_sanitize=address,undefined"]
    thread_options = [*CLANG_OPTIONS, "-Dtests=true", "-Db_sanitize=thread"]
    fuzz_options = [*CLANG_OPTIONS, "-Dtests=false", "-Dfuzz=true", "-Db_sanitize=address,undefined"]

    check.section("./run --once", check_run)
    check.section("shellcheck", check_scripts)
    check.section("clang-format", check_format)
    check.section("man pages", check_manuals)
    check.section("gcc, release, warnings as errors", lambda: compile_all("gcc", gcc, {}))
    check.section("tests of the release build", lambda: run_tests(released, in_suites(released.tests(), RELEASED_SUITES)))
    check.section("clang, address and undefined-behaviour sanitizers, warnings as errors",
                  lambda: compile_all("address", address_options, CLANG))
    tests = address.tests()
    for suite in sorted({suite_of(test) for test in tests}):
        check.section(f"tests: {suite}", lambda suite=suite: run_tests(address, in_suites(tests, {suite})))
    for directory, files in unlisted_files(address, tests).items():
        check.section(f"tests: {directory.relative_to(ROOT)}",
                      lambda directory=directory, files=files: run_unlisted(address, directory, files))
    check.section("clang, thread sanitizer", lambda: compile_all("thread", thread_options, CLANG))
    check.section("tests with several threads", lambda: run_tests(thread, [
        test for test in thread.tests() if test["name"] in THREADED_TESTS or suite_of(test) in THREADED_SUITES]))
    check.section("coverage of parsers", check_coverage)
    check.section("clang, fuzzing harnesses", lambda: compile_all("fuzz", fuzz_options, CLANG))
    check.section("fuzzing", run_harnesses)
    return check.report()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        runner.end_all()
        sys.exit("check: interrupted")
