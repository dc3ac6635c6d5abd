"""What is installed for the programs: npm's packages in exact versions, into a directory of the build; and all versions."""
import fcntl
import json
import pathlib
import re
import shutil
import subprocess

from cases import NPM

DEADLINE = 300  # seconds, for downloads of 30 MB
ROOT = pathlib.Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "clients" / "node"  # @netbroker/net


class NotToBeHad(Exception):
    """npm or its registry cannot be reached."""


def install(directory):
    """node_modules of that directory, complete when this returns, whoever asks at the same time."""
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_complete(directory):
            install_packages(directory)
        link_ours(directory)
    return directory / "node_modules"


def is_complete(directory):
    try:
        return all(npm_version(directory / "node_modules", name) == version for name, version in NPM.items())
    except FileNotFoundError:
        return False


def install_packages(directory):
    if not shutil.which("npm"):
        raise NotToBeHad("npm is not installed")
    command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--prefix", directory,
               *(f"{name}@{version}" for name, version in NPM.items())]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE)
    if not is_complete(directory):
        raise NotToBeHad(f"npm install failed: {done.stderr[-2000:]}")


def link_ours(directory):
    """The package of this checkout, under its own name."""
    link = directory / "node_modules" / "@netbroker" / "net"
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(PACKAGE)


def meson_version():
    return re.search(r"version: '(.+)'", (ROOT / "meson.build").read_text())[1]


def npm_version(node_modules, name):
    return json.loads((node_modules / name / "package.json").read_text())["version"]


def debian_version(name):
    """The upstream part: without Debian's epoch and revision."""
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", name], capture_output=True, text=True)
    version = re.sub(r"^\d+:|[-+~].*$", "", done.stdout)
    return version or "not installed"


def version(package, node_modules):
    if package == "libnetbroker":
        return meson_version()
    if package == "node":
        return subprocess.run(["node", "--version"], capture_output=True, text=True).stdout.strip().lstrip("v")
    return npm_version(node_modules, package) if package in NPM else debian_version(package)
