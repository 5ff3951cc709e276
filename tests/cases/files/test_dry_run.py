"""A dry run shows the detected form of a file, and the result of each possible form."""

import json
import unicodedata
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.cases.case_site import CaseSite, Done, meter, year_hours
from tests.cases.files.test_file_judgement import CT_40_THEN_60, growing, of_display

NAMED = meter("e-a", "rated_max = 400.0", name="A楼总表") + meter("w-a", name="A楼水表")


def check(site: CaseSite, file: Path, *options: object) -> Done:
    return site.run("import", "readings", file, "--dry-run", *options)


def width(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in line)


def test_it_shows_form_first_values_meters_and_consumption(tmp_path: Path) -> None:
    site = CaseSite(tmp_path, NAMED)
    rows = [
        f"{year}年{month}月,{1000 + month},50,很好"
        for year in (2020, 2025)
        for month in range(1, 13)
    ]
    done = check(site, site.file("用量.csv", ["月份,A楼总表(kWh),A楼水表(吨),备注", *rows]))
    assert done.code == 0, done.err
    for text in (
        "用量.csv", "utf-8", "wide", "interval", "备注",  # the form
        "2020-01-01 00:00", "2020-02-01 00:00", "1,001 kWh",  # the first value
        "24", "2025-12-01 00:00", "1,012 kWh", "28-31",  # the meters
        "12,078.0 kWh", "600.0 m3", "100.0 %",  # consumption by year
    ):  # fmt: skip
        assert text in done.out, text
    assert max(map(width, done.out.splitlines())) <= 80


def test_it_shows_both_sides_of_a_meter_with_transformers(tmp_path: Path) -> None:
    site = CaseSite(tmp_path, meter("e-a", "rated_max = 400.0", CT_40_THEN_60))
    done = check(site, of_display(site))
    assert done.code == 1
    for text in ("--side display", "--side primary", "120,000.0 kWh", "115,200.0", "3,000.0 kWh"):
        assert text in done.out, text


@pytest.mark.parametrize("kind", ["register", "interval"])
def test_it_shows_both_kinds_of_values_that_look_like_the_other_one(
    tmp_path: Path, kind: str
) -> None:
    site = CaseSite(tmp_path, NAMED)
    times = [datetime(2025, month, 1) for month in range(1, 13)]
    rows = growing(times)
    if kind == "register":
        rows = [(time, 1000 + 37 * number % 100) for number, time in enumerate(times)]
    done = check(site, site.readings(rows), "--kind", kind)
    assert ("--kind register" in done.out, "--kind interval" in done.out) == (True, True)
    amounts = sum(float(value) for _, value in rows)
    assert f"{amounts:,.1f} kWh" in done.out
    if kind == "interval":
        assert "220.0 kWh" in done.out


def resetting(period: str, step: timedelta) -> list[tuple[datetime, float | str]]:
    """Return a register that counts 20 kWh an hour and is reset to 0."""
    found: list[tuple[datetime, float | str]] = []
    days = 60 if period == "daily" else 365
    for time in year_hours(2025, step)[: timedelta(days) // step]:
        begin = time.replace(hour=0, minute=0)
        if period != "daily":
            begin = begin.replace(day=1)
        found.append((time, (time - begin) / timedelta(hours=1) * 20))
    return found


@pytest.mark.parametrize("step", [timedelta(minutes=30), timedelta(hours=1), timedelta(hours=2)])
def test_it_names_a_register_that_begins_again_each_day(tmp_path: Path, step: timedelta) -> None:
    site = CaseSite(tmp_path)
    file = site.readings(resetting("daily", step))
    done = check(site, file)
    assert (done.code, 'resets = "daily"' in done.err) == (1, True)
    assert "--kind interval" not in done.err
    declared = CaseSite(tmp_path, meter("e-a", "rated_max = 400.0", 'resets = "daily"'))
    assert check(declared, file).code == 0


def test_it_names_a_register_that_begins_again_each_month(tmp_path: Path) -> None:
    site = CaseSite(tmp_path)
    done = check(site, site.readings(resetting("monthly", timedelta(hours=6))))
    assert (done.code, 'resets = "monthly"' in done.err) == (1, True)


def test_it_says_the_same_to_programs(tmp_path: Path) -> None:
    site = CaseSite(tmp_path, meter("e-a", "rated_max = 400.0", CT_40_THEN_60))
    done = check(site, of_display(site), "--format", "json")
    report = json.loads(done.out)
    assert (report["layout"], report["kind"], report["problem_count"]) == ("long", "register", 1)
    assert [row["meaning"] for row in report["consumption"]] == ["register", "display"]
    assert report["consumption"][1]["years"][0] == {
        "year": 2020,
        "amount": pytest.approx(120_000),
        "coverage": 1.0,
    }
    assert report["first_values"][0]["line"] == 2
    assert report["series"][0]["meter"] == "e-a"


def test_it_names_what_the_file_itself_does_not_bear_out(tmp_path: Path) -> None:
    """The digit that was keyed wrong is seen before anything is written."""
    site = CaseSite(tmp_path, NAMED)
    times = [*(datetime(2024, month, 1) for month in range(1, 13)), datetime(2025, 1, 1)]
    rows = [(time, 100_000.0 + 10_000 * number) for number, time in enumerate(times)]
    rows[-1] = (times[-1], 242_000.0)
    done = check(site, site.readings(rows))
    assert done.code == 0, done.err
    assert "2024-12-01" in done.err
    assert "32,000" in done.err
    assert "21,355 kWh" in done.err
