#!/usr/bin/python3
"""Writes everything that is made from netbroker.proto, or with --check compares it with what is committed."""

import argparse
import difflib
import subprocess
import sys
import tempfile
from pathlib import Path

from generator import c_code, clients, documents, fuzz, model

HERE = Path(__file__).resolve().parent


def outputs(directory):
    """Path below the repository's root -> text of the generated file."""
    schema = model.load(directory)
    template = (directory / "protocol.md.in").read_text()
    return {
        **nanopb(directory),
        "protocol/generated/schema_index.h": c_code.schema_index_h(schema),
        "protocol/generated/schema.c": c_code.schema_c(schema),
        "protocol/generated/handlers.def": c_code.handlers_def(schema),
        "docs/protocol.md": documents.protocol_md(schema, template),
        "clients/python/netbroker/_schema.py": clients.schema_py(schema),
        "clients/node/lib/schema.cjs": clients.schema_js(schema),
        "clients/c/schema.h": clients.schema_h(schema),
        "fuzz/codec.dict": fuzz.codec_dict(schema),
        "fuzz/frame.dict": fuzz.frame_dict(schema),
    }


def nanopb(directory):
    """The C structs and their Protobuf descriptors."""
    with tempfile.TemporaryDirectory() as scratch:
        done = subprocess.run(
            ["nanopb_generator.py", "-q", "-I", ".", "-D", scratch, "-f", "netbroker.options", "netbroker.proto"],
            cwd=directory, capture_output=True, text=True)
        if done.returncode != 0:
            raise model.SchemaError(done.stderr.strip())
        return {f"protocol/generated/{file.name}": file.read_text() for file in sorted(Path(scratch).iterdir())}


def write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def check(root, files):
    """Prints what differs; returns the number of files that are not as they should be."""
    stale = 0
    for name, text in files.items():
        path = root / name
        old = path.read_text() if path.exists() else ""
        difference = list(difflib.unified_diff(old.splitlines(), text.splitlines(), name, name + " (new)", lineterm=""))
        if difference:
            stale += 1
            print("\n".join(difference[:20]))
    return stale


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 when a file is not fresh")
    parser.add_argument("--schema", type=Path, default=HERE, help="folder of the .proto files (default: this one)")
    arguments = parser.parse_args()
    try:
        files = outputs(arguments.schema)
    except model.SchemaError as error:
        sys.exit(f"generate.py: {error}")
    if not arguments.check:
        write(HERE.parent, files)
    elif check(HERE.parent, files):
        sys.exit("generate.py: not fresh; run protocol/generate.py")


if __name__ == "__main__":
    main()
