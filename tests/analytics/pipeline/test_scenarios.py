"""From what the agent kept in each scenario, the analytics counts what the golden answer says."""

import pytest

from tests.scenario_runs import NAMES, counted, played, played_scenarios

pytestmark = pytest.mark.server


@played_scenarios(*NAMES)
async def test_the_consumption_is_the_golden_one(name: str) -> None:
    ran = await played(name)
    for golden in ran.scenario.golden:
        found = counted(ran, golden)
        wanted = golden.flowed if golden.counted is None else golden.counted
        assert found.amount == pytest.approx(wanted, abs=golden.tolerance), (golden, found)
