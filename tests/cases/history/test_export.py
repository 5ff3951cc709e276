"""Exported files can be imported again, and give exactly the same figures."""

import asyncio
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from unittest import mock
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jieneng.metering.schema import Point
from jieneng.storage import StoreSettings, open_store
from tests.cases.case_site import CaseSite, meter

METERS = (
    meter("e-a", "rated_max = 400.0")
    + meter("w-a", "rated_max = 16.0")
    + meter("g-a", "rated_max = 9.0")
)
START_MS = 1_717_200_000_000
TAGS = {"e-a": "electricity", "w-a": "water", "g-a": "gas"}

#: Values as programs have them: few decimals, many, very small and very large ones.
VALUES = st.one_of(
    st.floats(0, 1e9, allow_nan=False),
    st.integers(0, 10**7).map(lambda n: n / 1000),
    st.integers(0, 10**6).map(float),
    st.sampled_from([0.1 + 0.2, 81.234, 1e-7, 123456789.125, 1e16]),
)
TIMES = st.integers(0, 40 * 86_400_000).map(lambda ms: START_MS + ms)
READINGS = st.dictionaries(
    st.sampled_from(sorted(TAGS)), st.dictionaries(TIMES, VALUES, max_size=12), max_size=3
)


def points(readings: dict[str, dict[int, float]], quality: float) -> list[Point]:
    fields = {"e-a": "energy_kwh", "w-a": "volume_m3", "g-a": "volume_m3"}
    return [
        Point.of(
            TAGS[meter_id],
            (("meter", meter_id), ("site", "huaian")),
            ((fields[meter_id], value), ("quality", quality)),
            time_ms,
        )
        for meter_id, rows in readings.items()
        for time_ms, value in rows.items()
    ]


async def write(folder: Path, written: list[Point]) -> None:
    store = open_store(StoreSettings(), folder)
    await store.prepare()
    await store.write(written)
    await store.close()


def stored(site: CaseSite, what: str = "readings") -> list[str]:
    """Return the exported rows, of the quality whether they are estimated."""
    out = site.folder / "check.csv"
    done = site.run("export", "--out", out, "--what", what)
    assert done.code == 0, done.err
    rows = [line.split(",") for line in out.read_text().splitlines()]
    out.unlink()
    return sorted(
        ",".join(row[:4] + row[5:]) if what == "readings" else ",".join(row) for row in rows
    )


def copied(site: CaseSite, folder: Path, ending: str, what: str = "readings") -> CaseSite:
    """Return a site with what another one exports."""
    folder.mkdir()
    other = CaseSite(folder, METERS)
    file = site.folder / f"all.{ending}"
    done = site.run("export", "--out", file, "--what", what)
    assert done.code == 0, done.err
    if len(stored(site, what)) > 1:
        kind = "interval" if what == "intervals" else "register"
        other.load(file, "--kind", kind, "--no-backfill")
    return other


@given(READINGS, st.sampled_from([0.0, 4.0, 32.0, 96.0]))
@settings(max_examples=6, deadline=None)
def test_readings_come_in_as_they_were(
    readings: dict[str, dict[int, float]], quality: float
) -> None:
    rising = {
        meter_id: dict(zip(sorted(rows), sorted(rows.values()), strict=True))
        for meter_id, rows in readings.items()
    }
    with tempfile.TemporaryDirectory() as path:
        (Path(path) / "one").mkdir()
        site = CaseSite(Path(path) / "one", METERS)
        asyncio.run(write(site.folder, points(rising, quality)))
        other = copied(site, Path(path) / "two", "csv")
        assert stored(other) == stored(site)


def quarter(site: CaseSite) -> None:
    """Load a quarter of registers that are read at odd times, with a gap, and a second medium."""
    start = datetime(2024, 1, 1, 0, 7, 13)
    days = [start + timedelta(hours=31 * number) for number in range(60)]
    rows = [(time, round(1000 + 37.123 * number, 3)) for number, time in enumerate(days)]
    del rows[20:25]
    site.load(site.readings(rows, name="e.csv"), "--kind", "register")
    water = [(datetime(2024, month, 1), 100.0 + month / 3) for month in range(1, 4)]
    site.load(site.readings(water, "w-a", name="w.csv"), "--kind", "register")


