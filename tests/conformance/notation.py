"""Values as scenarios write them, and as patterns that a real value either fits or does not.

    {port: $port, host: "127.0.0.1"}   a map; keys need no quotes
    [1, 2]   -5   1.5   true   Infinity   NaN   null
    "text"   "with $name inside"   "ab" * 1000   "$dir/" + "a" * 90
    x"00ff"                            bytes
    $name                              what the name was bound to; in a pattern a free name is bound
    _                                  in a pattern: anything that is there
    absent                             in a pattern: a field that is not there
    one of ["a", "b"]                  in a pattern: any of these
"""
import json
import math
import re
import zlib
from typing import Any, List, NamedTuple

TOKEN = re.compile(r"""
    \s*(?: (?P<comment>\#.*$)
         | (?P<bytes>x"[0-9a-fA-F]*")
         | (?P<text>"(?:[^"\\]|\\.)*")
         | (?P<number>-?\d[\d_]*(?:\.\d+)?(?:e-?\d+)?)
         | (?P<name>\$[A-Za-z]\w*)
         | (?P<word>[A-Za-z_][\w.-]*)
         | (?P<mark>[{}\[\]:,*+&]) )""", re.VERBOSE)
INSIDE = re.compile(r"\$([A-Za-z]\w*)")
CONSTANTS = {"true": True, "false": False, "null": None, "Infinity": math.inf, "NaN": math.nan}


class Mistake(ValueError):
    """Something in a line that cannot be read; the message says what."""


class Name(NamedTuple):
    name: str


class Text(NamedTuple):
    """A text with names in it."""
    text: str


class Joined(NamedTuple):
    """Texts one after the other."""
    parts: List[Any]


class OneOf(NamedTuple):
    choices: List[Any]


class Mark:
    def __init__(self, text):
        self.text = text

    def __repr__(self):
        return self.text


ANYTHING = Mark("_")
ABSENT = Mark("absent")


class Tokens:
    """The words of a line, one after the other."""

    def __init__(self, line):
        self._all, at = [], 0
        line = line.rstrip()
        while at < len(line):
            found = TOKEN.match(line, at)
            if not found:
                raise Mistake(f"cannot read {line[at:].strip()!r}")
            at = found.end()
            if found.lastgroup != "comment":
                self._all.append((found.lastgroup, found[found.lastgroup]))
        self._at = 0

    def peek(self):
        return self._all[self._at] if self._at < len(self._all) else ("end", "the end of the line")

    def take(self):
        token = self.peek()
        self._at += token[0] != "end"
        return token

    def accept(self, mark):
        """Takes the mark, if it is next."""
        if self.peek() == ("mark", mark):
            self._at += 1
            return True
        return False

    def expect(self, mark):
        if not self.accept(mark):
            raise Mistake(f"{self.peek()[1]} where {mark!r} should be")

    def finish(self):
        if self.peek()[0] != "end":
            raise Mistake(f"{self.peek()[1]!r} is too much")

    def starts_value(self):
        kind, word = self.peek()
        return kind in ("bytes", "text", "number", "name", "word") or (kind == "mark" and word in "{[")


def read_value(tokens):
    """The next value or pattern of a line."""
    value = read_part(tokens)
    if tokens.peek() != ("mark", "+"):
        return value
    parts = [value]
    while tokens.accept("+"):
        parts.append(read_part(tokens))
    return Joined(parts)


def read_part(tokens):
    value = read_item(tokens)
    if not tokens.accept("*"):
        return value
    times = read_item(tokens)
    if not isinstance(times, int) or not isinstance(value, (str, bytes)):
        raise Mistake("'*' repeats a text or bytes, so many times")
    return value * times


def read_item(tokens):
    kind, word = tokens.take()
    if kind == "text":
        return read_text(word)
    if kind == "bytes":
        return read_bytes(word)
    if kind == "number":
        return json.loads(word.replace("_", ""))
    if kind == "name":
        return Name(word[1:])
    if kind == "word":
        return read_word(word, tokens)
    if (kind, word) == ("mark", "{"):
        return read_map(tokens)
    if (kind, word) == ("mark", "["):
        return read_list(tokens)
    raise Mistake(f"{word!r} where a value should be")


def read_text(word):
    try:
        text = json.loads(word)
    except ValueError:
        raise Mistake(f"{word} is not a text as JSON has it") from None
    return Text(text) if INSIDE.search(text) else text


