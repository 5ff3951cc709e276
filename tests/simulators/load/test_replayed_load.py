"""A replayed register agrees with the file to one step; missing values add nothing."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jieneng.metering.errors import ConfigError
from jieneng.site_folder import SiteFolder, load
from simulators.load.load import HOUR_MS
from simulators.load.replayed_load import ReplayedLoad, from_intervals, from_registers
from simulators.serving import site_server
from simulators.settings import ReplayRow, SimulatorSettings

T0 = 1_577_836_800_000  # 2020-01-01 UTC

hours = st.lists(st.one_of(st.just(float("nan")), st.floats(0, 1e6)), min_size=2, max_size=100).map(
    np.asarray
)


@given(hours, st.sampled_from([0.0, 0.1, 0.25, 0.4]))
def test_each_interval_flows_exactly_its_amount(
    amounts: np.ndarray[tuple[int], np.dtype[np.float64]], rest: float
) -> None:
    edges = T0 + HOUR_MS * np.arange(len(amounts) + 1)
    replay = from_intervals(edges[:-1], amounts, HOUR_MS, rest)
    flowed = replay.consumption(edges)
    assert np.diff(flowed) == pytest.approx(np.nan_to_num(amounts), abs=1e-6 * (1 + flowed[-1]))


@given(hours, st.floats(0.0, 0.249))
def test_a_register_rests_at_the_edges(
    amounts: np.ndarray[tuple[int], np.dtype[np.float64]], early: float
) -> None:
    """Whoever reads a quarter of an hour too early or too late reads the same, bit for bit."""
    edges = T0 + HOUR_MS * np.arange(len(amounts) + 1)
    replay = from_intervals(edges[:-1], amounts, HOUR_MS)
    off = round(early * HOUR_MS)
    assert (replay.consumption(edges - off) == replay.consumption(edges)).all()
    assert (replay.consumption(edges + off) == replay.consumption(edges)).all()
    assert (replay.rate(edges) == 0).all()


def test_the_middle_half_flows_evenly() -> None:
    replay = from_intervals(np.asarray([T0, T0 + HOUR_MS]), np.asarray([8.0, 0.0]))
    quarters = T0 + HOUR_MS // 4 * np.arange(5)
    assert replay.consumption(quarters).tolist() == [0, 0, 4, 8, 8]
    assert replay.rate(quarters + 1).tolist() == [0, 16, 16, 0, 0]


def test_before_and_after_the_file_nothing_flows() -> None:
    replay = from_intervals(np.asarray([T0, T0 + HOUR_MS]), np.asarray([8.0, 2.0]))
    outside = np.asarray([0, T0 - 1, T0 + 2 * HOUR_MS, T0 + 10**12])
    assert replay.consumption(outside).tolist() == [0, 0, 10, 10]
    assert replay.rate(outside).tolist() == [0, 0, 0, 0]


def test_readings_of_a_register_are_met_and_gaps_bridged() -> None:
    times = T0 + HOUR_MS * np.arange(5)
    replay = from_registers(times, np.asarray([100.0, 103.0, np.nan, 110.0, 110.5]))
    assert replay.consumption(times).tolist() == [0, 3, pytest.approx(6.5), 10, 10.5]


@pytest.mark.parametrize(
    ("begins", "ends", "amounts", "rest", "reason"),
    [
        ([0, 5], [10, 15], [1, 1], 0.25, "follow one another"),
        ([0, 10], [10, 10], [1, 1], 0.25, "follow one another"),
        ([0, 10], [10, 20], [1, -1], 0.25, "can't fall"),
        ([0, 10], [10, 20], [1, 1], 0.5, "0.5"),
    ],
)
def test_what_can_not_be_is_refused(
    begins: list[int], ends: list[int], amounts: list[float], rest: float, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        ReplayedLoad(np.asarray(begins), np.asarray(ends), np.asarray(amounts, dtype=float), rest)


# --- measured files ------------------------------------------------------------------------------

SITE = """
[site]
id = "cambridge"
name = "Cambridge"
timezone = "Europe/London"
[[area]]
id = "b4"
name = "b4"
[[meter]]
id = "e"
name = "e"
medium = "electricity"
area = "b4"
model = "{model}"
{ct}installed = 2018-01-01
"""


#: A meter that is connected directly has no ratio, and `check` refuses one.
DIRECT = "schneider-iem3155"
CT = "ct = [{from = 2018-01-01, value = 20.0}]\n"


def _folder(path: Path, model: str) -> SiteFolder:
    ct = "" if model == DIRECT else CT
    (path / "site.toml").write_text(SITE.format(model=model, ct=ct))
    return load(path)


@pytest.mark.parametrize(
    ("model", "step"),
    [
        ("acrel-dtsd1352", 0.2),  # 0.01 kWh behind CT 20
        (DIRECT, 0.001),
        ("chint-dtsu666", 20 * 2.0**-6 * 1.0001),  # float32 of some 100,000 kWh / 20
    ],
)
def test_sums_of_hours_and_days_equal_the_cambridge_file(
    measured: Path, tmp_path: Path, model: str, step: float
) -> None:
    """Read from the register against a plain reading of the file, for all of 2018 to 2022."""
    file = measured / "cambridge" / "electricity_hourly_kwh.csv.gz"
    row = ReplayRow(meter="e", file=str(file), column="b4", timezone="UTC", missing=("0",))
    folder = _folder(tmp_path, model)
    meter = site_server.simulate_site(folder, SimulatorSettings(replay=(row,))).meters["e"]

    lines = gzip.decompress(file.read_bytes()).decode().splitlines()
    at = lines[0].split(",").index("b4")
    plain = [(line.split(",")[0], float(line.split(",")[at])) for line in lines[1:]]
    begin = round(datetime.fromisoformat(plain[0][0]).replace(tzinfo=UTC).timestamp() * 1000)
    values = np.asarray([value for _, value in plain])
    edges = begin + HOUR_MS * np.arange(len(values) + 1)

    shown = meter.readings(edges)["energy_kwh"]
    assert np.abs(np.diff(shown) - values).max() <= step * 1.001
    days = np.diff(shown[::24])
    assert np.abs(days - values.reshape(-1, 24).sum(1)).max() <= step * 1.001
    assert shown[-1] - shown[0] == pytest.approx(613810.1, abs=step)  # the column's sum


def test_water_by_the_minute_with_summer_time_inside(measured: Path, tmp_path: Path) -> None:
    """OpenGrid, March 2015: offsets change on the 29th; litres become m3 by the scale."""
    (tmp_path / "site.toml").write_text(
        SITE.replace("electricity", "water")
        .replace("installed", "# installed")
        .format(model="tuf-2000m-water", ct="")
    )
    file = measured / "opengrid" / "water_march2015_min.csv.gz"
    row = ReplayRow(meter="e", file=str(file), column="a805", scale=0.001)
    meter = site_server.simulate_site(load(tmp_path), SimulatorSettings(replay=(row,))).meters["e"]
    lines = [line.split(",") for line in gzip.decompress(file.read_bytes()).decode().splitlines()]
    at = lines[0].index("a805")
    noon = round(datetime(2015, 3, 28, 11, tzinfo=UTC).timestamp() * 1000)
    plain = [
        float(line[at] or 0)
        for line in lines[1:]
        if noon <= datetime.fromisoformat(line[0]).timestamp() * 1000 < noon + 24 * HOUR_MS
    ]
    assert len(plain) == 1440
    shown = meter.readings(np.asarray([noon, noon + 24 * HOUR_MS]))["volume_m3"]
    assert np.diff(shown)[0] == pytest.approx(sum(plain) / 1000, abs=0.001)


CSV = "when,a,b\n2020-01-01 00:00:00,1.5,7\n2020-01-01 01:00:00,,0\n2020-01-01 02:00:00,2,x\n"


def _row(**changes: object) -> ReplayRow:
    return msgspec.structs.replace(ReplayRow(meter="e", file="m.csv", column="a"), **changes)


def _replayed(tmp_path: Path, row: ReplayRow, text: str = CSV) -> object:
    (tmp_path / "m.csv").write_text(text)
    return site_server.replays(
        _folder(tmp_path, "acrel-dtsd1352"), SimulatorSettings(replay=(row,))
    )


def test_a_small_file_beside_the_site(tmp_path: Path) -> None:
    loads = _replayed(tmp_path, _row())
    assert isinstance(loads, dict)
    edges = T0 + HOUR_MS * np.arange(4)  # London's winter time is UTC
    assert loads["e"].consumption(edges).tolist() == [0, 1.5, 1.5, 3.5]


@pytest.mark.parametrize(
    ("row", "text", "where", "reason"),
    [
        (_row(column="c"), CSV, "m.csv:1", "no column c"),
        (_row(column="b"), CSV, "m.csv:4", "x is not a number"),
        (_row(), CSV.replace("01 02:", "1 02:"), "m.csv:4", "is not a time"),
        (_row(), CSV + "2020\n", "m.csv:5", "this line has 1 columns"),
        (_row(), "", "m.csv", "empty"),
        (_row(), CSV.replace("2\n", "-2\n").replace(",2,", ",-2,"), "simulator.toml", "can't fall"),
        (_row(file="none.csv"), CSV, "simulator.toml", "none.csv"),
        (_row(timezone="Mars/Base"), CSV, "simulator.toml", "Mars"),
        (_row(time_column="b"), CSV, "m.csv:2", "7 is not a time"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(
    tmp_path: Path, row: ReplayRow, text: str, where: str, reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason) as refused:
        _replayed(tmp_path, row, text)
    assert refused.value.problems[0].where() == where


def test_listed_texts_are_missing_and_compared_as_numbers(tmp_path: Path) -> None:
    loads = _replayed(tmp_path, _row(column="b", missing=("0.0", "x")))
    assert isinstance(loads, dict)
    assert loads["e"].consumption(T0 + HOUR_MS * np.arange(4)).tolist() == [0, 7, 7, 7]
