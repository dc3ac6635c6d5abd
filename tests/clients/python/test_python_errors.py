"""Error maps of the wire become exceptions that asyncio programs already catch."""
import errno
import socket

import pytest
from netbroker import BrokerError
from netbroker.errors import from_map

SYSTEM = [
    ("ECONNREFUSED", ConnectionRefusedError),
    ("ECONNRESET", ConnectionResetError),
    ("ECONNABORTED", ConnectionAbortedError),
    ("EPIPE", BrokenPipeError),
    ("ENOENT", FileNotFoundError),
    ("ETIMEDOUT", TimeoutError),
    ("EACCES", PermissionError),
    ("EPERM", PermissionError),
    ("EINTR", InterruptedError),
    ("EEXIST", FileExistsError),
    ("EADDRINUSE", OSError),
    ("EHOSTUNREACH", OSError),
    ("EMFILE", OSError),
    ("ENAMETOOLONG", OSError),
]
ARGUMENTS = [
    ("ERR_INVALID_ARG_TYPE", "TypeError", TypeError),
    ("ERR_INVALID_ARG_VALUE", "TypeError", ValueError),
    ("ERR_OUT_OF_RANGE", "RangeError", ValueError),
    ("ERR_SOCKET_BAD_PORT", "RangeError", ValueError),
    ("ERR_NB_UNKNOWN_OPTION", None, ValueError),
    ("ERR_MISSING_ARGS", "TypeError", TypeError),
]


@pytest.mark.parametrize("code, expected", SYSTEM)
def test_system_error(code, expected):
    error = from_map({"code": code, "message": f"connect {code} 127.0.0.1:1", "syscall": "connect", "port": 1})
    assert isinstance(error, expected) and isinstance(error, BrokerError)
    assert (error.errno, error.code, error.syscall, error.port) == (getattr(errno, code), code, "connect", 1)
    assert error.strerror == error.message == f"connect {code} 127.0.0.1:1"


@pytest.mark.parametrize("code, number", [("ENOTFOUND", socket.EAI_NONAME), ("EAI_AGAIN", socket.EAI_AGAIN)])
def test_resolver_error(code, number):
    error = from_map({"code": code, "message": f"getaddrinfo {code} no.invalid", "hostname": "no.invalid"})
    assert isinstance(error, socket.gaierror) and error.errno == number
    assert error.hostname == "no.invalid"


@pytest.mark.parametrize("code, name, expected", ARGUMENTS)
def test_argument_error(code, name, expected):
    error = from_map({"code": code, "message": "wrong", "name": name, "argument": "port"})
    assert isinstance(error, expected) and isinstance(error, BrokerError)
    assert (error.code, error.argument) == (code, "port")


def test_closed_here_is_a_broken_pipe():
    assert isinstance(from_map({"code": "ERR_STREAM_DESTROYED", "message": "gone"}), BrokenPipeError)


def test_closed_and_forgotten_is_a_bad_descriptor():
    assert from_map({"code": "ERR_NB_NO_SUCH_TARGET", "message": "gone"}).errno == errno.EBADF


def test_policy_is_a_permission():
    assert isinstance(from_map({"code": "ERR_NB_POLICY", "message": "no"}), PermissionError)


def test_own_code_is_in_the_text():
    error = from_map({"code": "ERR_NB_LIMIT", "message": "too large", "limit": "maxWrite"})
    assert type(error) is BrokerError and error.limit == "maxWrite"
    assert str(error) == "too large [ERR_NB_LIMIT]"


def test_unknown_fields_are_ignored():
    error = from_map({"code": "EPIPE", "message": "m", "invented": 1})
    assert not hasattr(error, "invented")


def test_errors_of_several_addresses():
    refusals = [{"code": "ECONNREFUSED", "message": f"connect ECONNREFUSED {address}:1"} for address in ("::1", "127.0.0.1")]
    error = from_map({"code": "ECONNREFUSED", "message": "", "name": "AggregateError", "errors": refusals})
    assert isinstance(error, ConnectionRefusedError)
    assert [one.message for one in error.errors] == [one["message"] for one in refusals]
    assert error.message == "connect ECONNREFUSED ::1:1; connect ECONNREFUSED 127.0.0.1:1"