def test_the_figures_are_the_same_digit_for_digit(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    site = CaseSite(tmp_path / "one", METERS)
    quarter(site)
    other = copied(site, tmp_path / "two", "csv")
    assert other.figures("2024-02") == site.figures("2024-02")


def test_intervals_of_every_length_come_in_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    site = CaseSite(tmp_path / "one", METERS)
    months = [(datetime(2024, month, 1), 1000.123 * (7 * month % 13)) for month in range(1, 5)]
    site.load(site.readings(months, name="months.csv"), "--kind", "interval")
    hours = [(datetime(2025, 1, 1, hour), 3.7 * (7 * hour % 11)) for hour in range(24)]
    site.load(site.readings(hours, name="hours.csv"), "--kind", "interval")
    other = copied(site, tmp_path / "two", "csv", "intervals")
    assert stored(other, "intervals") == stored(site, "intervals")
    assert other.figures("2024-02") == site.figures("2024-02")
    assert other.figures("2025-01") == site.figures("2025-01")


@pytest.mark.parametrize("what", ["consumption", "indicators"])
def test_what_was_computed_is_exported(tmp_path: Path, what: str) -> None:
    site = CaseSite(tmp_path, METERS)
    quarter(site)
    out = tmp_path / "out.csv"
    assert site.run("export", "--out", out, "--what", what, "--from", "2024-02-01").code == 0
    header, *rows = out.read_text().splitlines()
    assert header.startswith("time,")
    assert rows
    assert min(rows)[:10] >= "2024-02-01"


def test_days_and_meters_are_chosen(tmp_path: Path) -> None:
    site = CaseSite(tmp_path, METERS)
    quarter(site)
    out = tmp_path / "out.csv"
    span = ("--from", "2024-03-01", "--to", "2024-03-01")
    assert site.run("export", "--out", out, *span, "--meter", "w-a").code == 0
    assert out.read_text().splitlines()[1:] == [
        "2024-03-01T00:00:00+08:00,w-a,volume_m3,101.0,32.0,0"
    ]
    assert site.run("export", "--out", out).code == 2, "the file exists"
    assert site.run("export", "--out", tmp_path / "out.xls").code == 2
    assert site.run("export", "--out", tmp_path / "x.csv", "--meter", "nosuch").code == 2
    assert not (tmp_path / "x.csv.part").exists()


def test_parquet_says_what_it_needs(tmp_path: Path) -> None:
    site = CaseSite(tmp_path, METERS)
    with mock.patch.dict(sys.modules, {"pyarrow": None}):
        done = site.run("export", "--out", tmp_path / "out.parquet")
    assert done.code == 2
    assert "jieneng[parquet]" in done.err


def test_parquet_holds_what_csv_holds(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="needs the extra: pip install 'jieneng[parquet]'")
    from pyarrow import parquet

    site = CaseSite(tmp_path, METERS)
    quarter(site)
    assert site.run("export", "--out", tmp_path / "out.parquet").code == 0
    table = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    zone = ZoneInfo("Asia/Shanghai")
    rows = [
        f""
        f""
        f"{row['time'].astimezone(zone).isoformat()},{row['meter']},{row['quantity']},{row['value']!r},0"
        for row in table
    ]
    assert sorted(rows) == [row for row in stored(site) if not row.startswith("time")]


@pytest.mark.parametrize("what", ["readings", "intervals"])
def test_parquet_comes_in_again(tmp_path: Path, what: str) -> None:
    pytest.importorskip("pyarrow", reason="needs the extra: pip install 'jieneng[parquet]'")
    (tmp_path / "one").mkdir()
    site = CaseSite(tmp_path / "one", METERS)
    quarter(site)
    months = [(datetime(2023, month, 1), 1000.123 * (7 * month % 13)) for month in range(1, 13)]
    site.load(site.readings(months, name="months.csv"), "--kind", "interval")
    other = copied(site, tmp_path / "two", "parquet", what)
    assert stored(other, what) == stored(site, what)


def test_reading_parquet_says_what_it_needs(tmp_path: Path) -> None:
    site = CaseSite(tmp_path, METERS)
    (tmp_path / "all.parquet").write_bytes(b"PAR1" + bytes(100))
    with mock.patch.dict(sys.modules, {"pyarrow": None}):
        done = site.run("import", "readings", tmp_path / "all.parquet")
    assert done.code == 2
    assert "jieneng[parquet]" in done.err


def test_a_damaged_parquet_file_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="needs the extra: pip install 'jieneng[parquet]'")
    site = CaseSite(tmp_path, METERS)
    (tmp_path / "all.parquet").write_bytes(b"PAR1" + bytes(100))
    assert site.run("import", "readings", tmp_path / "all.parquet").code == 2


def test_estimates_come_in_as_estimates(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    site = CaseSite(tmp_path / "one", METERS)
    rows = ["2024-01,e-a,900,实测", "2024-02,e-a,850,估算", "2024-03,e-a,880,实测"]
    file = site.file("months.csv", ["月份,表计,用量,是否估算", *rows])
    site.load(file, "--kind", "interval")
    other = copied(site, tmp_path / "two", "csv", "intervals")
    assert stored(other, "intervals") == stored(site, "intervals")
    assert [row[-1] for row in stored(other, "intervals")[:3]] == ["0", "1", "0"]


def test_a_file_that_calls_a_stored_value_estimated_marks_it(tmp_path: Path) -> None:
    site = CaseSite(tmp_path, METERS)
    plain = site.file("plain.csv", ["时间,表计,读数", "2024-01-01,e-a,900", "2024-02-01,e-a,950"])
    site.load(plain, "--kind", "register")
    marked = ["时间,表计,读数,是否估算", "2024-01-01,e-a,900,实测", "2024-02-01,e-a,950,估算"]
    site.load(site.file("marked.csv", marked), "--kind", "register")
    assert [row[-1] for row in stored(site)[:2]] == ["0", "1"]
    assert site.run("import", "undo", 2).code == 0
    assert [row[-1] for row in stored(site)[:2]] == ["0", "0"]
