"""Scenarios: stories of actors, as text. README.md describes the form; this reads it.

    for scenario in load(path): ...

A mistake in a file is raised as ScenarioError, with the file and the line.
"""
import dataclasses
import pathlib
import re
from typing import Any, List, NamedTuple, Optional, Tuple

from notation import Mistake, Tokens, read_value

FOLDER = pathlib.Path(__file__).resolve().parent / "scenarios"
SETUPS = "setups.txt"
HEADERS = {"rows", "differs", "only", "ignore"}
SIDES = ("broker", "node")
ROW = re.compile(r"[A-Z]+-\d\d")
MARKED = re.compile(r"(broker|node)\s*\|\s*(.*)")
ACTING = re.compile(r"(\w+(?:@\w+)?)\s*([<>=!])\s*(.*)")
HEADER = re.compile(r"([a-z]+):\s*(.*)")


class ScenarioError(Exception):
    def __init__(self, place, message):
        super().__init__(f"{place}: {message}")


class Event(NamedTuple):
    name: str
    pattern: Any  # None: any body


@dataclasses.dataclass
class Step:
    """One line. `side`: the only one for which it counts, or None."""
    place: str
    source: str
    side: Optional[str]


@dataclasses.dataclass
class Command(Step):
    label: str
    method: str
    values: List[Any]  # nothing, a body, or a body and options


@dataclasses.dataclass
class Reply(Step):
    fails: bool
    pattern: Any  # None: anything
    of: Optional[Tuple[str, str]] = None  # label and method of an earlier command; None: the one in the line before


@dataclasses.dataclass
class Events(Step):
    label: str
    groups: List[List[Event]]  # the groups come in order, the events of a group in any


@dataclasses.dataclass
class Scenario:
    title: str
    place: str
    rows: List[str] = dataclasses.field(default_factory=list)
    differs: str = ""  # the reason
    only: str = ""  # the side that can play it
    ignore: frozenset = frozenset()  # names of events that are not looked at
    steps: List[Step] = dataclasses.field(default_factory=list)

    @property
    def name(self):
        """As the tests and docs/net-api.md call it."""
        return f"{self.place.partition('.')[0]}: {self.title}"

    def steps_of(self, side):
        return [step for step in self.steps if step.side in (None, side)]


def load_all(folder=FOLDER):
    """Every scenario of a folder, file by file."""
    setups = load_setups(folder / SETUPS)
    found = []
    for path in sorted(folder.glob("*.txt")):
        if path.name != SETUPS:
            found += load(path, setups)
    return found


def load(path, setups=None):
    """The scenarios of one file. `setups` are those that `given` may name."""
    reader = Reader(path.name, setups or {})
    reader.read(path.read_text())
    return reader.blocks


def load_setups(path):
    """Beginnings that many scenarios share, by name."""
    reader = Reader(path.name, {}, "setup")
    reader.read(path.read_text() if path.exists() else "")
    return {block.title: block.steps for block in reader.blocks}


