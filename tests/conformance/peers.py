"""What a scenario's runner does itself: plain sockets at the other end, files, a look at what the kernel knows of a socket.

Each command takes the body of its line and returns the reply. Each event takes the body that is expected and returns
the one that came.
"""
import contextlib
import os
import pathlib
import socket
import stat
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.broker import duplicate_from, tcp_rows, wait_until  # noqa: E402
from support.peers import LOOPBACK, dial, listener, port_of, read_exactly, refused_port, reset, unanswering  # noqa: E402
from support.wire import DEADLINE  # noqa: E402

OPTIONS = {"keepAlive": (socket.SOL_SOCKET, socket.SO_KEEPALIVE), "keepIdle": (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
           "keepCount": (socket.IPPROTO_TCP, socket.TCP_KEEPCNT), "keepInterval": (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
           "noDelay": (socket.IPPROTO_TCP, socket.TCP_NODELAY), "reuseAddress": (socket.SOL_SOCKET, socket.SO_REUSEADDR)}
INFO_BACKLOG = 28  # offset of tcpi_sacked in struct tcp_info; for a listener, its backlog


class Peer:
    """A plain socket: a listener, or a connection."""
    COMMANDS = ("listen", "accept", "connect", "reserve", "unanswering", "open", "send", "finish", "reset", "close")
    OTHERS = {"file": lambda: open("/proc/self/stat", "rb"), "datagram": lambda: socket.socket(type=socket.SOCK_DGRAM),
              "sequence": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)}

    def __init__(self):
        self._socket, self._more = None, contextlib.ExitStack()

    def close(self):
        if self._socket:
            self._socket.close()
        self._more.close()
        return {}

    def fileno(self):
        return self._socket.fileno()

    def open(self, kind):
        """What is no stream, to be given away."""
        self._socket = self.OTHERS[kind]()
        return {}

    def _take(self, sock):
        sock.settimeout(DEADLINE)
        self._socket = sock

    def listen(self, host=LOOPBACK, port=0, path=None, backlog=128):
        if path is None and ":" in host:
            self._take(socket.create_server((host, port), family=socket.AF_INET6, backlog=backlog))
        else:
            self._take(listener(path or (host, port), backlog))
        return {} if path else {"port": port_of(self._socket)}

    def reserve(self):
        """A port on which nobody listens, and from which only those connect who allow reuse."""
        sock, port = refused_port()
        self._take(sock)
        return {"port": port}

    def unanswering(self):
        """A port on which a connect neither succeeds nor fails."""
        return {"port": self._more.enter_context(unanswering())}

    def accept(self, listener):
        """The next connection of another peer, which listens."""
        accepted, _ = listener._socket.accept()
        self._take(accepted)
        return {} if accepted.family == socket.AF_UNIX else {"port": accepted.getpeername()[1]}

    def connect(self, host=LOOPBACK, port=None, path=None):
        self._take(dial(path or (host, port)))
        return {} if path else {"port": port_of(self._socket)}

    def send(self, data=b""):
        self._socket.sendall(data.encode() if isinstance(data, str) else data)
        return {}

    def finish(self):
        """Sends a FIN; reading goes on."""
        self._socket.shutdown(socket.SHUT_WR)
        return {}

    def reset(self):
        reset(self._socket)
        return {}

    def event(self, name, body):
        """(name, body) of what comes next: data of the size of that expected, the end, or a reset."""
        try:
            if name == "data":
                return name, read_exactly(self._socket, len(body.encode() if isinstance(body, str) else body))
            data = self._socket.recv(1 << 16)
            return ("data", data) if data else ("end", {})
        except ConnectionResetError:
            return "reset", {}


class Files:
    """The file system, for the paths of Unix sockets."""
    COMMANDS = ("stat", "write", "remove")

    def stat(self, path):
        """{type, mode} of a path; {} where there is nothing."""
        try:
            mode = os.lstat(path).st_mode
        except FileNotFoundError:
            return {}
        return {"type": "socket" if stat.S_ISSOCK(mode) else "file", "mode": f"{stat.S_IMODE(mode):o}"}

    def write(self, path, text=""):
        pathlib.Path(path).write_text(text)
        return {}

    def remove(self, path):
        os.unlink(path)
        return {}


def kernel_socket(pid, local, remote):
    """A duplicate of a process's TCP socket between two ports, remote 0 for a listener; close it."""
    inodes = {f"socket:[{row[4]}]" for row in tcp_rows() if row[:2] == (local, remote)}
    folder = f"/proc/{pid}/fd"
    for number in os.listdir(folder):
        try:
            if os.readlink(f"{folder}/{number}") in inodes:
                return socket.socket(fileno=duplicate_from(pid, int(number)))
        except FileNotFoundError:
            continue
    return None


def kernel_options(pid, local, remote):
    """What the kernel has set on a TCP socket of a process."""
    sock = wait_until(lambda: kernel_socket(pid, local, remote), f"a socket {local} -> {remote} of process {pid}")
    with sock:
        options = {name: sock.getsockopt(*option) for name, option in OPTIONS.items()}
        options["noDelay"] = int(bool(options["noDelay"]))
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
        return {**options, **({} if remote else {"backlog": struct.unpack_from("I", info, INFO_BACKLOG)[0]})}
