"""What the programs here share. None of it has to do with a broker: each runs under plain Python as well.

    PROGRAM server        prints `port N`, serves one client, ends
    PROGRAM client PORT   talks to a server on 127.0.0.1

Each ends by itself, with status 0 and `ok` as its last line, or it has failed.
"""
import hashlib
import os
import pathlib
import ssl
import sys

HOST = "127.0.0.1"
USER, PASSWORD = "tester", "correct horse"
SIZE = 1_500_000  # bytes, each way

ROLE = sys.argv[1] if len(sys.argv) > 1 else ""
PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 0


def make_payload():
    """No two of its 32-byte blocks are alike: lost, doubled and swapped bytes all show."""
    blocks = (hashlib.sha256(b"%d" % block).digest() for block in range(SIZE // 32 + 1))
    return b"".join(blocks)[:SIZE]


PAYLOAD = make_payload()


def check(received):
    assert len(received) == len(PAYLOAD), f"{len(received)} bytes instead of {len(PAYLOAD)}"
    assert bytes(received) == PAYLOAD, "the bytes are those that were sent"


def announce(server):
    """Of an asyncio server."""
    print("port", server.sockets[0].getsockname()[1], flush=True)


def ok():
    print("ok", flush=True)


def tls_file(name):
    return pathlib.Path(os.environ.get("TLS_DIRECTORY", ".")) / name


def server_tls():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tls_file("cert.pem"), tls_file("key.pem"))
    return context


def client_tls():
    return ssl.create_default_context(cafile=tls_file("cert.pem"))
