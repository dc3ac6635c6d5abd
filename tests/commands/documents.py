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


def all_documents():
    """Below the top of the sources."""
    parts = [part for part in ROOT.iterdir()
             if part.is_dir() and part.name not in ELSEWHERE and not part.name.startswith("build-")]
    return sorted([*ROOT.glob("*.md"), *(file for part in parts for file in part.rglob("*.md"))])


def documents():
    """Those with something to run."""
    return [file for file in all_documents() if any(block.kind == "run" for block in blocks(file))]


def links_of(document):
    """Relative ones, without what stands behind the #."""
    targets = re.findall(r"\]\(([^)#\s]*)[^)]*\)", document.read_text())
    return [target for target in targets if target and "://" not in target]
