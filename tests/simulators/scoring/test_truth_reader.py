"""A truth folder is read as it was written, also after a kill; other files are refused."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from jieneng.metering.errors import ConfigError, UsageError
from simulators.scoring.truth_files import CONSUMPTION_FILE, RUN_FILE, SERVED_FILE
from simulators.scoring.truth_reader import read_truth
from simulators.scoring.truth_writer import TruthWriter
from tests.simulators.clocks import StillClock
from tests.simulators.scoring.truth_run import NOON, PEER, QUARTER, served_answer


def pass_seconds(writer: TruthWriter, seconds: float) -> None:
    clock = writer._clock
    assert isinstance(clock, StillClock)
    clock.time_ms += round(1000 * seconds)


# --- what was served ------------------------------------------------------------------------------


def test_answers_are_read_as_they_were_written(folder: Path, writer: TruthWriter) -> None:
    writer.write_answer(served_answer(NOON + 600_007, 0.1 + 0.2))
    writer.write_answer(
        served_answer(NOON + 610_999, None, register=7e-5, answer="bad", faults=("cut-1", "late-2"))
    )
    writer.write_answer(served_answer(NOON + 620_000, float("nan"), answer="bad", meter="e-pumps"))
    writer.write_answer(served_answer(NOON + 630_000, 1e9, answer="doubtful", peer="[::1]:9"))
    writer.close(NOON + QUARTER)
    lines = (folder / SERVED_FILE).read_text().splitlines()
    assert lines[:3] == [
        "time,meter,quantity,value,register,answer,faults,peer",
        f"2025-11-24T04:10:00.007+00:00,e-main,energy_kwh,0.30000000000000004,812345.6,good,,{PEER}",
        f"2025-11-24T04:10:10.999+00:00,e-main,energy_kwh,,7e-05,bad,cut-1 late-2,{PEER}",
    ]
    found = read_truth(folder).answers["e-main"]
    assert found.times_ms.tolist() == [NOON + 600_007, NOON + 610_999, NOON + 630_000]
    assert found.values[[0, 2]].tolist() == [0.1 + 0.2, 1e9]
    assert np.isnan(found.values[1])
    assert found.registers.tolist() == [812_345.6, 7e-5, 812_345.6]
    assert found.verdicts.tolist() == ["good", "bad", "doubtful"]
    assert found.faults == ("", "cut-1 late-2", "")
    assert found.peers == (PEER, PEER, "[::1]:9")
    assert np.isnan(read_truth(folder).answers["e-pumps"].values).tolist() == [True]


# --- a run that is killed -------------------------------------------------------------------------


def killed(folder: Path, tmp_path: Path) -> Path:
    """Return a copy of the files as they are on the disk now."""
    return Path(shutil.copytree(folder, tmp_path / "killed"))


def test_lines_reach_the_disk_within_a_second(
    folder: Path, writer: TruthWriter, tmp_path: Path
) -> None:
    writer.write_answer(served_answer(NOON + 610_000))
    pass_seconds(writer, 0.5)
    writer.write_answer(served_answer(NOON + 620_000))
    pass_seconds(writer, 0.6)
    writer.advance(NOON + 3 * QUARTER)
    writer.write_answer(served_answer(NOON + 630_000))
    truth = read_truth(killed(folder, tmp_path))
    assert truth.run.end is None
    assert truth.answers["e-main"].times_ms.tolist() == [NOON + 610_000, NOON + 620_000]
    assert len(truth.consumption["e-main"].starts_ms) == 2
    assert truth.end_ms == NOON + 620_000, "it ended with its last answer"


def test_a_run_that_was_killed_at_once_can_be_read(
    folder: Path, writer: TruthWriter, tmp_path: Path
) -> None:
    truth = read_truth(killed(folder, tmp_path))
    assert truth.begin_ms == truth.end_ms == NOON + 600_000
    assert not len(truth.answers["e-main"].times_ms)


@pytest.mark.parametrize("cut", [1, 5, 40, 200])
@pytest.mark.parametrize("name", [SERVED_FILE, CONSUMPTION_FILE])
def test_a_torn_last_line_is_left_out_and_said(
    folder: Path, writer: TruthWriter, name: str, cut: int
) -> None:
    for second in range(600, 640, 10):
        writer.write_answer(served_answer(NOON + 1000 * second))
    writer.close(NOON + 3 * QUARTER)
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[:-cut])
    truth = read_truth(folder)
    assert truth.torn == (name,)
    rows = sum(len(one.times_ms) for one in truth.answers.values())
    rows += sum(len(one.starts_ms) for one in truth.consumption.values())
    torn = whole[-cut:].count(b"\n")
    assert rows == 4 + 60 - torn


# --- what is no truth -----------------------------------------------------------------------------


def test_a_folder_without_a_run_is_no_truth(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not contain the truth of a run"):
        read_truth(tmp_path)
    with pytest.raises(UsageError, match="does not contain the truth of a run"):
        read_truth(tmp_path / "nowhere")


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
        writer.write_answer(served_answer(NOON + 1000 * second))
    writer.close(NOON + 2 * QUARTER)
    lines = (folder / name).read_text().splitlines()
    lines[line - 1] = text
    (folder / name).write_bytes(("\n".join(lines) + "\n").encode(errors="surrogateescape"))
    with pytest.raises(ConfigError) as caught:
        read_truth(folder)
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
        read_truth(folder)


def test_a_missing_file_is_told(folder: Path, writer: TruthWriter) -> None:
    writer.close(NOON + QUARTER)
    (folder / SERVED_FILE).unlink()
    with pytest.raises(ConfigError, match=r"^served.csv: this file does not exist"):
        read_truth(folder)
