"""The simulation agrees with each golden answer, which is calculated by hand."""

from pathlib import Path

import numpy as np
import pytest

from jieneng.metering.errors import UsageError
from jieneng.site_folder import load, read_settings
from simulators.faults import KINDS
from simulators.scenarios import scenario
from simulators.scripting.fault_script import FaultScript
from simulators.serving import site_server
from simulators.settings import SimulatorSettings


def test_there_are_enough_and_each_names_whom_it_hurt() -> None:
    names = scenario.scenario_ids()
    assert len(names) >= 15
    for name in names:
        one = scenario.read(name)
        assert one.id == name
        assert all(len(source) > 8 for source in one.scenario.sources)
        assert one.scenario.title
        assert one.scenario.about.endswith(".")


@pytest.mark.parametrize("name", scenario.scenario_ids())
def test_what_flows_is_what_was_worked_out_by_hand(name: str) -> None:
    one = scenario.read(name)
    simulated = site_server.simulate_site(one.folder(), one.settings())
    FaultScript(simulated, 1, one.scenario.begin_ms).place(one.fault)
    for golden in one.golden:
        edges = one.scenario.begin_ms + np.asarray(
            [round(1000 * golden.from_s), round(1000 * golden.to_s)]
        )
        begin, end = simulated.meters[golden.meter].load.consumption(edges)
        assert end - begin == pytest.approx(golden.flowed, abs=1e-6), golden.how


def test_together_they_have_every_kind_of_fault() -> None:
    played = {
        fault.kind() for name in scenario.scenario_ids() for fault in scenario.read(name).fault
    }
    assert set(KINDS) - played == {"exception"} - played


def test_a_scenario_is_written_as_a_folder_and_never_over_another_one(tmp_path: Path) -> None:
    files = scenario.write("zero-on-reconnect", tmp_path / "zero")
    assert sorted(file.name for file in files) == [
        "faults.toml", "golden.toml", "simulator.toml", "site.toml",
    ]  # fmt: skip
    folder = load(tmp_path / "zero")
    assert [meter.id for meter in folder.site.meter] == ["e-1"]
    settings = read_settings(tmp_path / "zero" / "simulator.toml", SimulatorSettings)
    assert settings.load == scenario.read("zero-on-reconnect").load
    with pytest.raises(UsageError, match=r"already has .*site\.toml"):
        scenario.write("crossed-reply", tmp_path / "zero")
    with pytest.raises(UsageError, match="known are: bad-cable"):
        scenario.read("crossed-replies")


def test_comments_stay_with_the_table_that_they_explain(tmp_path: Path) -> None:
    scenario.write("late-reply-tcp", tmp_path)
    scenario.write("crossed-reply", tmp_path / "other")
    assert "time-out is 0.2 s" in (tmp_path / "other" / "faults.toml").read_text("utf-8")
