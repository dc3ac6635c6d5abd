"""The package's types are node:net's: programs that use all of it compile, ESM and CommonJS, and wrong ones do not."""
import fcntl
import json
import os
import pathlib
import re
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
PLACE = pathlib.Path(os.environ.get("NB_TYPES", ROOT / "build" / "types"))
NPM = {"typescript": "5.9.3", "@types/node": "20.19.25"}
DEADLINE = 300  # seconds, for downloads
STRICT = ["--strict", "--noEmit", "--module", "nodenext", "--target", "es2022", "--types", "node"]


def is_complete():
    try:
        installed = {name: json.loads((PLACE / "node_modules" / name / "package.json").read_text())["version"] for name in NPM}
    except FileNotFoundError:
        return False
    return installed == NPM


@pytest.fixture(scope="module")
def folder():
    """With the compiler, the package under its name, and the programs."""
    PLACE.mkdir(parents=True, exist_ok=True)
    with open(PLACE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_complete():
            command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--prefix", PLACE,
                       *(f"{name}@{version}" for name, version in NPM.items())]
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE)
            if not is_complete():
                pytest.skip(f"npm install failed: {done.stderr[-500:]}")
        link = PLACE / "node_modules" / "@netbroker" / "net"
        link.parent.mkdir(exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(ROOT / "clients" / "node")
        for program in (HERE / "types").iterdir():
            (PLACE / program.name).write_text(program.read_text())
        yield PLACE


def compile_program(folder, name):
    command = ["node", folder / "node_modules" / "typescript" / "bin" / "tsc", *STRICT, "--preserveSymlinks", name]
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=120)
    return done.returncode, done.stdout


@pytest.mark.parametrize("name", ["everything.mts", "everything.cts"])
def test_compiles(folder, name):
    status, said = compile_program(folder, name)
    assert status == 0, said


def test_mistakes_are_found(folder):
    _, said = compile_program(folder, "wrong.mts")
    assert sorted(set(map(int, re.findall(r"wrong\.mts\((\d+),", said)))) == [2, 4, 5, 6, 7, 8], said


def test_values_are_those_of_the_types(folder):
    """All that the types promise is there at run time, and no name more."""
    script = ("const [ours, node] = [require('@netbroker/net'), require('node:net')];"
              "const names = (module) => Object.keys(module).filter((name) => !name.startsWith('_')).sort();"
              "require('assert').deepEqual(names(ours), names(node));"
              "import('@netbroker/net').then((esm) => require('assert').deepEqual(Object.keys(esm).filter((n) => n !== 'default').sort(), names(node)))")
    done = subprocess.run(["node", "-e", script], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
