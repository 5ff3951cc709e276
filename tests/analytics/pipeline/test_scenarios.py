"""From the agent's readings in each scenario, the analytics computes the golden answer."""

import pytest

from tests.scenario_runs import NAMES, computed_consumption, played, played_scenarios

pytestmark = pytest.mark.server


@played_scenarios(*NAMES)
def test_the_consumption_is_the_golden_one(name: str) -> None:
    run = played(name)
    for golden in run.scenario.golden:
        found = computed_consumption(run, golden)
        wanted = golden.flowed if golden.counted is None else golden.counted
        assert found.amount == pytest.approx(wanted, abs=golden.tolerance), (golden, found)
