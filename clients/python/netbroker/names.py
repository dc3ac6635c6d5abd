"""Between Python's names and values and those of the wire."""
from __future__ import annotations

import functools
import os
import re
from typing import Any, Dict, Mapping, Union

StrPath = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]


@functools.lru_cache(maxsize=1024)
def to_camel(name: str) -> str:
    """`no_delay` -> `noDelay`."""
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


@functools.lru_cache(maxsize=1024)
def to_snake(name: str) -> str:
    """`noDelay` -> `no_delay`."""
    return re.sub("[A-Z]", lambda letter: "_" + letter.group().lower(), name)


def to_body(**options: Any) -> Dict[str, Any]:
    """A body of the wire; options that are None are left out."""
    return {to_camel(name): value for name, value in options.items() if value is not None}


def from_body(body: Mapping[str, Any]) -> Dict[str, Any]:
    """What came, under Python's names."""
    return {to_snake(name): value for name, value in body.items()}


def to_path(path: StrPath) -> Union[str, bytes]:
    """A Unix path as the wire has it: text, or bytes where it is not UTF-8."""
    raw = os.fsencode(path)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw
