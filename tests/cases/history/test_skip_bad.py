"""`--skip-bad` leaves out exactly the named rows, completely. No other problem can be skipped."""

import gzip
import re
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.cases.case_site import CaseSite, meter

METERS = meter("e-a", "rated_max = 400.0") + meter("e-b", "rated_max = 400.0")
JUNE = datetime(2024, 6, 1)
LONG = "time,meter,quantity,value"
WIDE = "time,e-a,e-b"


@pytest.fixture
def site(tmp_path: Path) -> CaseSite:
    return CaseSite(tmp_path, METERS)


def long_row(hour: int, value: object = None) -> str:
    return f"{JUNE + timedelta(hours=hour):%Y-%m-%d %H:%M},e-a,energy_kwh,{value or 100 + hour}"


def wide_row(hour: int) -> str:
    return f"{JUNE + timedelta(hours=hour):%Y-%m-%d %H:%M},{100 + hour},{200 + hour}"


def stored(site: CaseSite) -> list[float]:
    """Return the stored registers in order."""
    with closing(sqlite3.connect(site.folder / "store.sqlite")) as db:
        return [value for (value,) in db.execute("SELECT energy_kwh FROM electricity ORDER BY 1")]


#: A bad line among good ones, and the lines that are named: the bad one is line 4.
BAD_LONG = {
    "a number that is none": ("2024-06-01 02:30,e-a,energy_kwh,1o2", {4}),
    "a time that is none": ("2024-06-31 02:30,e-a,energy_kwh,102", {4}),
    "a year that can't be": ("1924-06-01 02:30,e-a,energy_kwh,102", {4}),
    "an unknown meter": ("2024-06-01 02:30,e-x,energy_kwh,102", {4}),
    "an unknown quantity": ("2024-06-01 02:30,e-a,volume_m3,102", {4}),
    "a cell too many": ("2024-06-01 02:30,e-a,energy_kwh,102,7", {4}),
    "a cell too few": ("2024-06-01 02:30,e-a,102", {4}),
    "a time that stands twice": (long_row(1, 50_136_400), {3, 4}),
    "a value that stands twice": (long_row(1), {3, 4}),
}


@pytest.mark.parametrize("kind", BAD_LONG)
def test_a_bad_row_is_named_and_left_out(site: CaseSite, kind: str) -> None:
    line, named = BAD_LONG[kind]
    rows = [long_row(0), long_row(1), line, long_row(3), long_row(4)]
    file = site.file("readings.csv", [LONG, *rows])
    assert site.run("import", "readings", file).code == 1
    done = site.run("import", "readings", file, "--skip-bad")
    assert done.code == 0, done.err
    told = {int(line) for line in re.findall(r"readings\.csv:(\d+)", done.err)}
    assert told == {4}
    shown = site.run("import", "show", 1).out
    ranges = "3-4" if named == {3, 4} else "4"
    assert re.search(rf"[:：] ?{ranges}\n", shown), shown
    good = {2: 100.0, 3: 101.0, 5: 103.0, 6: 104.0}
    assert stored(site) == [
        value for line_number, value in good.items() if line_number not in named
    ]


def test_a_meter_that_is_wrong_everywhere_is_left_out_everywhere(site: CaseSite) -> None:
    rows = [long_row(hour).replace("e-a", "e-a" if hour % 2 else "e-x") for hour in range(8)]
    file = site.file("readings.csv", [LONG, *rows])
    done = site.load(file, "--skip-bad")
    assert "2, 4, 6, 8" in done.out
    assert len(stored(site)) == 4


def test_a_bad_cell_leaves_out_the_other_meters_of_its_row(site: CaseSite) -> None:
    rows = [wide_row(0), wide_row(1).replace("201", "2o1"), wide_row(2)]
    site.load(site.file("readings.csv", [WIDE, *rows]), "--skip-bad")
    assert stored(site) == [100.0, 102.0, 200.0, 202.0]


def test_731_rows_with_a_bad_one_of_a_time_that_stands_twice(site: CaseSite) -> None:
    rows = [long_row(24 * day) for day in range(730)]
    rows.insert(100, long_row(24 * 99, 9_999_999))
    file = site.file("readings.csv", [LONG, *rows])
    site.load(file, "--skip-bad")
    assert len(stored(site)) == 729
    assert max(stored(site)) < 9_999_999


FALLING = [long_row(hour, 100 + hour * 37 % 11) for hour in range(40)]

#: Files with a problem that is not of single rows, and their options.
WHOLE = {
    "a column of no meter": (["time,e-a,b101", wide_row(0), wide_row(1)], ()),
    "two columns of one meter": (["time,e-a,e-a", wide_row(0), wide_row(1)], ()),
    "no column of times": (["when,e-a,e-b", wide_row(0), wide_row(1)], ()),
    "values that fall all the time": ([LONG, *FALLING], ()),
    "intervals that overlap": (
        [LONG, *(long_row(hour) for hour in range(5)), "2024-06-01 02:20,e-a,energy_kwh,3"],
        ("--kind", "interval", "--interval-s", 3600),
    ),
    "one interval of no length": ([LONG, long_row(0)], ("--kind", "interval")),
    "an empty file": ([], ()),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_what_is_not_of_single_rows_is_not_skipped(site: CaseSite, kind: str) -> None:
    lines, options = WHOLE[kind]
    file = site.file("readings.csv", lines)
    for skip in ((), ("--skip-bad",)):
        done = site.run("import", "readings", file, *options, *skip)
        assert done.code == 1, done.out
        assert done.err
    assert not (site.folder / "store.sqlite").exists() or not site.run("import", "list").out.count(
        "readings.csv"
    )


def test_a_file_that_breaks_off_is_not_skipped(site: CaseSite) -> None:
    lines = [LONG, *(long_row(hour) for hour in range(5000))]
    file = site.folder / "readings.csv.gz"
    file.write_bytes(gzip.compress("\n".join(lines).encode())[:-2000])
    assert site.run("import", "readings", file, "--skip-bad").code == 1
    assert "readings.csv" not in site.run("import", "list").out
