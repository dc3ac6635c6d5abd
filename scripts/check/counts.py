"""How many tests a run held: read from what libcheck, TAP and pytest report, never from the exit status alone."""

import re
import xml.etree.ElementTree
from typing import List, NamedTuple

SUMMARY = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)$", re.MULTILINE)
TAP = re.compile(r"^(not )?ok \d+(?: - (.*))?$", re.MULTILINE)
PLAN = re.compile(r"^1\.\.(\d+)", re.MULTILINE)
MOST_REASON = 300  # characters


class Count(NamedTuple):
    passed: int
    failures: List[str]  # one name each
    skipped: int = 0


def add(counts):
    counts = list(counts)
    return Count(sum(c.passed for c in counts), [f for c in counts for f in c.failures],
                 sum(c.skipped for c in counts))


def of_status(name, done):
    """A command that is one test by itself."""
    return judge(name, done, Count(0, []) if done.status else Count(1, []))


def of_tap(name, done):
    passed, failures = 0, []
    for bad, text in TAP.findall(done.output):
        if bad:
            failures.append(f"{name}: {text}")
        else:
            passed += 1
    plan = PLAN.search(done.output)
    missing = int(plan[1]) - passed - len(failures) if plan else 1
    if missing > 0:
        failures.append(f"{name}: {missing} tests did not run")
    return judge(name, done, Count(passed, failures))


def of_libcheck(name, done):
    """The plain output of libcheck: a line with the sums, and one for each failure."""
    sums = [tuple(map(int, row)) for row in SUMMARY.findall(done.output)]
    failed = sum(failures + errors for _, failures, errors in sums)
    lines = re.findall(r"^.+?:\d+:[FE]:(.*)$", done.output, re.MULTILINE)
    names = [f"{name}: {line}" for line in lines[:failed]]
    names += [f"{name}: failed"] * (failed - len(names))
    return judge(name, done, Count(sum(checks for checks, *_ in sums) - failed, names))


def of_junit(name, done, path):
    """pytest's own report."""
    passed, failures, skipped = 0, [], 0
    cases = xml.etree.ElementTree.parse(path).iter("testcase") if path.exists() else ()
    for case in cases:
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            failures.append(f"{name}: {case.get('name')}{reason(case)}")
        elif "skipped" in kinds:
            skipped += 1
        else:
            passed += 1
    return judge(name, done, Count(passed, failures, skipped))


def reason(case):
    """The first line of what went wrong, for those who see no log."""
    problem = next(child for child in case if child.tag in ("failure", "error"))
    first = (problem.get("message") or "").strip().split("\n")[0]
    return f": {first[:MOST_REASON]}" if first else ""


def judge(name, done, count):
    """Lets no run pass that ended badly or held nothing."""
    if done.is_late:
        return count._replace(failures=[*count.failures, f"{name}: killed at its deadline, see {done.log}"])
    if done.status and not count.failures:
        return count._replace(failures=[f"{name}: status {done.status}, see {done.log}"])
    if not done.status and not count.passed and not count.failures and not count.skipped:
        return count._replace(failures=[f"{name}: held no test, see {done.log}"])
    return count
