"""Every scenario, played on the real Node and on the daemon: both must keep to it, and their logs must agree."""
import pytest

from play import compare, play
from scenario import load_all

SCENARIOS = [scenario for scenario in load_all() if not scenario.only]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_node_does_the_same(scenario, node_side, broker_side):
    differences = compare(play(scenario, broker_side), play(scenario, node_side))
    assert not differences, "\n".join(differences)