def read_bytes(word):
    try:
        return bytes.fromhex(word[2:-1])
    except ValueError:
        raise Mistake(f"{word} has half a byte") from None


def read_word(word, tokens):
    if word == "one" and tokens.take() == ("word", "of"):
        tokens.expect("[")
        return OneOf(read_list(tokens))
    if word in CONSTANTS:
        return CONSTANTS[word]
    if word == "_":
        return ANYTHING
    if word == "absent":
        return ABSENT
    raise Mistake(f"{word!r} is no value; a text needs quotes")


def read_map(tokens):
    fields = {}
    while not tokens.accept("}"):
        kind, word = tokens.take()
        if kind not in ("word", "text"):
            raise Mistake(f"{word!r} where the name of a field should be")
        key = word if kind == "word" else json.loads(word)
        if key in fields:
            raise Mistake(f"the field {key!r} is there twice")
        tokens.expect(":")
        fields[key] = read_value(tokens)
        if not tokens.accept(","):
            tokens.expect("}")
            break
    return fields


def read_list(tokens):
    items = []
    while not tokens.accept("]"):
        items.append(read_value(tokens))
        if not tokens.accept(","):
            tokens.expect("]")
            break
    return items


def fill(value, names):
    """The value with every name replaced by what it is bound to."""
    if isinstance(value, Name):
        return bound(value.name, names)
    if isinstance(value, Text):
        return INSIDE.sub(lambda found: str(bound(found[1], names)), value.text)
    if isinstance(value, Joined):
        return "".join(fill(part, names) for part in value.parts)
    if isinstance(value, dict):
        return {key: fill(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [fill(item, names) for item in value]
    return value


def bound(name, names):
    if name not in names:
        raise Mistake(f"${name} is not bound")
    return names[name]


def difference(pattern, value, names, where=""):
    """Why the value does not fit the pattern, or None when it does; then free names in the pattern are bound."""
    if isinstance(pattern, Name) and pattern.name not in names:
        names[pattern.name] = value
        return None
    if pattern is ANYTHING:
        return None
    if isinstance(pattern, OneOf):
        fits = any(difference(choice, value, names) is None for choice in pattern.choices)
        return None if fits else f"{where or 'it'} is {show(value)}, which is none of the given"
    if isinstance(pattern, dict):
        return difference_of_maps(pattern, value, names, where)
    if isinstance(pattern, list) and isinstance(value, list) and len(pattern) == len(value):
        pairs = enumerate(zip(pattern, value))
        return next(filter(None, (difference(*pair, names, f"{where}[{at}]") for at, pair in pairs)), None)
    wanted = fill(pattern, names)
    return None if same(wanted, value) else f"{where or 'it'} is {show(value)}, not {show(wanted)}"


def difference_of_maps(pattern, value, names, where):
    """Fields that the pattern does not name may have any value."""
    if not isinstance(value, dict):
        return f"{where or 'it'} is {show(value)}, not a map"
    for key, wanted in pattern.items():
        place = f"{where}.{key}" if where else key
        if wanted is ABSENT:
            if key in value:
                return f"{place} is there: {show(value[key])}"
        elif key not in value:
            return f"{place} is not there"
        elif found := difference(wanted, value[key], names, place):
            return found
    return None


def same(wanted, value):
    """Equal, and of one kind; a text stands for its bytes, too."""
    if isinstance(wanted, str) and isinstance(value, bytes):
        return wanted.encode() == value
    if isinstance(wanted, bool) is not isinstance(value, bool):
        return False
    return wanted == value


def show(value):
    """A value in this notation, long texts cut."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {show(item)}" for key, item in sorted(value.items())) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(show, value)) + "]"
    if isinstance(value, bytes):
        return show_bytes(value)
    if isinstance(value, str) and len(value) > 400:
        return f"{json.dumps(value[:40])}... of {len(value)} characters, {hash_of(value.encode())}"
    if isinstance(value, (Mark, Name, Text, Joined, OneOf)):
        return repr(value)
    return json.dumps(value, ensure_ascii=False)


def show_bytes(value):
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = None
    if len(value) > 200:
        return f"{len(value)} bytes, {hash_of(value)}"
    return f"bytes {json.dumps(text)}" if text is not None and text.isprintable() else f'x"{value.hex()}"'


def hash_of(data):
    return f"crc {zlib.crc32(data):08x}"