class Reader:
    """Reads one file. `opening` is the word that opens a block in it."""

    def __init__(self, file, setups, opening="scenario"):
        self.blocks = []
        self._file, self._setups, self._opening, self._line = file, setups, opening, 0

    def read(self, text):
        for self._line, line in enumerate(text.splitlines(), 1):
            line = line.strip()
            if line and not line.startswith("#"):
                try:
                    self._read_line(line)
                except Mistake as mistake:
                    raise ScenarioError(self._place(), mistake) from None
        self._end_block()

    def _place(self):
        return f"{self._file}:{self._line}"

    def _read_line(self, line):
        header = HEADER.fullmatch(line)
        if header and header[1] == self._opening:
            self._open_block(header[2])
        elif not self.blocks:
            raise Mistake(f"the file begins without '{self._opening}:'")
        elif header:
            self._read_header(*header.groups())
        elif line.startswith("given "):
            self._include(line.removeprefix("given ").strip())
        else:
            self._read_step(line)

    def _open_block(self, title):
        self._end_block()
        if not title:
            raise Mistake(f"a {self._opening} without a title")
        if any(block.title == title for block in self.blocks):
            raise Mistake(f"the title {title!r} is there twice")
        self.blocks.append(Scenario(title, self._place()))

    def _end_block(self):
        if not self.blocks:
            return
        block = self.blocks[-1]
        reason = complaint(block, self._opening)
        if reason:
            raise ScenarioError(block.place, f"{block.title!r} {reason}")

    def _read_header(self, word, text):
        block = self.blocks[-1]
        if word not in HEADERS or self._opening == "setup":
            raise Mistake(f"unknown header {word!r}")
        if block.steps:
            raise Mistake(f"'{word}:' after the first step")
        if word == "rows":
            block.rows += read_rows(text)
        elif word == "ignore":
            block.ignore = frozenset(text.split())
        elif word == "only" and text not in SIDES:
            raise Mistake(f"'only:' is broker or node, not {text!r}")
        else:
            setattr(block, word, (getattr(block, word) + " " + text).strip())

    def _include(self, name):
        if name not in self._setups:
            raise Mistake(f"no setup {name!r} in {SETUPS}")
        self.blocks[-1].steps += self._setups[name]

    def _read_step(self, line):
        marked = MARKED.fullmatch(line)
        side, line = marked.groups() if marked else (None, line)
        common = (self._place(), line, side)
        acting = ACTING.fullmatch(line)
        if acting and acting[2] == ">":
            step = read_command(common, acting[1], Tokens(acting[3]))
        elif acting and acting[2] in "=!":
            step = read_reply(common, acting[2], Tokens(acting[3]), acting[1])
        elif acting:
            step = Events(*common, acting[1], read_groups(Tokens(acting[3])))
        elif line[0] in "=!":
            step = self._read_reply(common, line)
        else:
            raise Mistake(f"{line!r} is no command (>), no event (<) and no reply (= or !)")
        self.blocks[-1].steps.append(step)

    def _read_reply(self, common, line):
        steps = [step for step in self.blocks[-1].steps if common[2] in (None, step.side) or not step.side]
        if not steps or not isinstance(steps[-1], (Command, Reply)) or getattr(steps[-1], "of", None):
            raise Mistake("a reply without its command in the line above")
        if isinstance(steps[-1], Reply) and steps[-1].side in (None, common[2]):
            raise Mistake("a second reply to one command")
        return read_reply(common, line[0], Tokens(line[1:]))


def read_rows(text):
    rows = text.split()
    bad = [row for row in rows if not ROW.fullmatch(row)]
    if bad or not rows:
        raise Mistake(f"{' '.join(bad) or 'nothing'} where ids of the checklist should be")
    return rows


def read_command(common, label, tokens):
    kind, method = tokens.take()
    if kind != "word":
        raise Mistake(f"{method!r} where a command should be")
    values = []
    while tokens.starts_value() and len(values) < 2:
        values.append(read_value(tokens))
    tokens.finish()
    return Command(*common, label, method, values)


def read_reply(common, mark, tokens, label=None):
    of = None
    if label:
        kind, method = tokens.take()
        if kind != "word":
            raise Mistake(f"{method!r} where the command should be to which this is the reply")
        of = (label, method)
    pattern = read_error(tokens) if mark == "!" else read_optional(tokens)
    tokens.finish()
    return Reply(*common, mark == "!", pattern, of)


def read_groups(tokens):
    groups = [[read_event(tokens)]]
    while tokens.peek()[0] == "mark":
        if tokens.accept("&"):
            groups[-1].append(read_event(tokens))
        else:
            tokens.expect(",")
            groups.append([read_event(tokens)])
    tokens.finish()
    return groups


def read_event(tokens):
    kind, name = tokens.take()
    if kind != "word":
        raise Mistake(f"{name!r} where an event should be")
    return Event(name, read_optional(tokens))


def read_optional(tokens):
    return read_value(tokens) if tokens.starts_value() else None


def read_error(tokens):
    """A code, perhaps with the message; or a map."""
    if tokens.peek()[0] != "word":
        return read_optional(tokens)
    pattern = {"code": tokens.take()[1]}
    if tokens.peek()[0] == "text":
        pattern["message"] = read_value(tokens)
    if tokens.starts_value():
        pattern.update(read_value(tokens))
    return pattern


def complaint(block, opening):
    """What is wrong with a whole block, if anything."""
    if not block.steps:
        return "has no step"
    if opening == "setup":
        return None
    if not block.rows:
        return "names no row of the checklist"
    differing = bool(block.only) or any(step.side for step in block.steps)
    if differing and not block.differs:
        return "is not the same for both sides and has no 'differs:' with the reason"
    if block.differs and not differing:
        return "gives a reason to differ, and no line that does"
    return None
