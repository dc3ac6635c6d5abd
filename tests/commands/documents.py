"""What the documents show, as a reader would follow it.

A fence says what its block is, behind the language:

    ```python file=NAME     the block becomes that file
    ```sh run               the block is run by sh, in the order of the document
    ```text output          what the run before has to print
    ```diff patch           is applied to the sources
"""
import pathlib
import re
from typing import List, NamedTuple

ROOT = pathlib.Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(\w+) (run|output|patch|file=(\S+))\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ELSEWHERE = {"build", "build-check", "node_modules", ".git"}


class Block(NamedTuple):
    kind: str  # "run", "output", "patch" or "file"
    name: str  # of the file
    text: str


def blocks(document) -> List[Block]:
    return [Block(kind.partition("=")[0], name, text)
            for _, kind, name, text in FENCE.findall(document.read_text())]


def documents():
    """Those with something to run, below the top of the sources."""
    found = [*ROOT.glob("*.md"), *(file for part in ROOT.iterdir() if part.is_dir() and part.name not in ELSEWHERE
                                   and not part.name.startswith("build-") for file in part.rglob("*.md"))]
    return sorted(file for file in found if any(block.kind == "run" for block in blocks(file)))
