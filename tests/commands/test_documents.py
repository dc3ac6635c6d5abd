"""Each program and command that a document shows does what the document says."""
import subprocess

import pytest

from commands.documents import ROOT, blocks, documents

DEADLINE = 120


@pytest.fixture
def workplace(tmp_path):
    """Looks like the top of the sources, but what is written into it stays out of them."""
    for entry in ROOT.iterdir():
        (tmp_path / entry.name).symlink_to(entry)
    return tmp_path


@pytest.mark.parametrize("document", documents(), ids=lambda file: str(file.relative_to(ROOT)))
def test_document(document, workplace, running, environment):
    printed = None
    for block in blocks(document):
        if block.kind == "file":
            (workplace / block.name).write_text(block.text)
        elif block.kind == "output":
            assert printed == block.text
        elif block.kind == "run":
            printed = shell(block.text, workplace, environment)


def shell(text, folder, environment):
    done = subprocess.run(["sh", "-eu", "-c", text], cwd=folder, env=environment, capture_output=True, text=True,
                          timeout=DEADLINE)
    assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
    return done.stdout
