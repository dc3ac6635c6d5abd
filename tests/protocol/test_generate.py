"""generate.py: the committed files are fresh, and bad schemas are refused with the place that is wrong."""

import importlib
import shutil
import subprocess
import sys
from pathlib import Path

import msgpack
import pytest

PROTOCOL = Path(__file__).resolve().parents[2] / "protocol"
sys.path.insert(0, str(PROTOCOL))
model = importlib.import_module("generator.model")
c_code = importlib.import_module("generator.c_code")
documents = importlib.import_module("generator.documents")


def test_committed_files_are_fresh():
    done = subprocess.run([sys.executable, PROTOCOL / "generate.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_everything_is_explained():
    committed = model.load(PROTOCOL)
    silent = [f"{m.name}.{f.name}" for m in committed.messages for f in m.fields if not f.prose]
    silent += [c.name for c in committed.methods + committed.events + committed.errors if not c.prose]
    assert silent == []


@pytest.fixture
def schema(tmp_path):
    """Makes a schema of the given text and loads it."""
    shutil.copy(PROTOCOL / "options.proto", tmp_path)

    def make(text):
        head = 'syntax = "proto3";\npackage nb;\nimport "options.proto";\n'
        (tmp_path / "netbroker.proto").write_text(head + text)
        return model.load(tmp_path, ["netbroker.proto"])

    return make


GOOD = """
message Nothing {}
message Inner { optional uint32 size = 1; }
// Prose of One.
message One {
  optional uint32 tcp_port = 1 [(field) = { kind: PORT }]; // Prose of tcpPort.
  optional Inner inner = 2 [(field) = { inline: true }];
  optional uint32 error_number = 3 [json_name = "errno"];
  repeated string names = 4 [(field) = { always: true }]; // Prose of names
}
service thing {
  // Prose of doIt.
  rpc doIt(One) returns (Nothing) { option (method) = { number: 5 target: SOCKET alias: "net.doIt" since: 2 }; }
}
service thingEvents {
  rpc done(Nothing) returns (Nothing) { option (method) = { number: 200 hot: false }; }
}
"""


def test_a_good_schema(schema):
    loaded = schema(GOOD)
    one = next(m for m in loaded.messages if m.name == "One")
    assert [(f.name, f.member, f.type) for f in one.fields] == [
        ("tcpPort", "tcp_port", "PORT"), ("size", "inner.size", "UINT32"), ("errno", "error_number", "UINT32"),
        ("names", "names", "STRINGS")]
    assert one.inlines == ["inner"]
    assert (one.prose, one.fields[0].prose) == ("Prose of One.", "Prose of tcpPort.")
    method, event = loaded.methods[0], loaded.events[0]
    assert (method.name, method.handler, method.constant) == ("thing.doIt", "nb_on_thing_do_it", "THING_DO_IT")
    assert (event.name, event.options.number) == ("thing.done", 200)


def test_labels_are_what_node_says(schema):
    loaded = schema("""
        message Options {
          option (shape) = { options: true };
          optional uint32 port = 1;
          optional string host = 2 [(field) = { label: "hostname" }];
        }
        message Both { optional Options options = 1 [(field) = { inline: true }]; optional uint32 size = 2; }""")
    both = next(m for m in loaded.messages if m.name == "Both")
    assert [(f.name, f.label) for f in both.fields] == [
        ("port", "options.port"), ("host", "hostname"), ("size", "size")]


def test_types_as_users_read_them(schema):
    loaded = schema("""
        message A {
          optional bytes rules = 1 [(field) = { kind: ANY of: "string[]" }];
          optional string address = 2 [(field) = { kind: TEXT invalid: true }];
        }""")
    rules, address = loaded.messages[0].fields
    assert (rules.type, rules.type_name) == ("ANY", "string[]")
    assert (address.type, address.type_name, address.invalid) == ("TEXT", "string", True)


def test_the_description_says_it_all(schema):
    description = msgpack.unpackb(msgpack.packb(c_code.describe(schema(GOOD))))
    assert set(description) == {"protocol", "methods", "events", "types", "errors", "limits"}
    assert description["methods"] == [{"name": "thing.doIt", "number": 5, "since": 2, "prose": "Prose of doIt.",
                                       "alias": "net.doIt", "target": "socket", "params": "One",
                                       "result": "Nothing"}]
    one = next(t for t in description["types"] if t["name"] == "One")
    assert one["fields"][0] == {"name": "tcpPort", "type": "port", "prose": "Prose of tcpPort."}
    assert one["fields"][3] == {"name": "names", "type": "string[]", "prose": "Prose of names", "always": True}


def test_the_reference_says_what_not_every_session_has(schema):
    loaded = schema(GOOD.replace("since: 2", 'since: 2 feature: "flow" deprecated_since: 3'))
    text = documents.protocol_md(loaded, "@METHODS@\n@EVENTS@\n@TYPES@\n")
    assert ("| 5 | `thing.doIt`, `net.doIt` | [One](#one) |  | Prose of doIt. Since version 2. Feature `flow`."
            " Deprecated since version 3. |") in text
    assert "| `tcpPort` | port | Prose of tcpPort. |" in text
    assert "| `names` | string[] | Prose of names; always there, if need be empty |" in text
    assert "| 200 | `thing.done` |  |  |" in text


def service(*rpcs, name="thing"):
    return "message Nothing {}\nservice %s { %s }\n" % (name, " ".join(
        f"rpc {rpc}(Nothing) returns (Nothing) {{ {option} }}" for rpc, option in rpcs))


def number(value):
    return "option (method) = { number: %d };" % value


BAD = {
    "a number twice": (service(("a", number(3)), ("b", number(3))), "thing.b: 3 is already that of thing.a"),
    "no number": (service(("a", "")), "thing.a: has no number"),
    "a method with an event's number": (service(("a", number(128))), "thing.a: number 128 is not one for methods"),
    "an event with a method's number": (service(("a", number(5)), name="thingEvents"),
                                        "thing.a: number 5 is not one for events"),
    "an alias that is a name": (service(("a", number(1)), ("b", 'option (method) = { number: 2 alias: "thing.a" };')),
                                "thing.b: thing.a is already that of thing.a"),
    "hot without a field": (service(("a", "option (method) = { number: 1 hot: true };")),
                            "thing.a: a hot message needs a first field"),
    "a field that is not optional": ("message A { uint32 x = 1; }", "A.x: every field must be optional"),
    "a type without a form": ("message A { optional float x = 1; }", "A.x: no such kind of field"),
    "bytes of no kind": ("message A { optional bytes x = 1; }", "A.x: no such kind of field"),
    "a port that is text": ("message A { optional string x = 1 [(field) = { kind: PORT }]; }",
                            "A.x: no such kind of field"),
    "a bare message of two": ("message A { option (shape) = { bare: true };"
                              " optional bool x = 1; optional bool y = 2; }", "A: a bare message has one field"),
    "too many fields": ("message A { " + " ".join(f"optional bool f{i} = {i};" for i in range(1, 66)) + " }",
                        "A: more than 64 fields"),
    "one value that is always there": ("message A { optional bool x = 1 [(field) = { always: true }]; }",
                                       "A.x: only a list can always be there"),
    "a type beside its own": ('message A { optional bool x = 1 [(field) = { of: "bool[]" }]; }',
                              "A.x: only a field of kind ANY, or a uint64, is of another type"),
    "text that is bytes": ("message A { optional bytes x = 1 [(field) = { kind: TEXT }]; }",
                           "A.x: no such kind of field"),
    "no Protobuf": ("message A {", "netbroker.proto:4"),
    "an unknown option": ("message A { optional bool x = 1 [(field) = { colour: 3 }]; }", "colour"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_schemas_are_refused_by_name(schema, name):
    text, message = BAD[name]
    with pytest.raises(model.SchemaError) as caught:
        schema(text)
    assert message in str(caught.value)


def test_the_command_reports_without_a_traceback(tmp_path):
    for file in PROTOCOL.glob("*.proto"):
        shutil.copy(file, tmp_path)
    shutil.copy(PROTOCOL / "netbroker.options", tmp_path)
    shutil.copy(PROTOCOL / "protocol.md.in", tmp_path)
    broken = (tmp_path / "netbroker.proto").read_text().replace("number: 2 }", "number: 1 }")
    (tmp_path / "netbroker.proto").write_text(broken)
    done = subprocess.run([sys.executable, PROTOCOL / "generate.py", "--check", "--schema", tmp_path],
                          capture_output=True, text=True)
    assert done.returncode != 0
    assert done.stderr == "generate.py: session.describe: 1 is already that of session.hello\n"


def test_a_changed_file_is_found(tmp_path):
    generate = importlib.import_module("generate")
    assert generate.check(tmp_path, {"a/b.txt": "one\ntwo\n"}) == 1
    generate.write(tmp_path, {"a/b.txt": "one\ntwo\n"})
    assert generate.check(tmp_path, {"a/b.txt": "one\ntwo\n"}) == 0
    (tmp_path / "a/b.txt").write_text("one\n")
    assert generate.check(tmp_path, {"a/b.txt": "one\ntwo\n"}) == 1
