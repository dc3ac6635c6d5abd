"""The daemon under test: a real process, its socket, its descriptors and its memory.

NETBROKER_BINARY names the program; without it, build/netbroker of this checkout.
"""
import ctypes
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time

from support.wire import DEADLINE

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("NETBROKER_BINARY", ROOT / "build" / "netbroker")).resolve()
WATCHED = 0.4  # seconds
MOST_WORK = 0.1  # of them; a loop that spins takes them all
PIDFD_GETFD = 438
PERTURB = "MALLOC_PERTURB_"  # meson sets it; it would make resident what is only set aside
SANITIZER_REPORTS = ("Sanitizer", "runtime error:", "Assertion", "assertion failed")


def sanitized():
    """Whether the program was built with a sanitizer, which makes its memory use meaningless."""
    data = BINARY.read_bytes() if BINARY.exists() else b""
    return b"__asan_init" in data or b"__tsan_init" in data


def wait_until(condition, what, deadline=None):
    """Polls a fact that sends no event (a file, a counter of the kernel) and returns its first true value."""
    end = time.monotonic() + (deadline or DEADLINE)
    while not (value := condition()):
        assert time.monotonic() < end, f"not in time: {what}"
        time.sleep(0.005)
    return value


def tcp_rows():
    """The kernel's TCP table over IPv4 and IPv6: (local port, remote port, state, bytes not yet read, inode)."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in pathlib.Path(table).read_text().splitlines()[1:]:
            cells = line.split()
            yield (int(cells[1].split(":")[1], 16), int(cells[2].split(":")[1], 16), int(cells[3], 16),
                   int(cells[4].split(":")[1], 16), int(cells[9]))


def duplicate_from(pid, number):
    """pidfd_getfd(2): needs the right to trace `pid`, which a parent has."""
    libc = ctypes.CDLL(None, use_errno=True)
    pidfd = os.pidfd_open(pid)
    try:
        fd = libc.syscall(PIDFD_GETFD, pidfd, number, 0)
    finally:
        os.close(pidfd)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "pidfd_getfd: " + os.strerror(ctypes.get_errno()))
    return fd


class Broker:
    """A running `netbroker serve`. `path` is where it listens."""

    def __init__(self, path, *flags, env=None, command=None, pass_fds=()):
        """Starts it; `command` replaces the whole command line. Returns when it is ready."""
        self.path = pathlib.Path(path)
        self.stderr = []
        self._changed = threading.Condition()
        command = command or [str(BINARY), "serve", "--socket", str(path), *flags]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                        errors="replace", env={**os.environ, PERTURB: "0", **(env or {})}, pass_fds=pass_fds)
        self.pid = self.process.pid
        self._reader = threading.Thread(target=self._collect, daemon=True)
        self._reader.start()
        self._wait_ready()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.stop() if exc[0] is None else self.kill()

    def _collect(self):
        for line in self.process.stderr:
            with self._changed:
                self.stderr.append(line.rstrip("\n"))
                self._changed.notify_all()

    def _wait_ready(self):
        def settled():
            return self._is_ready() or not self._reader.is_alive()
        with self._changed:
            end = time.monotonic() + DEADLINE
            while not settled() and time.monotonic() < end:
                self._changed.wait(0.1)
        if not self._is_ready():
            self.kill()
            raise RuntimeError("the daemon did not become ready:\n" + "\n".join(self.stderr))

    def _is_ready(self):
        return any("ready" in line for line in self.stderr)

    def open_fds(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def rss(self):
        """Resident memory in bytes."""
        pages = int(pathlib.Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def cpu_seconds(self):
        """Processor time used so far, in user and kernel mode."""
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def assert_at_rest(self):
        """Watches the daemon for a moment, after what was just started has come to its end."""
        time.sleep(0.05)
        before = self.cpu_seconds()
        time.sleep(WATCHED)
        assert self.cpu_seconds() - before <= MOST_WORK

    def adopt_socket(self, peer):
        """A duplicate of the daemon's end of a TCP connection to the plain socket `peer`; close it."""
        return self._duplicate((peer.getpeername()[1], peer.getsockname()[1]))

    def adopt_listener(self, port):
        """A duplicate of the daemon's socket that listens on a TCP port; close it."""
        return self._duplicate((port, 0))

    def _duplicate(self, ports):
        inode = next(row[4] for row in tcp_rows() if row[:2] == ports)
        folder = pathlib.Path(f"/proc/{self.pid}/fd")
        number = next(int(entry.name) for entry in folder.iterdir() if os.readlink(entry) == f"socket:[{inode}]")
        return socket.socket(fileno=duplicate_from(self.pid, number))

    def alive(self):
        return self.process.poll() is None

    def complaints(self):
        """What a sanitizer or a failed assertion wrote."""
        return [line for line in self.stderr if any(mark in line for mark in SANITIZER_REPORTS)]

    def kill(self):
        """As a crash: nothing is tidied up."""
        self.process.kill()
        self._finish()

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def stop(self):
        """SIGTERM; asserts a clean end: status 0, no socket file, no complaints."""
        self.terminate()
        self.wait()
        assert not self.path.exists(), "the socket file was left behind"

    def wait(self, deadline=None):
        try:
            status = self.process.wait(deadline or DEADLINE + 10)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("the daemon did not end after SIGTERM") from None
        self._finish()
        log = "\n".join(self.stderr[-40:])
        assert status == 0, f"exit status {status}:\n{log}"
        assert not self.complaints(), log

    def _finish(self):
        self.process.wait()
        self._reader.join(DEADLINE)
        self.process.stderr.close()
