"""Rules that every frame of every session must keep: what the broker may send, and the order of a socket's events.

One Tap per session; the tests hang it on each Session, so that every test is also a test of these rules.
"""
import msgpack

ONCE_CONNECTED = {"data", "drain", "flushed", "end"}
ON_THE_WAY = ("lookup", "lookupRequest", "connectionAttempt", "connectionAttemptFailed", "connectionAttemptTimeout", "connect")


class Tap:
    def __init__(self):
        self._state = {}

    def __call__(self, frame, size):
        check_encoding(frame, size)
        check_shape(frame)
        if frame[0] == 2:
            self._follow(frame[1], frame[2])
        elif isinstance(frame[3], dict) and {"id", "readyState"} <= frame[3].keys():
            self.opened(frame[3]["id"])

    def opened(self, target):
        """A socket was made from a descriptor, or adopted: it is open without a connect."""
        self._state[target] = "open"

    def _follow(self, name, params):
        actor, verb = name.split(".")
        if name == "server.connection":
            self._state[params[1]["socket"]] = "open"
        elif actor == "socket":
            target = params[0]
            before = self._state.get(target, "fresh")
            assert allowed(before, verb), f"socket {target}: {verb} after {before}"
            self._state[target] = after(before, verb)


def allowed(state, verb):
    if state == "connect":
        return verb == "ready"
    if state == "error":
        return verb == "close"
    if verb in ONCE_CONNECTED:
        return state == "open" or (state == "ended" and verb != "data" and verb != "end")
    if verb in ON_THE_WAY:
        return state in ("fresh", "closed")
    return verb != "ready"


def after(state, verb):
    moves = {**dict.fromkeys(ON_THE_WAY, "fresh"), "connect": "connect", "ready": "open", "end": "ended", "error": "error", "close": "closed"}
    return moves.get(verb, state)


def check_encoding(frame, size):
    """Shortest forms only: packing the frame again gives the same number of bytes."""
    assert len(msgpack.packb(frame)) == size, f"not in the shortest encoding: {frame!r}"


def check_shape(frame):
    assert isinstance(frame, list) and frame and frame[0] in (1, 2), f"neither response nor notification: {frame!r}"
    if frame[0] == 1:
        assert len(frame) == 4 and isinstance(frame[1], int), frame
        assert frame[2] is None or frame[3] is None, f"error and result: {frame!r}"
        check_error_map(frame[2])
    else:
        assert len(frame) == 3 and isinstance(frame[1], str) and isinstance(frame[2], list) and frame[2], frame
        check_body(frame[2][1:])
        if frame[1].endswith(".error"):
            check_error_map(frame[2][1])


def check_error_map(error):
    if error is not None:
        assert isinstance(error.get("code"), str) and error["code"], error
        assert isinstance(error.get("message"), str) and (error["message"] or "errors" in error), error
        for one in error.get("errors", []):
            check_error_map(one)
        assert error.get("errno", -1) < 0, error


def check_body(value):
    """An absent value is left out, never nil; map keys are str; no ext types; whole numbers below 2^53."""
    assert value is not None and not isinstance(value, msgpack.ExtType)
    if isinstance(value, int):
        assert abs(value) < 1 << 53
    elif isinstance(value, list):
        for item in value:
            check_body(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            assert isinstance(key, str), key
            check_body(item)
