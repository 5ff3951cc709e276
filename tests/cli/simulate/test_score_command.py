"""`jieneng simulate score`: a store and a truth folder in, numbers and an exit code out."""

import asyncio
import csv
import io
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from jieneng.metering import schema
from jieneng.metering.quantities import CONSUMPTION
from jieneng.metering.reading import Sample
from jieneng.site_folder import load, read_settings
from jieneng.storage.sqlite import SqliteStore
from simulators.scoring.truth_files import CONSUMPTION_FILE, SERVED_FILE, ServedAnswer
from simulators.scoring.truth_writer import TruthWriter
from simulators.serving import site_server
from simulators.settings import SimulatorSettings
from simulators.simulated_site import SETTINGS_FILE, SimulatedSite
from tests.cli.run import jieneng

pytestmark = pytest.mark.server

ROOT = Path(__file__).parents[3]
BEGIN = 1_748_755_020_000  # 2025-06-01T13:17 in Huai'an
END = BEGIN + 7_200_000
POLLED = ("e-main", "e-b1-hvac", "w-main")  # whole steps, a float, and water
POLLS = 120

Samples = list[Sample]


def score(*arguments: object) -> subprocess.CompletedProcess[str]:
    return jieneng("simulate", "score", *arguments)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example centre without a store."""
    folder = tmp_path_factory.mktemp("centre") / "site"
    shutil.copytree(ROOT / "jieneng" / "sites" / "example", folder)
    return folder


@pytest.fixture(scope="module")
def simulated(empty: Path) -> SimulatedSite:
    folder = load(empty)
    return site_server.simulate_site(
        folder, read_settings(empty / SETTINGS_FILE, SimulatorSettings)
    )


@pytest.fixture(scope="module")
def samples(simulated: SimulatedSite) -> Samples:
    """The readings of a faultless agent in two hours: each meter every minute."""
    times = BEGIN + 30_000 + 60_000 * np.arange(POLLS)
    found = []
    for name in POLLED:
        quantity = CONSUMPTION[simulated.meters[name].medium]
        values = simulated.meters[name].readings(times)[quantity]
        found += [
            Sample(name, time_ms, 0, (quantity,), (value,))
            for time_ms, value in zip(times.tolist(), values.tolist(), strict=True)
        ]
    return sorted(found, key=lambda one: one.time_ms)


@pytest.fixture(scope="module")
def truth(
    tmp_path_factory: pytest.TempPathFactory, simulated: SimulatedSite, samples: Samples
) -> Path:
    folder = tmp_path_factory.mktemp("run") / "truth"
    writer = TruthWriter(folder, simulated, begin_ms=BEGIN, speed=1.0)
    for one in samples:
        (quantity,), (value,) = one.quantities, one.values
        peer = "127.0.0.1:40000"
        writer.advance(one.time_ms)
        writer.write_answer(
            ServedAnswer(one.time_ms - 3, one.meter, quantity, value, value, "good", (), peer)
        )
    writer.close(END)
    return folder


def write(site: Path, simulated: SimulatedSite, samples: Samples) -> None:
    points = [
        schema.reading_point(simulated.site.id, simulated.meters[one.meter].medium, one)
        for one in samples
    ]

    async def written() -> None:
        store = SqliteStore(site / "store.sqlite")
        await store.write([point for point in points if point is not None])
        await store.close()

    asyncio.run(written())


@pytest.fixture(scope="module")
def faultless(
    tmp_path_factory: pytest.TempPathFactory,
    empty: Path,
    simulated: SimulatedSite,
    samples: Samples,
) -> Path:
    """A store with every reading, and the consumption that the analytics makes of them."""
    folder = tmp_path_factory.mktemp("faultless") / "site"
    shutil.copytree(empty, folder)
    write(folder, simulated, samples)
    done = jieneng("analytics", "backfill", "--site", folder, "--from", "2025-06-01", "--to",
                   "2025-06-01")  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def broken(tmp_path: Path, empty: Path, simulated: SimulatedSite, samples: Samples) -> Path:
    """A store with two readings too few, one too many, one altered, one moved; no consumption."""
    mine = [one for one in samples if one.meter == "e-b1-hvac"]
    moved = msgspec.structs.replace(mine[40], time_ms=mine[40].time_ms + 20_000)
    altered = msgspec.structs.replace(mine[50], values=(mine[50].values[0] + 7.0,), quality=8)
    invented = msgspec.structs.replace(mine[60], time_ms=mine[60].time_ms + 9_000, values=(1.0,))
    without = [one for one in samples if one not in (*mine[10:12], mine[40], mine[50])]
    folder = tmp_path / "site"
    shutil.copytree(empty, folder)
    write(folder, simulated, [*without, moved, altered, invented])
    return folder


def test_a_faultless_pipeline_has_no_mistakes_and_exits_with_0(
    faultless: Path, truth: Path
) -> None:
    done = score("--site", faultless, "--truth", truth, "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    counts = {name: count for name, count in found["counts"].items() if count}
    assert counts == {"good": 360, "readings": 360, "right": 360}
    assert (found["site"], found["speed"], found["tolerance_s"]) == ("huaian-centre", 1.0, 1.0)
    assert (found["begin"], found["end"]) == ("2025-06-01T05:17:00Z", "2025-06-01T07:17:00Z")
    meters: dict[str, Any] = {one["meter"]: one for one in found["meters"]}
    assert len(meters) == 30
    for name in POLLED:
        (day,) = meters[name]["days"]
        assert (day["day"], day["coverage"]) == ("2025-06-01", 1.0)
        assert day["flowed"] > 0
        assert abs(day["error_pct"]) < 5.0
        assert day["error"] == pytest.approx(day["stored"] - day["flowed"])
    assert meters["e-b2"]["days"][0]["stored"] is None
    (day,) = found["days"]
    assert (day["meters"], day["coverage"]) == (3, pytest.approx(0.1))


def test_mistakes_are_counted_and_exit_with_1(broken: Path, truth: Path) -> None:
    done = score("--site", broken, "--truth", truth, "--format", "json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    names = ("lost", "invented", "wrong", "late", "untrue")
    assert [found["counts"][name] for name in names] == [2, 1, 1, 1, 0]
    findings = next(one["findings"] for one in found["meters"] if one["meter"] == "e-b1-hvac")
    assert [one["mistake"] for one in findings] == ["lost", "lost", "late", "wrong", "invented"]
    assert findings[0]["time"] == "2025-06-01T13:27:29.997000+08:00"
    assert "compute it with jieneng analytics once" in done.stderr


def test_the_table_shows_counts_days_and_the_first_mistakes(
    broken: Path, faultless: Path, truth: Path
) -> None:
    done = score("--site", broken, "--truth", truth)
    assert done.returncode == 1
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert "huaian-centre: readings from 2025-06-01 13:17:00+08:00" in lines[0]
    row = next(line.split() for line in lines if line.startswith("e-b1-hvac "))
    assert row[:10] == ["e-b1-hvac", "120", "119", "116", "2", "1", "1", "1", "0", "0"]
    told = [line.split("  ") for line in lines if "  e-b1-hvac  " in line]
    assert told[3] == ["2025-06-01T14:07:30.000+08:00", "e-b1-hvac", "Wrong", "2233128.25"]
    assert len(told) == 5
    done = score("--site", faultless, "--truth", truth)
    assert "Consumption by day" in done.stdout
    assert "2025-06-01" in done.stdout


def test_the_sheet_has_a_line_for_each_meter_and_each_of_its_days(
    faultless: Path, truth: Path
) -> None:
    done = score("--site", faultless, "--truth", truth, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert len(rows) == 60
    whole, day = (row for row in rows if row["meter"] == "e-main")
    assert (whole["day"], whole["right"], day["day"], day["right"]) == ("", "120", "2025-06-01", "")
    assert whole["stored"] == day["stored"] != ""
    assert next(row["stored"] for row in rows if row["meter"] == "e-b2") == ""


def test_the_tolerance_can_be_said(faultless: Path, truth: Path) -> None:
    """Answers are 3 ms before what the agent stamped."""
    done = score("--site", faultless, "--truth", truth, "--tolerance", "0.002", "--format", "json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["counts"]["late"] == 360


def test_the_truth_can_be_imported_as_consumption(empty: Path, truth: Path) -> None:
    file = truth / CONSUMPTION_FILE
    done = jieneng("import", "readings", file, "--kind", "interval", "--site", empty, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "nothing was written; 210 values would be" in done.stdout


def test_a_torn_line_is_said(faultless: Path, truth: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(truth, tmp_path / "killed"))
    whole = (folder / SERVED_FILE).read_bytes()
    (folder / SERVED_FILE).write_bytes(whole[:-9])
    done = score("--site", faultless, "--truth", folder, "--format", "json")
    assert done.returncode == 1, "what is stored of that answer was said by nobody"
    assert done.stderr == (
        "served.csv: the last line is incomplete, because the run was killed. It is left out.\n"
    )
    assert json.loads(done.stdout)["torn"] == ["served.csv"]


def test_what_can_not_be_compared_is_told_in_a_sentence(
    faultless: Path, truth: Path, tmp_path: Path
) -> None:
    done = score("--site", faultless, "--truth", tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "does not contain the truth of a run" in done.stderr
    other = Path(shutil.copytree(truth, tmp_path / "other"))
    file = other / "run.json"
    file.write_text(file.read_text().replace("huaian-centre", "elsewhere"))
    done = score("--site", faultless, "--truth", other)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "elsewhere" in done.stderr
    file.write_text(file.read_text().replace('"speed": 1.0', '"speed": 0'))
    done = score("--site", faultless, "--truth", other)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "run.json" in done.stderr


@pytest.mark.parametrize("interval_s", [60, 450, 1800])
def test_other_lengths_of_intervals_are_compared_too(
    faultless: Path, simulated: SimulatedSite, tmp_path: Path, interval_s: int
) -> None:
    folder = tmp_path / "truth"
    TruthWriter(folder, simulated, begin_ms=BEGIN, speed=1.0, interval_s=interval_s).close(END)
    done = score("--site", faultless, "--truth", folder, "--format", "json")
    assert done.stderr == ""
    found = next(one for one in json.loads(done.stdout)["meters"] if one["meter"] == "e-main")
    assert found["whole"]["coverage"] == 1.0
    assert abs(found["whole"]["error_pct"]) < 5.0


def test_intervals_that_do_not_fit_are_told(
    faultless: Path, simulated: SimulatedSite, tmp_path: Path
) -> None:
    folder = tmp_path / "truth"
    TruthWriter(folder, simulated, begin_ms=BEGIN, speed=1.0, interval_s=600).close(END)
    done = score("--site", faultless, "--truth", folder, "--format", "json")
    assert "the interval of the store (900 s) are not multiples of each other" in done.stderr
    assert json.loads(done.stdout)["days"][0]["coverage"] == 0.0
