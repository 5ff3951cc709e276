"""Mistakes of a whole file are reported before anything is written, with their correction."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.cases.case_site import CaseSite, Done, meter, steady, year_hours
from tests.cases.stored_points import stored

MONTHS = [(year, month) for year in (2020, 2025) for month in range(1, 13)]
DAY = timedelta(days=1)


def check(site: CaseSite, file: Path, *options: object) -> Done:
    return site.run("import", "readings", file, "--dry-run", *options)


def of_display(site: CaseSite) -> Path:
    """Return registers as the display of a meter behind transformers shows them."""
    rows: list[tuple[datetime, float | str]] = []
    for year, first, growth in ((2020, 1000, 250), (2025, 16000, 160)):
        rows += [
            (datetime(year + month // 12, month % 12 + 1, 1), first + growth * month)
            for month in range(13)
        ]
    return site.readings(rows)


CT_40_THEN_60 = "ct = [{from = 2019-01-01, value = 40.0}, {from = 2023-01-01, value = 60.0}]"


def test_what_a_display_showed_is_multiplied_by_the_ratio_of_its_time(tmp_path: Path) -> None:
    site = CaseSite(tmp_path, meter("e-a", "rated_max = 400.0", CT_40_THEN_60))
    file = of_display(site)
    refused = site.run("import", "readings", file)
    assert (refused.code, "--side display" in refused.err) == (1, True)
    site.load(file, "--side", "display")
    found = [site.figure("electricity", year) for year in (2020, 2025)]
    assert [figure["value"] for figure in found] == pytest.approx([120_000, 115_200])
    assert found[1]["change_pct"] == pytest.approx(-4.0, abs=0.01)


@pytest.mark.parametrize(
    ("keys", "side", "ratios"),
    [
        ([CT_40_THEN_60], "primary", (1, 1)),
        (["ct = [{from = 2019-01-01, value = 40.0}]"], "display", (40, 40)),
        (
            [
                "ct = [{from = 2019-01-01, value = 4.0}]",
                "pt = [{from = 2019-01-01, value = 10.0}, {from = 2021-06-01, value = 15.0}]",
            ],
            "display",
            (40, 60),
        ),
        (["ct = [{from = 2019-01-01, value = 1.0}]"], None, (1, 1)),
        (['model = "acrel-dtsd1352"', CT_40_THEN_60], "display", (40, 60)),
    ],
)
def test_registers_are_stored_as_they_are_on_the_primary_side(
    tmp_path: Path, keys: list[str], side: str | None, ratios: tuple[float, float]
) -> None:
    site = CaseSite(tmp_path, meter("e-a", *keys))
    site.load(of_display(site), "--no-backfill", *(("--side", side) if side else ()))
    registers = stored(site, "e-a", "electricity")
    found = [registers[f"{year}-02-01 00:00"] for year in (2020, 2025)]
    assert found == [1250 * ratios[0], 16160 * ratios[1]]


def swapped(time: datetime) -> datetime:
    return time.replace(month=time.day, day=time.month) if time.day <= 12 else time


def growing(times: list[datetime]) -> list[tuple[datetime, float | str]]:
    return [(time, 1000.0 + 20 * number) for number, time in enumerate(times)]


@pytest.mark.parametrize("step", [timedelta(hours=1), DAY])
def test_swapped_days_and_months_are_told_and_mended(tmp_path: Path, step: timedelta) -> None:
    site = CaseSite(tmp_path)
    times = [*year_hours(2025, step), datetime(2026, 1, 1)]
    rows = [(swapped(time), value) for time, value in growing(times)]
    file = site.readings(rows)
    refused = site.run("import", "readings", file)
    assert (refused.code, "--date-order ydm" in refused.err) == (1, True)
    assert "2025-02-01" in refused.err
    done = check(site, file, "--date-order", "ydm")
    assert done.code == 0
    if step == DAY:
        site.load(file, "--date-order", "ydm")
        assert site.figure("electricity")["value"] == 20 * 365


@pytest.mark.parametrize("kind", ["register", "interval"])
def test_another_order_of_the_lines_is_fine(tmp_path: Path, kind: str) -> None:
    site = CaseSite(tmp_path)
    rows = growing([datetime(2025, 1, 1) + day * DAY for day in range(200)])
    if kind == "interval":
        rows = [(time, 20.0 + time.day % 7) for time, _ in rows]
    for number, shuffled in enumerate(
        (rows[::-1], rows[100:] + rows[:100], rows[::2] + rows[1::2])
    ):
        file = site.readings(shuffled, name=f"{number}.csv")
        assert check(site, file, "--kind", kind).code == 0


@pytest.mark.parametrize(("count", "code"), [(12, 0), (60, 1)])
def test_a_register_given_as_intervals_is_doubted_or_refused(
    tmp_path: Path, count: int, code: int
) -> None:
    site = CaseSite(tmp_path)
    file = site.readings(growing([datetime(2025, 1, 1) + day * DAY for day in range(count)]))
    done = check(site, file, "--kind", "interval")
    assert (done.code, "--kind register" in done.err) == (code, True)
    assert check(site, file, "--kind", "interval", "--sure").code == 0


def test_intervals_given_as_a_register_are_refused(tmp_path: Path) -> None:
    site = CaseSite(tmp_path)
    rows = [(datetime(2025, month, 1), 1000 + 37 * month % 100) for month in range(1, 13)]
    done = check(site, site.readings(rows))
    assert (done.code, "--kind interval" in done.err) == (1, True)
    assert check(site, site.readings(rows), "--kind", "interval").code == 0


def test_steady_intervals_are_no_register(tmp_path: Path) -> None:
    site = CaseSite(tmp_path)
    times = [datetime(2025, 1, 1) + day * DAY for day in range(60)]
    rows = [*steady(times[:30], 18.0), *steady(times[30:], 20.0)]
    assert check(site, site.readings(rows), "--kind", "interval").code == 0


def zeros_in_2025(site: CaseSite, count: int) -> Path:
    rows = [*steady(year_hours(2024), 18.0), *steady(year_hours(2025), 18.0)]
    first = 8784 + 2000
    rows[first : first + count] = [(time, 0) for time, _ in rows[first : first + count]]
    return site.readings(rows)


def test_zeros_that_no_other_year_has_are_doubted(tmp_path: Path) -> None:
    site = CaseSite(tmp_path)
    done = check(site, zeros_in_2025(site, 1355), "--kind", "interval")
    assert (done.code, "--missing 0" in done.err, "1355" in done.err) == (0, True, True)
    assert "--missing 0" not in check(site, zeros_in_2025(site, 48), "--kind", "interval").err


@pytest.mark.parametrize(
    ("step", "first"),
    [(timedelta(hours=1), datetime(2025, 1, 1, 1)), (DAY, datetime(2025, 1, 2))],
)
def test_stamps_that_look_like_ends_are_doubted(
    tmp_path: Path, step: timedelta, first: datetime
) -> None:
    site = CaseSite(tmp_path)
    times = [first + number * step for number in range(31 * (24 if step < DAY else 1))]
    file = site.readings(steady(times, 5.0))
    assert "--stamp end" in check(site, file, "--kind", "interval").err
    assert "--stamp end" not in check(site, file, "--kind", "interval", "--stamp", "end").err
    starts = site.readings(steady([time - step for time in times], 5.0), name="starts.csv")
    assert "--stamp end" not in check(site, starts, "--kind", "interval").err


@pytest.mark.parametrize("last", ["23:59:59", "23:59"])
def test_days_stamped_with_their_last_second_are_these_days(tmp_path: Path, last: str) -> None:
    """1 June had 0.0003 kWh, and each day the amount of the day before."""
    site = CaseSite(tmp_path)
    lines = [f"2025-06-{day:02d} {last},{100 + day}" for day in range(1, 31)]
    site.load(site.file("days.csv", ["时间,E-A用电量(kWh)", *lines]))
    assert site.figure("electricity", "2025-06-01")["value"] == 101.0
    june = site.figure("electricity", "2025-06")
    assert (june["value"], june["coverage"]) == (3465.0, 1.0)


def test_months_stamped_with_their_last_second_are_these_months(tmp_path: Path) -> None:
    site = CaseSite(tmp_path)
    ends = ["2025-01-31 23:59:59", "2025-02-28 23:59:59", "2025-03-31 23:59:59"]
    lines = [f"{end},{1000 + place}" for place, end in enumerate(ends)]
    site.load(site.file("months.csv", ["时间,E-A用电量(kWh)", *lines]))
    for month in (1, 2, 3):
        assert site.figure("electricity", f"2025-0{month}")["value"] == 999.0 + month
