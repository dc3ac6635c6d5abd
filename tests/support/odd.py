"""MessagePack as other encoders write it: any width, any header, on purpose not the shortest.

`odd(value, **choices)` packs like msgpack.packb, with a choice for each kind: integers "u8" to "u64", "i8" to "i64",
"f32" or "f64"; text and bytes "str8" to "bin32"; arrays and maps 16 or 32. Unchosen kinds stay shortest.
"""
import struct

import msgpack

INTEGERS = {"u8": (0xcc, ">B"), "u16": (0xcd, ">H"), "u32": (0xce, ">I"), "u64": (0xcf, ">Q"),
            "i8": (0xd0, ">b"), "i16": (0xd1, ">h"), "i32": (0xd2, ">i"), "i64": (0xd3, ">q"),
            "f32": (0xca, ">f"), "f64": (0xcb, ">d")}
STRINGS = {"str8": (0xd9, ">B"), "str16": (0xda, ">H"), "str32": (0xdb, ">I"),
           "bin8": (0xc4, ">B"), "bin16": (0xc5, ">H"), "bin32": (0xc6, ">I")}
ARRAYS = {16: (0xdc, ">H"), 32: (0xdd, ">I")}
MAPS = {16: (0xde, ">H"), 32: (0xdf, ">I")}


class Raw(bytes):
    """Bytes that are MessagePack already."""


def header(kinds, kind, number):
    code, layout = kinds[kind]
    return bytes([code]) + struct.pack(layout, number)


def odd(value, integer=None, text=None, binary=None, array=None, mapping=None):
    def pack(item):
        return odd(item, integer, text, binary, array, mapping)
    if isinstance(value, Raw):
        return bytes(value)
    if isinstance(value, int) and not isinstance(value, bool) and integer:
        return header(INTEGERS, integer, value)
    if isinstance(value, str) and text:
        return header(STRINGS, text, len(value.encode())) + value.encode()
    if isinstance(value, bytes) and binary:
        return header(STRINGS, binary, len(value)) + value
    if isinstance(value, list):
        head = header(ARRAYS, array, len(value)) if array else msgpack.packb([None] * len(value))[:-len(value) or None]
        return head + b"".join(map(pack, value))
    if isinstance(value, dict):
        head = header(MAPS, mapping, len(value)) if mapping else bytes([0x80 | len(value)])
        return head + b"".join(pack(key) + pack(item) for key, item in value.items())
    return msgpack.packb(value)
