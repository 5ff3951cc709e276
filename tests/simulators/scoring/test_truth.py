"""The truth folder: what is written is what flowed and what was served, and it is read again."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from jieneng.metering.catalog.modbus_points import modbus_models
from jieneng.metering.errors import ConfigError, UsageError
from jieneng.metering.quantities import CONSUMPTION
from jieneng.site_folder import SiteFolder
from simulators.registers.device_history import stretches
from simulators.registers.simulated_meter import registers
from simulators.scoring.truth import (
    CONSUMPTION_FILE,
    RUN_FILE,
    SERVED_FILE,
    Served,
    TruthWriter,
    read,
)
from simulators.simulated_site import SimulatedSite
from tests.simulators.clocks import StillClock

NOON = 1_763_956_800_000  # 2025-11-24T04:00:00Z, 12:00 in Huai'an
QUARTER = 900_000
PEER = "127.0.0.1:40000"


def served(time_ms: int, value: float | None = 812_345.6, **other: object) -> Served:
    fields: dict[str, object] = {
        "time_ms": time_ms,
        "meter": "e-main",
        "quantity": "energy_kwh",
        "value": value,
        "register": 812_345.6,
        "answer": "good",
        "faults": (),
        "peer": PEER,
    }
    return Served(**{**fields, **other})  # type: ignore[arg-type]  # as the struct has them


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "truth"


@pytest.fixture
def writer(folder: Path, campus: SimulatedSite) -> Iterator[TruthWriter]:
    """Of a run that begins ten minutes past noon; its real seconds pass when the test says so."""
    one = TruthWriter(folder, campus, begin_ms=NOON + 600_000, speed=60.0)
    one._clock = StillClock(0)  # type: ignore[assignment]
    one._flushed_s = 0.0
    yield one
    one._consumption.close()
    one._served.close()


def pass_seconds(writer: TruthWriter, seconds: float) -> None:
    clock = writer._clock
    assert isinstance(clock, StillClock)
    clock.time_ms += round(1000 * seconds)


# --- what flowed ----------------------------------------------------------------------------------


def test_each_whole_interval_of_the_run_says_what_flowed(
    folder: Path, writer: TruthWriter, campus: SimulatedSite
) -> None:
    for now in range(NOON + 600_000, NOON + 6 * QUARTER, 17_000):
        writer.advance(now)
    writer.close(NOON + 6 * QUARTER + 5)
    truth = read(folder)
    edges = NOON + QUARTER * np.arange(1, 7)
    assert truth.consumption.keys() == campus.meters.keys()
    for name, meter in campus.meters.items():
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


def test_many_intervals_at_once_and_other_lengths(folder: Path, campus: SimulatedSite) -> None:
    writer = TruthWriter(folder, campus, begin_ms=NOON, speed=1.0, interval_s=3600)
    writer.close(NOON + 24 * 4 * QUARTER)
    truth = read(folder)
    assert truth.run.interval_s == 3600
    day = campus.meters["w-main"].load.consumption(np.asarray([NOON, NOON + 96 * QUARTER]))
    assert len(truth.consumption["w-main"].starts_ms) == 24
    assert truth.consumption["w-main"].values.sum() == pytest.approx(float(np.diff(day)[0]))


def test_a_run_shorter_than_an_interval_has_none(folder: Path, writer: TruthWriter) -> None:
    writer.close(NOON + 700_000)
    assert all(not len(one.starts_ms) for one in read(folder).consumption.values())


# --- the run --------------------------------------------------------------------------------------


def test_run_json_says_what_was_run(
    folder: Path, writer: TruthWriter, campus: SimulatedSite
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
    assert meters.keys() == campus.meters.keys()
    assert meters["w-main"] == {"medium": "water", "quantity": "volume_m3", "step": 1 / 1024}
    assert sorted(path.name for path in folder.iterdir()) == [
        CONSUMPTION_FILE, RUN_FILE, SERVED_FILE,
    ]  # fmt: skip


@pytest.mark.parametrize("begin_ms", [NOON, 1_609_459_200_000])
def test_a_step_is_that_of_the_register_of_that_time(
    folder: Path, campus: SimulatedSite, example: SiteFolder, begin_ms: int
) -> None:
    """Of every layout that the example has: whole numbers, words swapped, BCD and floats."""
    TruthWriter(folder, campus, begin_ms=begin_ms, speed=1.0).close(begin_ms)
    rows = read(folder).run.meters
    for one in example.site.meter:
        load = campus.meters[one.id].load
        every = stretches(example.site, modbus_models(example.models), one, load)
        stretch = [each for each in every if each.begin_ms <= begin_ms][-1]
        counter = CONSUMPTION[one.medium]
        register = next(r for r in registers(stretch, one.medium) if r.row.quantity == counter)
        expected = 0.0 if register.layout.kind == "f" else float(register.step)
        assert rows[one.id].step == expected, one.id


def test_the_truth_of_another_run_is_not_overwritten(
    folder: Path, writer: TruthWriter, campus: SimulatedSite
) -> None:
    writer.close(NOON + QUARTER)
    before = (folder / RUN_FILE).read_bytes()
    with pytest.raises(UsageError, match="choose another folder") as caught:
        TruthWriter(folder, campus, begin_ms=NOON, speed=1.0)
    assert str(folder) in str(caught.value)
    assert (folder / RUN_FILE).read_bytes() == before


# --- what was served ------------------------------------------------------------------------------


def test_answers_are_read_as_they_were_written(folder: Path, writer: TruthWriter) -> None:
    writer.served(served(NOON + 600_007, 0.1 + 0.2))
    writer.served(
        served(NOON + 610_999, None, register=7e-5, answer="bad", faults=("cut-1", "late-2"))
    )
    writer.served(served(NOON + 620_000, float("nan"), answer="bad", meter="e-pumps"))
    writer.served(served(NOON + 630_000, 1e9, answer="doubtful", peer="[::1]:9"))
    writer.close(NOON + QUARTER)
    lines = (folder / SERVED_FILE).read_text().splitlines()
    assert lines[:3] == [
        "time,meter,quantity,value,register,answer,faults,peer",
        f"2025-11-24T04:10:00.007+00:00,e-main,energy_kwh,0.30000000000000004,812345.6,good,,{PEER}",
        f"2025-11-24T04:10:10.999+00:00,e-main,energy_kwh,,7e-05,bad,cut-1 late-2,{PEER}",
    ]
    found = read(folder).answers["e-main"]
    assert found.times_ms.tolist() == [NOON + 600_007, NOON + 610_999, NOON + 630_000]
    assert found.values[[0, 2]].tolist() == [0.1 + 0.2, 1e9]
    assert np.isnan(found.values[1])
    assert found.registers.tolist() == [812_345.6, 7e-5, 812_345.6]
    assert found.verdicts.tolist() == ["good", "bad", "doubtful"]
    assert found.faults == ("", "cut-1 late-2", "")
    assert found.peers == (PEER, PEER, "[::1]:9")
    assert np.isnan(read(folder).answers["e-pumps"].values).tolist() == [True]


# --- a run that is killed -------------------------------------------------------------------------


def killed(folder: Path, tmp_path: Path) -> Path:
    """What is on the disk now."""
    return Path(shutil.copytree(folder, tmp_path / "killed"))


def test_lines_reach_the_disk_within_a_second(
    folder: Path, writer: TruthWriter, tmp_path: Path
) -> None:
    writer.served(served(NOON + 610_000))
    pass_seconds(writer, 0.5)
    writer.served(served(NOON + 620_000))
    pass_seconds(writer, 0.6)
    writer.advance(NOON + 3 * QUARTER)
    writer.served(served(NOON + 630_000))
    truth = read(killed(folder, tmp_path))
    assert truth.run.end is None
    assert truth.answers["e-main"].times_ms.tolist() == [NOON + 610_000, NOON + 620_000]
    assert len(truth.consumption["e-main"].starts_ms) == 2
    assert truth.end_ms == NOON + 620_000, "it ended with its last answer"


def test_a_run_that_was_killed_at_once_can_be_read(
    folder: Path, writer: TruthWriter, tmp_path: Path
) -> None:
    truth = read(killed(folder, tmp_path))
    assert truth.begin_ms == truth.end_ms == NOON + 600_000
    assert not len(truth.answers["e-main"].times_ms)


@pytest.mark.parametrize("cut", [1, 5, 40, 200])
@pytest.mark.parametrize("name", [SERVED_FILE, CONSUMPTION_FILE])
def test_a_torn_last_line_is_left_out_and_said(
    folder: Path, writer: TruthWriter, name: str, cut: int
) -> None:
    for second in range(600, 640, 10):
        writer.served(served(NOON + 1000 * second))
    writer.close(NOON + 3 * QUARTER)
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[:-cut])
    truth = read(folder)
    assert truth.torn == (name,)
    rows = sum(len(one.times_ms) for one in truth.answers.values())
    rows += sum(len(one.starts_ms) for one in truth.consumption.values())
    torn = whole[-cut:].count(b"\n")
    assert rows == 4 + 60 - torn


# --- what is no truth -----------------------------------------------------------------------------


def test_a_folder_without_a_run_is_no_truth(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no truth of a run"):
        read(tmp_path)
    with pytest.raises(UsageError, match="no truth of a run"):
        read(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "line", "text", "says"),
    [
        (SERVED_FILE, 1, "time,meter", "the header is time,meter,quantity,value,register,answer"),
        (SERVED_FILE, 3, "yesterday,e-main,energy_kwh,1.0,1.0,good,,x", "yesterday"),
        (SERVED_FILE, 3, "2025-11-24T04:10:00,e-main,energy_kwh,1.0,1.0,good,,x", "offset"),
        (SERVED_FILE, 2, "2025-11-24T04:10:00Z,e-main,energy_kwh,1o,1.0,good,,x", "1o"),
        (SERVED_FILE, 2, "2025-11-24T04:10:00Z,e-main,energy_kwh,nan,1.0,good,,x", "nan"),
        (SERVED_FILE, 2, "2025-11-24T04:10:00Z,e-main,energy_kwh,1.0,,good,,x", "float"),
        (SERVED_FILE, 2, "2025-11-24T04:10:00Z,e-main,energy_kwh,1.0,1.0,fine,,x", "not fine"),
        (SERVED_FILE, 2, "2025-11-24T04:10:00Z,e-none,energy_kwh,1.0,1.0,good,,x", "e-none"),
        (SERVED_FILE, 2, "2025-11-24T04:10:00Z,e-main,power_kw,1.0,1.0,good,,x", "power_kw"),
        (SERVED_FILE, 2, "2025-11-24T04:10:00Z,e-main,energy_kwh,1.0", "4 columns instead of 8"),
        (CONSUMPTION_FILE, 2, "2025-11-24T04:10:00Z,e-main,energy_kwh,", "float"),
        (CONSUMPTION_FILE, 4, "\udcff\udcfe,e-main,energy_kwh,1", "�"),
    ],
)
def test_a_line_that_no_run_wrote_is_told_with_its_place(
    folder: Path, writer: TruthWriter, name: str, line: int, text: str, says: str
) -> None:
    for second in (600, 610):
        writer.served(served(NOON + 1000 * second))
    writer.close(NOON + 2 * QUARTER)
    lines = (folder / name).read_text().splitlines()
    lines[line - 1] = text
    (folder / name).write_bytes(("\n".join(lines) + "\n").encode(errors="surrogateescape"))
    with pytest.raises(ConfigError) as caught:
        read(folder)
    assert str(caught.value).startswith(f"{name}:{line}: this line can't be read: ")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new"),
    [('"v": 1', '"v": 2'), ("Asia/Shanghai", "Asia/Huaian"), ('"begin"', '"began"'), ("{", "")],
)
def test_a_run_json_that_no_run_wrote_is_told(
    folder: Path, writer: TruthWriter, old: str, new: str
) -> None:
    writer.close(NOON + QUARTER)
    file = folder / RUN_FILE
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.raises(ConfigError, match=r"^run.json: this file can't be read: "):
        read(folder)


def test_a_missing_file_is_told(folder: Path, writer: TruthWriter) -> None:
    writer.close(NOON + QUARTER)
    (folder / SERVED_FILE).unlink()
    with pytest.raises(ConfigError, match=r"^served.csv: this file is not there"):
        read(folder)
