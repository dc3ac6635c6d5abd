"""Argument errors as Node words them. The messages were printed by node 19.2; argument is the field on the wire."""

import pytest

TYPE = ("ERR_INVALID_ARG_TYPE", "TypeError")
VALUE = ("ERR_INVALID_ARG_VALUE", "TypeError")
RANGE = ("ERR_OUT_OF_RANGE", "RangeError")

WORDINGS = [
    ("socket.connect", {"port": True}, TYPE, "port",
     'The "options.port" property must be one of type number or string. Received type boolean (true)'),
    ("socket.connect", {"port": [1]}, TYPE, "port",
     'The "options.port" property must be one of type number or string. Received an instance of Array'),
    ("socket.connect", {"path": 1.5}, TYPE, "path",
     'The "options.path" property must be of type string. Received type number (1.5)'),
    ("socket.connect", {"port": 1, "host": True}, TYPE, "host",
     'The "hostname" argument must be of type string. Received type boolean (true)'),
    ("socket.connect", {"port": 1, "hints": "abc"}, TYPE, "hints",
     'The "options.hints" property must be of type number. Received type string (\'abc\')'),
    ("socket.connect", {"port": 1, "hints": -1}, VALUE, "hints",
     "The argument 'hints' is invalid. Received 4294967295"),
    ("socket.connect", {"port": 1, "family": -1}, VALUE, "family",
     "The property 'options.family' must be one of: 0, 4, 6. Received -1"),
    ("socket.connect", {"port": 1, "keepAliveInitialDelay": {}}, TYPE, "keepAliveInitialDelay",
     'The "options.keepAliveInitialDelay" property must be of type number. Received an instance of Object'),
    ("socket.connect", {"port": 1, "timeout": {}}, TYPE, "timeout",
     'The "msecs" argument must be of type number. Received an instance of Object'),
    ("socket.connect", {"port": 1, "timeout": -1}, RANGE, "timeout",
     'The value of "msecs" is out of range. It must be a non-negative finite number. Received -1'),
    ("socket.setTimeout", {"timeout": True}, TYPE, "timeout",
     'The "msecs" argument must be of type number. Received type boolean (true)'),
    ("socket.setTimeout", {}, TYPE, "timeout", 'The "msecs" argument must be of type number. Received undefined'),
    ("socket.setTimeout", {"timeout": -5e9}, RANGE, "timeout",
     'The value of "msecs" is out of range. It must be a non-negative finite number. Received -5_000_000_000'),
    ("socket.setTimeout", {"timeout": float("inf")}, RANGE, "timeout",
     'The value of "msecs" is out of range. It must be a non-negative finite number. Received Infinity'),
    ("server.listen", {"port": True}, VALUE, "port", "The argument 'options' is invalid. Received { port: true }"),
    ("server.listen", {"path": -1}, VALUE, "path", "The argument 'options' is invalid. Received { path: -1 }"),
    ("server.listen", {"path": ""}, VALUE, "path", "The argument 'options' is invalid. Received { path: '' }"),
    ("server.listen", {"path": "0x50"}, VALUE, "path", "The argument 'options' is invalid. Received { path: '0x50' }"),
    ("server.listen", {"host": "it's"}, VALUE, "options",
     'The argument \'options\' must have the property "port" or "path". Received { host: "it\'s" }'),
    ("server.listen", {"backlog": -7, "ipv6Only": False}, VALUE, "options",
     'The argument \'options\' must have the property "port" or "path". Received { backlog: -7, ipv6Only: false }'),
    ("server.listen", {"exclusive": True, "readableAll": True, "writableAll": True}, VALUE, "options",
     'The argument \'options\' must have the property "port" or "path". '
     'Received { exclusive: true, readableAll: true, writableAll: true }'),
    ("socket.connect", {"port": 1, "localPort": "12"}, TYPE, "localPort",
     'The "options.localPort" property must be of type number. Received type string (\'12\')'),
    ("socket.connect", {"port": 1, "localPort": True}, TYPE, "localPort",
     'The "options.localPort" property must be of type number. Received type boolean (true)'),
    ("server.listen", {"port": 0, "host": 1.5}, TYPE, "host",
     'The "hostname" argument must be of type string. Received type number (1.5)'),
]


@pytest.mark.parametrize("method, body, kind, argument, message", WORDINGS, ids=lambda value: str(value)[:40])
def test_the_wording_is_that_of_node(session, method, body, kind, argument, message):
    session.request(method.partition(".")[0] + ".create", 1, {})
    error = session.refused(method, 1, body)
    assert ((error["code"], error["name"]), error["argument"], error["message"]) == (kind, argument, message)


CREATIONS = [
    ("socket.create", {"readChunk": 0}, "readChunk",
     'The value of "options.readChunk" is out of range. It must be >= 1. Received 0'),
    ("server.create", {"readChunk": 0}, "readChunk",
     'The value of "options.readChunk" is out of range. It must be >= 1. Received 0'),
    ("net.createConnection", {"port": 1, "onread": {"size": 0}}, "onread.size",
     'The value of "options.onread.size" is out of range. It must be >= 1. Received 0'),
]


@pytest.mark.parametrize("method, body, argument, message", CREATIONS, ids=lambda value: str(value)[:40])
def test_our_own_options_are_worded_alike(session, method, body, argument, message):
    error = session.refused(method, 1, body)
    assert (error["code"], error["argument"], error["message"]) == ("ERR_OUT_OF_RANGE", argument, message)
