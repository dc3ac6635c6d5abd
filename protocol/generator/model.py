"""The schema as objects: protoc's descriptor set, checked, with everything the writers need."""

import importlib
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field as attribute
from pathlib import Path

from google.protobuf import descriptor_pb2

PROTOCOL_VERSION = 1
EVENTS_SUFFIX = "Events"
MAX_FIELDS = 64  # the decoder remembers the fields it has seen in 64 bits


class SchemaError(Exception):
    """The schema says something that cannot be generated; the message names the place."""


def snake(name):
    """socketConnect, SocketConnect -> socket_connect"""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


@dataclass
class Field:
    name: str  # on the MessagePack wire
    label: str  # in error messages
    member: str  # in C, relative to the enclosing struct: "connect.no_delay"
    holder: str  # the C struct that the last part of member belongs to
    type: str  # NB_FIELD_... without the prefix
    message: "Message" = None
    prose: str = ""
    always: bool = False  # a list that is sent even when it is empty
    of: str = ""  # the type as users read it, where that is not the field's own
    invalid: bool = False  # a wrong type is refused as an invalid value

    @property
    def type_name(self):
        """The type as users read it."""
        words = {"UINT64": "uint53", "TEXT": "string", "DOUBLE": "number", "BYTE_STRING": "path", "STRINGS": "string[]",
                 "UINT32S": "uint32[]"}
        return self.of or (self.message.name if self.message else words.get(self.type, self.type.lower()))


@dataclass
class Message:
    name: str
    prose: str
    bare: bool
    open: bool
    fields: list = attribute(default_factory=list)
    inlines: list = attribute(default_factory=list)  # C members whose has_ flag a decoder sets


@dataclass
class Call:
    """A method or an event."""

    service: str
    verb: str
    prose: str
    options: object  # the Method of options.proto
    input: Message
    output: Message
    index: int = 0

    @property
    def name(self):
        return f"{self.service}.{self.verb}"

    @property
    def constant(self):
        return snake(f"{self.service}_{self.verb}").upper()

    @property
    def handler(self):
        return f"nb_on_{snake(self.service)}_{snake(self.verb)}"


@dataclass
class ErrorCode:
    name: str
    prose: str
    fatal: bool


@dataclass
class Schema:
    messages: list
    methods: list
    events: list
    errors: list
    target_names: dict  # number -> SESSION, SOCKET, ...

    def limits(self):
        return next((m.fields for m in self.messages if m.name == "Limits"), [])


