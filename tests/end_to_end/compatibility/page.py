"""docs/compatibility.md: written from the verdicts of a run."""
import re

import isolation
import packages
import servers
from packages import version

PAGE = packages.ROOT / "docs" / "compatibility.md"

HEAD = """# What runs over the broker

Programs and libraries that know nothing of the broker, unchanged: it was put under them as a user would do it for a whole program.
This page is written by `tests/end_to_end/compatibility/run`, which anyone can run; `./check` runs the same cases.

Each moves 1.5 million bytes each way and compares them, against a server of Debian's or against its own other side, which
then runs without the broker. Each has also to pass without the broker, so that a failure says something (those in C use the broker by
themselves).
{proof}
"""

PROOF = {
    True: """A program over the broker runs in a network namespace without any interface: it has no network at all, and what it
sends and receives can only go over the broker.""",
    False: """While a program runs over the broker its descriptors are watched: none of them may be a socket of TCP or UDP.""",
}

HOW = {
    "Node": """`node --import @netbroker/net/register PROGRAM`, or `--require`: [clients/node.md](clients/node.md).""",
    "C": """One program in each loop that libnetbroker has a header for: [clients/c.md](clients/c.md).""",
    "Python": """`netbroker.install()` before the program starts: [clients/python.md](clients/python.md).""",
}

COLUMNS = ("program", "version", "side", "how", "against", "over the broker")


def verdict(case, passed):
    if passed:
        return "passes"
    return f"fails: {case.known}" if case.known else "FAILS"


def against(case):
    return servers.ALL[case.against].name if case.against else "its other side"


def row(case, over_broker, node_modules):
    return (case.title, version(case.package, node_modules), case.side, case.way, against(case), verdict(case, over_broker.passed))


def table(cells):
    lines = [COLUMNS, ("---",) * len(COLUMNS), *cells]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def render(results, node_modules):
    """`results`: (case, verdict over the broker) in the order of the cases."""
    text = HEAD.format(proof=PROOF[isolation.can_take_the_network_away()])
    for language in dict.fromkeys(case.language for case, _ in results):
        rows = [row(case, verdict, node_modules) for case, verdict in results if case.language == language]
        text += f"\n## {language}\n\n{HOW[language]}\n\n{table(rows)}"
    return text + "\n## Servers\n\n" + server_table()


def server_table():
    rows = [f"| {server.name} | {version(server.package, None)} |\n" for server in servers.ALL.values()]
    return "| server | version |\n| --- | --- |\n" + "".join(rows)


def read_rows(text):
    """{(language, program, side, how, against): verdict} of a page, whatever versions it had."""
    rows, language = {}, None
    for line in text.splitlines():
        if heading := re.fullmatch(r"## (\w+)", line):
            language = heading[1]
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and len(cells) == len(COLUMNS) and cells[0] not in (COLUMNS[0], "---"):
            rows[(language, cells[0], *cells[2:5])] = cells[5]
    return rows


def expected_rows(cases):
    return {(case.language, case.title, case.side, case.way, against(case)): verdict(case, not case.known) for case in cases}
