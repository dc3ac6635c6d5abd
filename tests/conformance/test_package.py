"""Every scenario that Node can play, played on its own net and on the package for Node: their logs must agree.

Where broker and Node differ on purpose the package does as either: what Node's code decides is Node's, what the broker
decides is the broker's.
"""
import pytest

from play import Mismatch, compare, differences, play
from scenario import load_all

SCENARIOS = [scenario for scenario in load_all() if not scenario.only]
SINCE_CHANGED = {  # what later Nodes do otherwise than 19.2.0
    "ipc: paths of 108 bytes", "names: the family and the hints of a lookup", "names: an answer that is no address",
    "names: an answer of a family that is none", "write: writes while connecting count as queued",
}


def log_of_node(scenario, side):
    try:
        return play(scenario, side)
    except Mismatch:
        if scenario.name not in SINCE_CHANGED:
            raise
        pytest.skip("this version of Node does otherwise")


def differences_of(scenario, side, nodes_log):
    try:
        return differences("package", play(scenario, side), nodes_log)
    except Mismatch:
        if not scenario.differs:
            raise
    with side.playing_the_broker():
        return compare(play(scenario, side), nodes_log)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_package_does_the_same(scenario, both_nets):
    own, package = both_nets
    found = differences_of(scenario, package, log_of_node(scenario, own))
    assert not found, "\n".join(found)
