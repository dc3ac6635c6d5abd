"""net.isIP and its kin, and net.socketAddress: the answers that a Node gave are the broker's too."""
import json
import pathlib

import pytest

VECTORS = pathlib.Path(__file__).resolve().parents[1] / "core" / "net" / "address"
TEXTS = json.loads((VECTORS / "isip.json").read_text())["cases"]
ADDRESSES = json.loads((VECTORS / "socketaddress.json").read_text())["cases"]
BURST = 500  # requests that are open at a time


def text_of(case):
    return "".join(text * count for text, count in case["build"]) if "build" in case else case["in"]


def is_text(value):
    return isinstance(value, str) and all(not 0xD800 <= ord(character) < 0xE000 for character in value)


def test_texts(session):
    cases = [case for case in TEXTS if is_text(text_of(case)) and len(text_of(case)) < 65536]
    assert len(cases) > 1000
    for start in range(0, len(cases), BURST):
        part = cases[start:start + BURST]
        open_requests = [[session.send(method, 0, {"input": text_of(case)})
                          for method in ("net.isIP", "net.isIPv4", "net.isIPv6")] for case in part]
        for case, msgids in zip(part, open_requests):
            assert [session.result(msgid) for msgid in msgids] == [case["is"], case["is"] == 4, case["is"] == 6], case


def test_no_text_is_no_address(session):
    assert session.request("net.isIP", 0) == 0
    assert session.request("net.isIPv4", 0, {}) is False
    assert session.request("net.isIP", 0, {"input": b"127.0.0.1"}) == 4
    assert session.request("net.isIP", 0, {"input": b"\xff\xfe"}) == 0
    assert session.refused("net.isIP", 0, {"input": 4})["code"] == "ERR_INVALID_ARG_TYPE"
    assert session.refused("net.isIP", 0, {"text": "::"})["code"] == "ERR_NB_UNKNOWN_OPTION"


def plain(value):
    """JavaScript's values without a word in JSON or on the wire are the libraries' to judge."""
    return value is not None and not (isinstance(value, dict) and "$" in value)


def as_sent(case):
    """Left out besides: fields that Node ignores, and which of four wrong ones is told of first."""
    options = case.get("options", {})
    return (isinstance(options, dict) and all(map(plain, options.values())) and "quirk" not in case
            and "extra" not in options and ("fields" in case or len(options) < 4))


@pytest.mark.parametrize("case", [case for case in ADDRESSES if as_sent(case)], ids=lambda case: json.dumps(case))
def test_socket_addresses(session, case):
    options = case.get("options", {})
    if "fields" in case:
        assert session.request("net.socketAddress", 0, options) == case["fields"]
        return
    error, expected = session.refused("net.socketAddress", 0, options), case["error"]
    assert (error["code"], error.get("name", "Error")) == (expected["code"], expected["name"])
    assert error["argument"] in options or error["argument"] == "address"
    if len(options) == 1 and not isinstance(next(iter(options.values())), (dict, list)):
        assert error["message"] == expected["message"]


@pytest.mark.parametrize("options, argument", [
    ({"family": "ipv6", "flowlabel": 1048576}, "flowlabel"),
    ({"family": "ipv6", "flowlabel": 4294967295}, "flowlabel"),
    ({"flowlabel": float("nan")}, "flowlabel"),
    ({"flowlabel": float("inf")}, "flowlabel"),
])
def test_what_makes_node_abort_is_an_error(session, options, argument):
    error = session.refused("net.socketAddress", 0, options)
    assert (error["code"], error["argument"]) == ("ERR_OUT_OF_RANGE", argument)


def test_where_node_is_wrong(session):
    """A port in digits is a port, a long address is read to its zone, and nothing hides behind a NUL."""
    assert session.request("net.socketAddress", 0, {"port": "80"})["port"] == 80
    long = {"address": "0000:0000:0000:0000:0000:ffff:1.22.33.244%eth0", "family": "ipv6"}
    assert session.request("net.socketAddress", 0, long)["address"] == "::ffff:1.22.33.244"
    error = session.refused("net.socketAddress", 0, {"address": "127.0.0.1\0.example"})
    assert (error["code"], error["argument"]) == ("ERR_INVALID_ADDRESS", "address")