def load(directory, sources=("netbroker.proto", "errors.proto")):
    """Reads the schema with protoc; raises SchemaError with protoc's words or with ours."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "schema.bin"
        _protoc(directory, f"--descriptor_set_out={out}", "--include_source_info", *sources)
        _protoc(directory, f"--python_out={scratch}", "options.proto")
        options = _import_options(scratch)
        files = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())
    return _Reader(files, options).read()


def _protoc(directory, *arguments):
    done = subprocess.run(["protoc", "-I.", *arguments], cwd=directory, capture_output=True, text=True)
    if done.returncode != 0:
        raise SchemaError(done.stderr.strip())


def _import_options(scratch):
    """The extensions of options.proto; protobuf allows them to be registered only once per process."""
    if "options_pb2" not in sys.modules:
        sys.path.insert(0, scratch)
        try:
            importlib.import_module("options_pb2")
        finally:
            sys.path.remove(scratch)
    return sys.modules["options_pb2"]


class _Reader:
    def __init__(self, files, options):
        self.files = files.file
        self.options = options
        self.raw = {}  # full name -> (DescriptorProto, file prose, index)
        self.messages = {}

    def read(self):
        methods, events, errors = [], [], []
        for file in self.files:
            prose = _prose_of(file)
            for index, message in enumerate(file.message_type):
                self.raw[f".{file.package}.{message.name}"] = (message, prose, index)
        for name in self.raw:
            self._message(name)
        for file in self.files:
            prose = _prose_of(file)
            for index, service in enumerate(file.service):
                is_events = service.name.endswith(EVENTS_SUFFIX)
                calls = self._calls(service, prose, index)
                (events if is_events else methods).extend(calls)
            errors += self._errors(file, prose)
        _number(methods, "method", range(1, 128))
        _number(events, "event", range(128, 256))
        targets = {v.number: v.name for v in self.options.Target.DESCRIPTOR.values}
        return Schema(list(self.messages.values()), methods, events, errors, targets)

    def _message(self, name):
        raw, prose, index = self.raw[name]
        if raw.name not in self.messages:
            shape = raw.options.Extensions[self.options.shape]
            message = Message(raw.name, prose.get((4, index), ""), shape.bare, shape.open)
            self._add_fields(message, raw, prose, index)
            _check_message(message)
            self.messages[raw.name] = message
        return self.messages[raw.name]

    def _add_fields(self, message, raw, prose, index):
        names = set()
        for position, one in enumerate(raw.field):
            option = one.options.Extensions[self.options.field]
            text = prose.get((4, index, 2, position), "")
            new = self._inline(message, one) if option.inline else [self._field(raw, one, option, text)]
            for field in new:
                if field.name in names and not option.inline:
                    raise SchemaError(f"{raw.name}.{field.name}: an inline message has a field of that name")
                if field.name not in names:
                    message.fields.append(field)
                names.add(field.name)

    def _inline(self, message, one):
        inner = self._message(one.type_name)
        message.inlines += [one.name, *(f"{one.name}.{deeper}" for deeper in inner.inlines)]
        return [Field(f.name, f.label, f"{one.name}.{f.member}", f.holder, f.type, f.message, f.prose, f.always,
                      f.of, f.invalid) for f in inner.fields]

    def _field(self, raw, one, option, text):
        proto = descriptor_pb2.FieldDescriptorProto
        kind = self.options.Kind.Name(option.kind)
        plain = {proto.TYPE_BOOL: "BOOL", proto.TYPE_UINT32: "UINT32", proto.TYPE_INT32: "INT32",
                 proto.TYPE_UINT64: "UINT64", proto.TYPE_DOUBLE: "DOUBLE", proto.TYPE_STRING: "STRING",
                 proto.TYPE_MESSAGE: "MESSAGE"}
        special = {("PORT", proto.TYPE_UINT32), ("PAYLOAD", proto.TYPE_BYTES), ("ANY", proto.TYPE_BYTES),
                   ("BYTE_STRING", proto.TYPE_STRING), ("TEXT", proto.TYPE_STRING)}
        lists = {proto.TYPE_STRING: "STRINGS", proto.TYPE_UINT32: "UINT32S"}
        repeated = one.label == proto.LABEL_REPEATED
        type_ = lists.get(one.type) if repeated else plain.get(one.type)
        if kind != "PLAIN":
            type_ = kind if (kind, one.type) in special and not repeated else None
        if type_ is None:
            raise SchemaError(f"{raw.name}.{one.name}: no such kind of field on the MessagePack wire")
        if not repeated and type_ != "MESSAGE" and not one.proto3_optional:
            raise SchemaError(f"{raw.name}.{one.name}: every field must be optional")
        if option.always and not repeated:
            raise SchemaError(f"{raw.name}.{one.name}: only a list can always be there")
        if option.of and type_ not in ("ANY", "UINT64"):
            raise SchemaError(f"{raw.name}.{one.name}: only a field of kind ANY, or a uint64, is of another type")
        message = self._message(one.type_name) if type_ == "MESSAGE" else None
        prefix = "options." if raw.options.Extensions[self.options.shape].options else ""
        label = option.label or prefix + one.json_name
        return Field(one.json_name, label, one.name, raw.name, type_, message, text, option.always,
                     option.of, option.invalid)

    def _calls(self, service, prose, index):
        calls = []
        for position, rpc in enumerate(service.method):
            place = f"{service.name}.{rpc.name}"
            option = rpc.options.Extensions[self.options.method]
            if not option.HasField("number"):
                raise SchemaError(f"{place}: has no number")
            call = Call(service.name.removesuffix(EVENTS_SUFFIX), rpc.name,
                        prose.get((6, index, 2, position), ""), option,
                        self._message(rpc.input_type), self._message(rpc.output_type))
            if option.hot and not call.input.fields:
                raise SchemaError(f"{place}: a hot message needs a first field")
            calls.append(call)
        return calls

    def _errors(self, file, prose):
        return [ErrorCode(value.name, prose.get((5, e, 2, v), ""), value.options.Extensions[self.options.fatal])
                for e, enum in enumerate(file.enum_type) if enum.name == "ErrorCode"
                for v, value in enumerate(enum.value) if value.number != 0]


def _check_message(message):
    if len(message.fields) > MAX_FIELDS:
        raise SchemaError(f"{message.name}: more than {MAX_FIELDS} fields")
    if message.bare and len(message.fields) != 1:
        raise SchemaError(f"{message.name}: a bare message has one field")


def _number(calls, word, numbers):
    """Gives the dense index, and checks that numbers and names are there once."""
    seen = {}
    for index, call in enumerate(calls):
        call.index = index
        number = call.options.number
        if number not in numbers:
            raise SchemaError(f"{call.name}: number {number} is not one for {word}s: "
                              f"{numbers.start} to {numbers.stop - 1}")
        for key in (number, call.name, call.options.alias or call.name + " "):
            if key in seen:
                raise SchemaError(f"{call.name}: {key} is already that of {seen[key]}")
            seen[key] = call.name


def _prose_of(file):
    """Location path -> the comment written before or behind it, as one line."""
    return {tuple(at.path): " ".join((at.leading_comments or at.trailing_comments).split())
            for at in file.source_code_info.location}
