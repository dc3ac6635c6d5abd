"""Every scenario, played on the daemon."""
import pytest

from play import play
from scenario import load_all

SCENARIOS = [scenario for scenario in load_all() if scenario.only != "node"]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_broker_keeps_to_the_scenario(scenario, broker_side):
    play(scenario, broker_side)
