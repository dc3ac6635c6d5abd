"""The fuzzers' dictionaries: names as they are on the wire, and the heads of MessagePack values."""

import msgpack

from .clients import NOTE

FRAME_HEADS = 4  # of the following
HEADS = [b"\x94\x00\x01", b"\x93\x02", b"\x92\x01", b"\x93\x01", b"\xc0", b"\xc1", b"\xd4\x00\x00", b"\xd6\xff\x00\x00\x00\x00",
         b"\xc4\x00", b"\xc5\xff\xff", b"\xc6\xff\xff\xff\xff", b"\xd9\x00", b"\xdb\xff\xff\xff\xff", b"\xdc\xff\xff",
         b"\xdd\xff\xff\xff\xff", b"\xde\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xca\x7f\xc0\x00\x00",
         b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00", b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", b"\xd3\x80\x00\x00\x00\x00\x00\x00\x00"]


def frame_dict(schema):
    methods = [name for m in schema.methods for name in (m.name, m.options.alias) if name]
    return _dictionary(HEADS, methods + _fields(m.input for m in schema.methods))


def codec_dict(schema):
    """No heads of frames: an input is one value."""
    return _dictionary(HEADS[FRAME_HEADS:], _fields(schema.messages))


def _fields(messages):
    return sorted({f.name for message in messages for f in message.fields})


def _dictionary(heads, names):
    entries = heads + [msgpack.packb(name) for name in names]
    return f"# {NOTE}: tokens for libFuzzer\n" + "".join(f'"{_escape(entry)}"\n' for entry in entries)


def _escape(data):
    return "".join(chr(b) if 0x20 <= b < 0x7f and chr(b) not in '"\\' else f"\\x{b:02x}" for b in data)
