"""Random walks; ./random-walk takes as many as one likes."""
import collections

import pytest

from walk import Walker, take_walks
from walk_model import ACTIONS, Connection, Kind, Plan, Step

WALKS = 200
PLAN = Plan([Kind(accepted=True, unix=False, half_open=True)], [Step(0, "send", 5000), Step(0, "write", 5000)], (7, 1000))


def test_walks_end_as_the_model_says(daemon):
    taken = take_walks(daemon.path, WALKS)
    assert taken["walk"] >= WALKS and all(taken[action] for action in ACTIONS if action != "wait"), taken
    assert daemon.alive() and not daemon.complaints()


def test_a_wrong_byte_is_found(daemon, monkeypatch, tmp_path):
    walker, right = Walker(daemon.path, tmp_path, collections.Counter()), Connection.expected
    walker.walk(PLAN)
    monkeypatch.setattr(Connection, "expected", lambda self, size: right(self, size)[:-1] + b"?")
    with pytest.raises(AssertionError, match="5000 of 5000 bytes"):
        walker.walk(PLAN)
    walker.close()
