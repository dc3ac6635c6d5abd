"""Plays a scenario on one side and returns its log: for each line what came of it, in a form that both sides can share.

    log = play(scenario, side)     # raises Mismatch, with file and line, where the side does something else

Names of a scenario that are bound from the start: $dir, a directory of its own, and $path107 and $path108, paths in it
of just that many bytes; $somaxconn, the system's limit of a backlog.
"""
import pathlib
import re
import tempfile
from typing import Any, NamedTuple

import notation
from notation import Mark, difference, fill, show
from peers import Files, Peer, kernel_options
from scenario import Command, Reply
from support.broker import wait_until


CREATING = {"net.createConnection": "socket", "net.connect": "socket", "socket.create": "socket", "socket.adopt": "socket", "server.create": "server",
            "net.createServer": "server", "blockList.create": "blockList"}
ALWAYS = ("net", "session")
PORTS = {"port", "localPort", "remotePort"}
IDS = {"id", "socket"}
OURS = {"argument", "limit", "target", "peer", "method", "msgid", "kind", "refed", "server"}  # fields that Node does not have
FIRST_UNFIXED_PORT = 1024
SILENCE = 0.15  # seconds in which nothing may come


class Mismatch(AssertionError):
    """What came is not what the scenario says."""


class Actor(NamedTuple):
    kind: str
    session: Any
    target: int


class Line(NamedTuple):
    place: str
    source: str
    side: str  # the only one that has this line, or None
    text: str  # what came


def play(scenario, side):
    with tempfile.TemporaryDirectory(prefix="nb-") as folder:
        player = Player(scenario, side, folder)
        try:
            return player.play()
        finally:
            player.close()


