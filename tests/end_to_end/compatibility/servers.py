"""Real servers of Debian's, unmodified: each in a directory of its own, on a free port of 127.0.0.1, ended by pid.

    with Redis(directory) as redis:
        redis.port

Debian's services stay as they are: nothing is read from or written to their directories.
"""
import os
import pathlib
import pwd
import random
import shutil
import signal
import socket
import subprocess
import time

DEADLINE = 60  # seconds for a server to be ready, or to end
PORTS = range(20000, 30000)  # below those that the system gives to clients
TRIES = 5  # of ports: somebody may take one between our look and the server's
ENVIRONMENT = {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}  # where Debian has servers
USER, PASSWORD, DATABASE = "tester", "correct horse", "test"


def free_port():
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no port is free")


def make_certificate(directory):
    """cert.pem and key.pem for localhost and 127.0.0.1, signed by themselves: cert.pem is also what to trust."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", directory / "key.pem", "-out", directory / "cert.pem"], check=True, capture_output=True)


class Server:
    """A server program. Subclasses say how it is prepared, and the command that stays in the foreground."""

    owner = None  # of the process, when we are root and the program does not want to be
    end = signal.SIGTERM

    def __init__(self, directory, tls):
        """`tls`: the directory with the certificate."""
        self.directory, self.tls = pathlib.Path(directory), pathlib.Path(tls)
        self.port, self.process = None, None

    def __enter__(self):
        self.directory.mkdir()
        self._give_away(self.directory)
        self.prepare()
        for _ in range(TRIES):
            self.port = free_port()
            if self._start():
                return self
        raise RuntimeError(f"{self.name} did not start:\n{self.log()}")

    def __exit__(self, *exc):
        self.process.send_signal(self.end)
        try:
            self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def run(self, *command):
        """A command that has to do with this server's files."""
        subprocess.run([str(word) for word in command], check=True, stdin=subprocess.DEVNULL, capture_output=True,
                       cwd=self.directory, env=ENVIRONMENT, **self._identity())

    def log(self):
        return (self.directory / "log").read_text(errors="replace")[-4000:]

    def prepare(self):
        """Once, before the first start."""

    def is_ready(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _start(self):
        """Whether it came to be ready; otherwise it has ended."""
        with open(self.directory / "log", "wb") as log:
            self.process = subprocess.Popen(
                [str(word) for word in self.command()], cwd=self.directory, env=ENVIRONMENT,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, **self._identity())
        end = time.monotonic() + DEADLINE
        while self.process.poll() is None and time.monotonic() < end:
            if self.is_ready():
                return True
            time.sleep(0.05)
        self.__exit__()
        return False

    def _identity(self):
        if os.geteuid() != 0 or not self.owner:
            return {}
        return {"user": self.owner, "group": pwd.getpwnam(self.owner).pw_gid, "extra_groups": []}

    def _give_away(self, path):
        if os.geteuid() == 0 and self.owner:
            shutil.chown(path, self.owner)


class PostgreSQL(Server):
    name, owner = "PostgreSQL", "postgres"
    package = "postgresql"
    end = signal.SIGINT  # without waiting for clients

    @staticmethod
    def programs():
        return max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))

    def prepare(self):
        for name in ("cert.pem", "key.pem"):
            shutil.copy(self.tls / name, self.directory)
            self._give_away(self.directory / name)
        (self.directory / "key.pem").chmod(0o600)
        (self.directory / "password").write_text(PASSWORD)
        self._give_away(self.directory / "password")
        self.run(self.programs() / "initdb", "--no-sync", "--username", USER, "--auth", "scram-sha-256",
                 "--pwfile", "password", "--encoding", "UTF8", "--locale", "C", "-D", "data")

    def command(self):
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": self.directory,
                    "fsync": "off", "ssl": "on", "ssl_cert_file": self.directory / "cert.pem",
                    "ssl_key_file": self.directory / "key.pem"}
        return [self.programs() / "postgres", "-D", "data",
                *(word for item in settings.items() for word in ("-c", "{}={}".format(*item)))]

    def is_ready(self):
        return subprocess.run([self.programs() / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]).returncode == 0


class MariaDB(Server):
    name, owner = "MariaDB", "mysql"
    package = "mariadb-server"

    def prepare(self):
        self.run("mariadb-install-db", "--no-defaults", f"--datadir={self.directory}/data", "--skip-test-db",
                 "--auth-root-authentication-method=normal")
        (self.directory / "init.sql").write_text(
            f"CREATE DATABASE {DATABASE};\n"
            f"CREATE USER {USER}@'%' IDENTIFIED BY '{PASSWORD}';\n"
            f"GRANT ALL ON {DATABASE}.* TO {USER}@'%';\n")
        self._give_away(self.directory / "init.sql")

    def command(self):
        return ["mariadbd", "--no-defaults", f"--datadir={self.directory}/data", f"--socket={self.directory}/socket",
                f"--pid-file={self.directory}/pid", "--bind-address=127.0.0.1", f"--port={self.port}",
                f"--init-file={self.directory}/init.sql", "--skip-name-resolve"]


class Redis(Server):
    name = "Redis"
    package = "redis-server"

    def command(self):
        return ["redis-server", "--bind", "127.0.0.1", "--port", self.port, "--save", "", "--dir", self.directory]


class Nginx(Server):
    """Keeps what is PUT and gives it back; the same over TLS on `tls_port`."""

    name = "nginx"
    package = "nginx-light"

    def prepare(self):
        for name in ("files", "body", "other"):
            (self.directory / name).mkdir()

    def command(self):
        self.tls_port = free_port()
        (self.directory / "nginx.conf").write_text(self._configuration())
        return ["nginx", "-e", "stderr", "-p", self.directory, "-c", self.directory / "nginx.conf"]

    def _configuration(self):
        user = "user root;" if os.geteuid() == 0 else ""
        other = "".join(f"{kind}_temp_path other/{kind};" for kind in ("proxy", "fastcgi", "uwsgi", "scgi"))
        return f"""
            daemon off; {user} pid nginx.pid; worker_processes 1; error_log stderr;
            events {{ worker_connections 256; }}
            http {{
                access_log off; client_max_body_size 64m; client_body_temp_path body; {other}
                server {{
                    listen 127.0.0.1:{self.port};
                    listen 127.0.0.1:{self.tls_port} ssl http2;
                    ssl_certificate {self.tls}/cert.pem; ssl_certificate_key {self.tls}/key.pem;
                    location / {{ root files; dav_methods PUT DELETE; }}
                }}
            }}"""


ALL = {"postgresql": PostgreSQL, "mariadb": MariaDB, "redis": Redis, "nginx": Nginx}
