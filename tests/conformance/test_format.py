"""What a mistake in a scenario says, and that a scenario which does not happen fails."""
import itertools

import pytest

from notation import Mistake, Tokens, difference, fill, read_value
from play import Line, Mismatch, compare, play
from scenario import Command, Events, Reply, ScenarioError, load

GOOD = "scenario: a title\nrows: EV-01\n"
PAIR = 's > server.create\ns > listen {host: "127.0.0.1", port: 0}\n= {port: $port}\n'


def read(folder, text):
    path = folder / "some.txt"
    path.write_text(text)
    return load(path)


def value(text):
    tokens = Tokens(text)
    found = read_value(tokens)
    tokens.finish()
    return found


@pytest.mark.parametrize("text, line, message", [
    ("c > write", 1, "the file begins without 'scenario:'"),
    ("scenario:", 1, "a scenario without a title"),
    ("scenario: a\nrows: EV-1\nc > write", 2, "EV-1 where ids of the checklist should be"),
    ("scenario: a\nc > write", 1, "'a' names no row of the checklist"),
    (GOOD, 1, "'a title' has no step"),
    (GOOD + "rwos: EV-02\nc > write", 3, "unknown header 'rwos'"),
    (GOOD + "c > write\nrows: EV-02", 4, "'rows:' after the first step"),
    (GOOD + "c > write\n\n# of old\nscenario: a title\nrows: EV-02\nc > write", 6, "the title 'a title' is there twice"),
    (GOOD + "only: deno\nc > write", 3, "'only:' is broker or node, not 'deno'"),
    (GOOD + "broker | c > write", 1, "'a title' is not the same for both sides and has no 'differs:' with the reason"),
    (GOOD + "differs: for fun\nc > write", 1, "'a title' gives a reason to differ, and no line that does"),
    (GOOD + "given nothing", 3, "no setup 'nothing' in setups.txt"),
    (GOOD + "c write", 3, "'c write' is no command (>), no event (<) and no reply (= or !)"),
    (GOOD + "= {}", 3, "a reply without its command in the line above"),
    (GOOD + "c > write\nc = {}", 4, "'{' where the command should be to which this is the reply"),
    (GOOD + "c > write\n=\n=", 5, "a second reply to one command"),
    (GOOD + "c > write 1 2 3", 3, "'3' is too much"),
    (GOOD + "c > write [hello]", 3, "'hello' is no value; a text needs quotes"),
    (GOOD + 'c > write {a: 1, a: 2}', 3, "the field 'a' is there twice"),
    (GOOD + 'c > write {a: 1', 3, "the end of the line where '}' should be"),
    (GOOD + 'c > write x"123"', 3, 'x"123" has half a byte'),
    (GOOD + 'c > write "open', 3, "cannot read '\"open'"),
    (GOOD + 'c < connect; ready', 3, "cannot read '; ready'"),
    (GOOD + 'c < connect ready', 3, "'ready' is no value; a text needs quotes"),
    (GOOD + 'c > "write"', 3, "'\"write\"' where a command should be"),
])
def test_a_mistake_is_named_with_its_place(tmp_path, text, line, message):
    with pytest.raises(ScenarioError) as raised:
        read(tmp_path, text)
    assert str(raised.value) == f"some.txt:{line}: {message}"


def test_a_scenario_is_read(tmp_path):
    text = GOOD + 'ignore: drain\nc > write "a" {encoding: "hex"}\n! ERR_A "no" {port: 1}\nc < data "b" & end, close {hadError: true}'
    scenario, = read(tmp_path, text)
    command, reply, events = scenario.steps
    assert scenario.name == "some: a title" and scenario.ignore == {"drain"} and scenario.rows == ["EV-01"]
    assert isinstance(command, Command) and (command.label, command.method) == ("c", "write")
    assert command.values == ["a", {"encoding": "hex"}]
    assert isinstance(reply, Reply) and reply.fails and reply.pattern == {"code": "ERR_A", "message": "no", "port": 1}
    assert isinstance(events, Events) and events.groups == [[("data", "b"), ("end", None)], [("close", {"hadError": True})]]