class Player:
    def __init__(self, scenario, side, folder):
        self._scenario, self._side = scenario, side
        self._names = {"dir": folder, "path107": padded(folder, 107), "path108": padded(folder, 108),
                       "somaxconn": int(pathlib.Path("/proc/sys/net/core/somaxconn").read_text())}
        self._peers, self._actors, self._open, self._given = {"file": Files()}, {}, {}, {}
        self._log, self._next_id, self._last = [], 1, None

    def play(self):
        for step in self._scenario.steps_of(self._side.name):
            try:
                self._play_step(step)
            except (Mismatch, TimeoutError, EOFError, OSError, notation.Mistake, AssertionError) as error:
                raise Mismatch(self._report(step, error)) from error
        self._finish()
        return self._log

    def close(self):
        for peer in self._peers.values():
            if isinstance(peer, Peer):
                peer.close()
        self._side.close()

    def _report(self, step, error):
        lines = [f"{step.place}: {step.source}", f"    {self._side.name}: {error}", "  before it:"]
        return "\n".join(lines + [f"    {line.place}: {line.text}" for line in self._log[-8:]])

    def _play_step(self, step):
        if isinstance(step, Command):
            self._command(step)
        elif isinstance(step, Reply):
            self._reply(step)
        elif step.label in self._peers:
            self._peer_events(step)
        else:
            self._events(step)

    def _enter(self, step, text):
        self._log.append(Line(step.place, step.source, step.side, text))

    # ---- commands and replies ----

    def _command(self, step):
        kind, _, verb = step.method.rpartition(".")
        if kind == "peer":
            self._peers.setdefault(step.label, Peer())
        values = [fill(value, self._names) for value in step.values]
        if step.label in self._peers:
            self._last = (None, self._command_peer(step.label, verb, *values))
        else:
            is_given = self._fill_fd(values)
            actor, method = self._actor(step.label, step.method)
            if is_given and method == "socket.create":
                self._side.opened(actor.target)
            msgid = actor.session.send(method, actor.target, *values)
            self._open[actor.session, msgid] = step
            self._last = (actor.session, msgid)
            if method == "session.hello":
                actor.session.wait_for_response(msgid)

    def _fill_fd(self, values):
        """A field fd names a peer whose descriptor was given: its number takes the place of the name."""
        body = values[0] if values and isinstance(values[0], dict) else {}
        if body.get("fd") not in self._given:
            return False
        values[0] = {**body, "fd": self._given[body["fd"]]}
        return True

    def _command_peer(self, label, verb, body=None):
        peer = self._peers[label]
        if verb == "give":
            self._given[label] = self._side.give(peer.fileno())
            return {}
        if verb not in peer.COMMANDS:
            raise Mismatch(f"a {type(peer).__name__.lower()} cannot {verb}")
        if not isinstance(body, dict):
            return getattr(peer, verb)(*([] if body is None else [body]))
        return getattr(peer, verb)(**{key: self._peers[item] if key == "listener" else item for key, item in body.items()})

    def _actor(self, label, method):
        """The actor of a label, new if the method makes one; and the whole name of the method."""
        label, _, session_name = label.partition("@")
        session = self._side.session(session_name)
        if label in ALWAYS:
            return Actor(label, session, 0), method if "." in method else f"{label}.{method}"
        if method in CREATING:
            self._names[label], self._next_id = self._next_id, self._next_id + 2
            self._actors[label] = Actor(CREATING[method], session, self._names[label])
        actor = self._known(label)
        return actor, method if "." in method else f"{actor.kind}.{method}"

    def _known(self, label):
        """A label is bound by a command that creates, or by an event that brings a socket."""
        if label not in self._actors and label in self._names:
            self._actors[label] = Actor("socket", self._side.session(), self._names[label])
        if label not in self._actors:
            raise Mismatch(f"nobody is called {label}")
        return self._actors[label]

    def _reply(self, step):
        session, msgid = self._late(step) if step.of else self._last
        if session is None:
            error, result = None, msgid
        else:
            _, _, error, result = session.response(msgid)
            del self._open[session, msgid]
        if step.fails and error is None:
            raise Mismatch(f"succeeded with {show(result)}")
        if not step.fails and error is not None:
            raise Mismatch(f"failed with {show(error)}")
        self._compare(step.pattern, error if step.fails else result)
        self._enter(step, ("! " if step.fails else "= ") + self._shown(error if step.fails else result))

    def _late(self, step):
        """The oldest command of that label and method that is still without a reply."""
        for request, command in self._open.items():
            if (command.label, command.method) == step.of:
                return request
        raise Mismatch(f"{' '.join(step.of)} is not open")

    def _compare(self, pattern, value):
        if pattern is not None and (found := difference(pattern, value, self._names)):
            raise Mismatch(found + f", in {show(value)}")

    # ---- events ----

    def _events(self, step):
        label, _, session_name = step.label.partition("@")
        actor = Actor(label, self._side.session(session_name), 0) if label in ALWAYS else self._known(label)
        for group in step.groups:
            names = {event.name for event in group}
            if names == {"nothing"}:
                text = self._expect_silence(actor)
            elif names == {"kernel"}:
                text = self._expect_in_kernel(actor, group[0].pattern)
            else:
                text = self._expect_group(actor, list(group))
            self._enter(step, f"{step.label} < {text}")

    def _expect_group(self, actor, group):
        """The events of a group, in any order; their texts in the group's."""
        texts, waiting, data = {}, list(enumerate(group)), b""
        while waiting:
            name, body = self._next_event(actor)
            at, event = self._chosen(waiting, name, body)
            if event.name == "data":
                body = data = joined(data, body) if data else body
            if event.name != "data" or size_of(data) >= self._size_of(event.pattern):
                self._compare(event.pattern, body)
                texts[at] = f"{event.name} {self._shown(body)}"
                waiting.remove((at, event))
        return " & ".join(texts[at] for at in sorted(texts))

    def _next_event(self, actor):
        while True:
            name, body = actor.session.next_event(actor.target)
            name = name.partition(".")[2]
            if name not in self._scenario.ignore:
                return name, body

    def _chosen(self, waiting, name, body):
        for at, event in waiting:
            if event.name == name or (event.name == "chunk" and name == "data"):
                return at, event
        raise Mismatch(f"{name} {show(body)} came, not {' or '.join(event.name for _, event in waiting)}")

    def _size_of(self, pattern):
        wanted = fill(pattern, self._names) if pattern not in (None, notation.ANYTHING) else b""
        return size_of(wanted)

    def _expect_silence(self, actor):
        try:
            name, body = actor.session.next_event(actor.target, SILENCE)
        except TimeoutError:
            return "nothing"
        raise Mismatch(f"{name} {show(body)} came")

    def _expect_in_kernel(self, actor, pattern):
        """A TCP socket's options, as soon as they are as they should be."""
        if actor.kind == "server":
            ports = (actor.session.request("server.address", actor.target)["port"], 0)
        else:
            info = actor.session.request("socket.info", actor.target)
            ports = (info["localPort"], info["remotePort"])
        wait_until(lambda: not difference(pattern, kernel_options(self._side.pid, *ports), self._names),
                   f"{show(pattern)} in the kernel, which has {show(kernel_options(self._side.pid, *ports))}")
        return f"kernel {show(pattern)}"

    def _peer_events(self, step):
        for group in step.groups:
            for event in group:
                pattern = fill(event.pattern, self._names) if event.pattern is not None else b""
                name, body = self._peers[step.label].event(event.name, pattern)
                if name != event.name or (event.name == "data" and not notation.same(pattern, body)):
                    raise Mismatch(f"{name} {show(body)} came")
                self._enter(step, f"{step.label} < {name} {self._shown(body)}")

    # ---- the end ----

    def _finish(self):
        """Nothing else may have come: no event, and no error that no line speaks of."""
        for session in {session for session, _ in self._open} | {actor.session for actor in self._actors.values()}:
            try:
                session.request("session.ping", 0, {})
            except EOFError:
                pass  # the scenario ended it
            for frame in session.unread():
                self._check_unread(session, frame)

    def _check_unread(self, session, frame):
        place = self._scenario.place
        if frame[0] == 1 and frame[2] is not None and (session, frame[1]) in self._open:
            step = self._open[session, frame[1]]
            raise Mismatch(self._report(step, f"failed with {show(frame[2])}"))
        if frame[0] == 2 and frame[1] != "session.idle" and frame[1].partition(".")[2] not in self._scenario.ignore:
            label = next((label for label, actor in self._actors.items() if actor.target == frame[2][0]), frame[2][0])
            raise Mismatch(f"{place}: {self._side.name}: at the end there is also {label} < {frame[1]} "
                           f"{' '.join(map(show, frame[2][1:]))}")

    # ---- the log ----

    def _shown(self, value):
        return show(self._neutral(value))

    def _neutral(self, value, key=None):
        """Without what differs from run to run (ports, ids, directories) and without our own fields."""
        if isinstance(value, dict):
            return {name: self._neutral(item, name) for name, item in value.items() if name not in OURS}
        if isinstance(value, list):
            return [self._neutral(item) for item in value]
        if isinstance(value, int) and not isinstance(value, bool):
            if key in IDS:
                return Mark("<id>")
            return self._port(value) if key in PORTS and value >= FIRST_UNFIXED_PORT else value
        if isinstance(value, str):
            value = value.replace(self._names["dir"], "$dir")
            return re.sub(r"(?<=[:\]])\d{4,5}\b", lambda found: self._port(int(found[0])).text, value)
        return value

    def _port(self, number):
        name = next((name for name, value in self._names.items() if value == number and "ort" in name), None)
        return Mark(f"${name}" if name else "<port>")


def joined(first, second):
    """Of bytes or of text. Node may end a chunk between the halves of a surrogate pair: they become one character."""
    if isinstance(first, bytes):
        return first + second
    return (first + second).encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def size_of(data):
    """In bytes, of text too."""
    return len(data.encode(errors="surrogatepass") if isinstance(data, str) else data)


def padded(folder, size):
    """A path in the folder of so many bytes."""
    return f"{folder}/".ljust(size, "p")


def compare(ours, nodes):
    """Where the broker's log and Node's of one scenario disagree, save in the lines that are for one side only."""
    return differences("broker", [line for line in ours if line.side is None], [line for line in nodes if line.side is None])


def differences(name, ours, nodes):
    """Where a log, of whom that name says, and Node's disagree."""
    assert [line.place for line in ours] == [line.place for line in nodes]
    return [f"{our.place}: {our.source}\n    {name + ':':8}{our.text}\n    node:   {node.text}"
            for our, node in zip(ours, nodes) if our.text != node.text]
