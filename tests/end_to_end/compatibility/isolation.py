"""Proof that a program's traffic goes over the broker.

Where the system allows it, the program runs in a network namespace of its own, without any interface: it has no network
at all, as beside a sidecar, and only Unix sockets lead out. Elsewhere its descriptors are watched while it runs.
"""
import functools
import os
import pathlib
import subprocess

NO_NETWORK = ("unshare", "--map-root-user", "--net")
TABLES = ("tcp", "tcp6", "udp", "udp6")


@functools.lru_cache(maxsize=None)
def can_take_the_network_away():
    try:
        return subprocess.run([*NO_NETWORK, "true"], capture_output=True, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def without_network(command):
    return [*NO_NETWORK, *command] if can_take_the_network_away() else command


def internet_sockets(pid):
    """The inodes of a process's sockets of TCP and UDP, as far as it still runs."""
    try:
        links = [os.readlink(entry) for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir()]
        tables = [pathlib.Path(f"/proc/{pid}/net/{name}").read_text() for name in TABLES]
    except OSError:
        return set()
    known = {line.split()[9] for table in tables for line in table.splitlines()[1:]}
    return known & {link[len("socket:["):-1] for link in links if link.startswith("socket:[")}
