"""Each program and command that a document shows does what the document says."""
import shutil
import subprocess

import pytest

from commands.documents import ELSEWHERE, ROOT, all_documents, blocks, documents, links_of

DEADLINE = 300


def links(folder):
    """Looks like the top of the sources; what is written into it stays out of them."""
    for entry in ROOT.iterdir():
        (folder / entry.name).symlink_to(entry)


def copies(folder):
    """The sources, to be changed."""
    def left_out(_, names):
        return [name for name in names if name in ELSEWHERE or name.startswith((".", "build-"))]

    shutil.copytree(ROOT, folder, ignore=left_out, dirs_exist_ok=True)


@pytest.mark.parametrize("document", documents(), ids=lambda file: str(file.relative_to(ROOT)))
def test_document(document, tmp_path, running, environment):
    shown = blocks(document)
    printed = None
    prepare = copies if any(block.kind == "patch" for block in shown) else links
    prepare(tmp_path)
    for block in shown:
        if block.kind == "file":
            (tmp_path / block.name).write_text(block.text)
        elif block.kind == "output":
            assert printed == block.text
        elif block.kind == "patch":
            shell("patch --quiet -p1 <<'END'\n" + block.text + "END\n", tmp_path, environment)
        elif block.kind == "run":
            printed = shell(block.text, tmp_path, environment)


def shell(text, folder, environment):
    done = subprocess.run(["sh", "-eu", "-c", text], cwd=folder, env=environment, capture_output=True, text=True,
                          timeout=DEADLINE)
    assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("document", all_documents(), ids=lambda file: str(file.relative_to(ROOT)))
def test_links_lead_somewhere(document):
    missing = [link for link in links_of(document) if not (document.parent / link).exists()]
    assert not missing