def test_logs_are_compared_but_for_lines_of_one_side():
    ours = [Line("a.txt:1", "s > x", None, "= 1"), Line("a.txt:2", "s < y", "broker", "s < y"), Line("a.txt:4", "=", None, "= 2")]
    theirs = [Line("a.txt:1", "s > x", None, "= 1"), Line("a.txt:3", "s < z", "node", "s < z"), Line("a.txt:4", "=", None, "= 3")]
    assert compare(ours, ours) == []
    assert compare(ours, theirs) == ["a.txt:4: =\n    broker: = 2\n    node:   = 3"]


def test_lines_for_one_side_are_played_on_that_side_only(tmp_path):
    scenario, = read(tmp_path, GOOD + "differs: reasons\nc > a\nbroker | ! ERR_A\nnode | =\nnode | c < b")
    assert [step.source for step in scenario.steps_of("broker")] == ["c > a", "! ERR_A"]
    assert [step.source for step in scenario.steps_of("node")] == ["c > a", "=", "c < b"]


@pytest.mark.parametrize("text, meaning", [
    ("{a: [1, -2.5, true], \"b c\": {}}", {"a": [1, -2.5, True], "b c": {}}),
    ('x"00ff" * 2', b"\x00\xff\x00\xff"), ('"$dir/" + "a" * 3', "/d/aaa"), ('"a\\u0000b"', "a\0b"), ("$dir", "/d"),
    ("65_536", 65536),
])
def test_values(text, meaning):
    assert fill(value(text), {"dir": "/d"}) == meaning


@pytest.mark.parametrize("pattern, real, why", [
    ("{a: 1}", {"a": 1, "b": 2}, None),
    ("{a: 1}", {"a": 2}, "a is 2, not 1"),
    ("{a: {b: _}}", {"a": {}}, "a.b is not there"),
    ("{a: absent}", {"a": 1}, "a is there: 1"),
    ("{a: one of [1, 2]}", {"a": 3}, "a is 3, which is none of the given"),
    ("true", 1, "it is 1, not true"), ("0", False, "it is false, not 0"), ('"ab"', b"ab", None),
    ("[1, 2]", [1, 3], "[1] is 3, not 2"), ("[1]", [1, 2], "it is [1, 2], not [1]"),
    ('"at $port"', "at 8", None), ('"at $port"', "at 9", 'it is "at 9", not "at 8"'),
])
def test_patterns(pattern, real, why):
    assert difference(value(pattern), real, {"port": 8}) == why


def test_a_free_name_is_bound_and_then_holds():
    names = {}
    assert difference(value("{a: $x}"), {"a": 5}, names) is None and names == {"x": 5}
    assert difference(value("$x"), 6, names) == "it is 6, not 5"
    with pytest.raises(Mistake, match=r"\$y is not bound"):
        fill(value('"$y"'), names)


@pytest.mark.parametrize("steps, message", [
    ("s > server.create\ns > close\n=", 'failed with {code: "ERR_SERVER_NOT_RUNNING"'),
    ("s > server.create\n! ERR_A", "succeeded with {id: 1}"),
    ("net > isIP {input: \"::1\"}\n= 4", "it is 6, not 4"),
    (PAIR + "s < close", "listening {"),
    (PAIR, "at the end there is also s < server.listening"),
    ("s > server.create\ns > address {a: 1}", 'failed with {argument: "a"'),
    ("s > server.create\ns = close", "s close is not open"),
    ("x > write \"a\"", "nobody is called x"),
    ("p > peer.sing", "a peer cannot sing"),
    (PAIR + "s < listening\ns > address\n= {port: 1}", ", not 1"),
    (PAIR + "s < listening\np > peer.connect {port: $port}\ns < connection {socket: $a}\na > write \"ab\"\n=\np < data \"ac\"", "data bytes"),
    (PAIR + "s < listening\np > peer.connect {port: $port}\ns < connection {socket: $a}\na > end\n=\np < data \"a\"", "stream ended"),
    (PAIR + "s < listening\np > peer.connect {port: $port}\ns < nothing", "connection {"),
], ids=itertools.count())
def test_what_does_not_happen_fails(tmp_path, broker_side, steps, message):
    scenario, = read(tmp_path, GOOD + steps)
    with pytest.raises(Mismatch) as raised:
        play(scenario, broker_side)
    assert message in str(raised.value) and "some.txt:" in str(raised.value)
