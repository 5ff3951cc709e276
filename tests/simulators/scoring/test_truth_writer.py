"""The truth folder contains the true consumption and the description of the run."""

import json
from pathlib import Path

import numpy as np
import pytest

from jieneng.metering.catalog.modbus_points import modbus_models
from jieneng.metering.errors import UsageError
from jieneng.metering.quantities import CONSUMPTION
from jieneng.site_folder import SiteFolder
from simulators.protocols.modbus_registers import modbus_registers
from simulators.registers.device_history import device_periods
from simulators.scoring.truth_files import CONSUMPTION_FILE, RUN_FILE, SERVED_FILE
from simulators.scoring.truth_reader import read_truth
from simulators.scoring.truth_writer import TruthWriter
from simulators.simulated_site import SimulatedSite
from tests.simulators.scoring.truth_run import NOON, QUARTER

# --- what flowed ----------------------------------------------------------------------------------


def test_each_whole_interval_of_the_run_says_what_flowed(
    folder: Path, writer: TruthWriter, simulated: SimulatedSite
) -> None:
    for now in range(NOON + 600_000, NOON + 6 * QUARTER, 17_000):
        writer.advance(now)
    writer.close(NOON + 6 * QUARTER + 5)
    truth = read_truth(folder)
    edges = NOON + QUARTER * np.arange(1, 7)
    assert truth.consumption.keys() == simulated.meters.keys()
    for name, meter in simulated.meters.items():
        amounts = truth.consumption[name]
        assert amounts.starts_ms.tolist() == edges[:-1].tolist()
        assert amounts.values.tolist() == np.diff(meter.load.consumption(edges)).tolist()
    assert (truth.begin_ms, truth.end_ms) == (NOON + 600_000, NOON + 6 * QUARTER + 5)
    assert truth.torn == ()


def test_the_form_is_that_of_an_import_of_intervals(folder: Path, writer: TruthWriter) -> None:
    writer.close(NOON + 2 * QUARTER)
    lines = (folder / CONSUMPTION_FILE).read_text().splitlines()
    assert lines[0] == "time,meter,quantity,value"
    assert lines[1].startswith("2025-11-24T04:15:00+00:00,e-main,energy_kwh,")
    assert len(lines) == 1 + 30


def test_many_intervals_at_once_and_other_lengths(folder: Path, simulated: SimulatedSite) -> None:
    writer = TruthWriter(folder, simulated, begin_ms=NOON, speed=1.0, interval_s=3600)
    writer.close(NOON + 24 * 4 * QUARTER)
    truth = read_truth(folder)
    assert truth.run.interval_s == 3600
    day = simulated.meters["w-main"].load.consumption(np.asarray([NOON, NOON + 96 * QUARTER]))
    assert len(truth.consumption["w-main"].starts_ms) == 24
    assert truth.consumption["w-main"].values.sum() == pytest.approx(float(np.diff(day)[0]))


def test_a_run_shorter_than_an_interval_has_none(folder: Path, writer: TruthWriter) -> None:
    writer.close(NOON + 700_000)
    assert all(not len(one.starts_ms) for one in read_truth(folder).consumption.values())


# --- the run --------------------------------------------------------------------------------------


def test_run_json_says_what_was_run(
    folder: Path, writer: TruthWriter, simulated: SimulatedSite
) -> None:
    run = json.loads((folder / RUN_FILE).read_text())
    assert run["end"] is None
    writer.close(NOON + QUARTER)
    run = json.loads((folder / RUN_FILE).read_text())
    meters = run.pop("meters")
    assert run == {
        "v": 1,
        "site": "huaian-centre",
        "timezone": "Asia/Shanghai",
        "begin": "2025-11-24T04:10:00Z",
        "end": "2025-11-24T04:15:00Z",
        "speed": 60.0,
        "interval_s": 900,
    }
    assert meters.keys() == simulated.meters.keys()
    assert meters["w-main"] == {"medium": "water", "quantity": "volume_m3", "step": 1 / 1024}
    assert sorted(path.name for path in folder.iterdir()) == [
        CONSUMPTION_FILE, RUN_FILE, SERVED_FILE,
    ]  # fmt: skip


@pytest.mark.parametrize("begin_ms", [NOON, 1_609_459_200_000])
def test_a_step_is_that_of_the_register_of_that_time(
    folder: Path, simulated: SimulatedSite, example: SiteFolder, begin_ms: int
) -> None:
    """The example has meters of every layout: whole numbers, words swapped, BCD and floats."""
    TruthWriter(folder, simulated, begin_ms=begin_ms, speed=1.0).close(begin_ms)
    rows = read_truth(folder).run.meters
    for one in example.site.meter:
        load = simulated.meters[one.id].load
        periods = device_periods(example.site, modbus_models(example.models), one, load)
        period = [each for each in periods if each.begin_ms <= begin_ms][-1]
        model = modbus_models(example.models)[period.model.id]
        counter = CONSUMPTION[one.medium]
        registers = modbus_registers(model, period.ct, period.pt)
        register = next(row for row in registers if row.quantity == counter)
        expected = 0.0 if register.layout.kind == "f" else float(register.step)
        assert rows[one.id].step == expected, one.id


def test_the_truth_of_another_run_is_not_overwritten(
    folder: Path, writer: TruthWriter, simulated: SimulatedSite
) -> None:
    writer.close(NOON + QUARTER)
    before = (folder / RUN_FILE).read_bytes()
    with pytest.raises(UsageError, match="choose another folder") as caught:
        TruthWriter(folder, simulated, begin_ms=NOON, speed=1.0)
    assert str(folder) in str(caught.value)
    assert (folder / RUN_FILE).read_bytes() == before
