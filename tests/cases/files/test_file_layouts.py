"""Files in the forms that people use give the right amounts, without options if they are clear."""

from datetime import datetime, timedelta
from pathlib import Path

import openpyxl
import pytest

from tests.cases.case_site import CaseSite, meter
from tests.cases.stored_points import stored

METERS = (
    meter("e-a", "rated_max = 400.0", name="A楼总表")
    + meter("w-a", "rated_max = 16.0", name="A楼水表")
    + meter("g-a", "rated_max = 40.0", name="食堂燃气表")
)
MONTHS = range(1, 4)
DAYS = [datetime(2025, 2, 1) + timedelta(days=day) for day in range(28)]


@pytest.fixture
def site(tmp_path: Path) -> CaseSite:
    return CaseSite(tmp_path, METERS)


def load(site: CaseSite, lines: list[str], *options: object) -> None:
    """Import a file; its consumption is not computed, which takes longer than all the rest."""
    site.load(site.file("f.csv", lines), "--no-backfill", *options)


def intervals(site: CaseSite, meter_id: str) -> list[tuple[str, float, float]]:
    """Return (local time, amount, length [h]) of each stored interval of a meter."""
    lengths = stored(site, meter_id, "interval", "interval_s")
    amounts = stored(site, meter_id, "interval").items()
    return [(time, value, lengths[time] / 3600) for time, value in amounts]


def february(site: CaseSite, meter_id: str) -> float:
    """Return the amount of February, which must be known completely."""
    found = [
        (value, hours) for time, value, hours in intervals(site, meter_id) if time[5:7] == "02"
    ]
    assert sum(hours for _, hours in found) == 28 * 24
    return round(sum(value for value, _ in found), 3)


def quarters(first: int) -> str:
    minutes = [15 * (place + first) for place in range(96)]
    return ",".join(f"{minute // 60:02}:{minute % 60:02}" for minute in minutes)


def rows_of_quarters(begin: str) -> list[str]:
    return [f"{begin}{day:%Y/%m/%d}," + ",".join(["5"] * 96) for day in DAYS]


def test_long_with_chinese_headers_and_the_site_s_names(site: CaseSite) -> None:
    rows = [f"A楼总表,2025-{month:02}-01,{1000 + month * 100}" for month in MONTHS]
    site.load(site.file("f.csv", ["表号,抄表日期,读数(kWh)", *rows]))
    assert site.figure("electricity", "2025-02")["value"] == 100


def test_long_with_a_column_of_media(site: CaseSite) -> None:
    lines = ["日期,仪表名称,能耗类型,用量"]
    for month in MONTHS:
        lines += [f"2025-{month:02}-01,A楼总表,电,1000", f"2025-{month:02}-01,A楼水表,水,50"]
    site.load(site.file("f.csv", lines))
    assert (february(site, "e-a"), february(site, "w-a")) == (1000, 50)


def test_long_with_a_column_of_units(site: CaseSite) -> None:
    lines = ["日期,表计,用量,单位"]
    for month in MONTHS:
        lines += [f"2025-{month:02}-01,A楼总表,0.1,万kWh", f"2025-{month:02}-01,A楼水表,50,吨"]
    site.load(site.file("f.csv", lines))
    assert (february(site, "e-a"), february(site, "w-a")) == (1000, 50)


def test_wide_with_units_in_the_headers(site: CaseSite) -> None:
    rows = [f"2025-{month:02}-01,1.5,40,1000" for month in MONTHS]
    file = site.file("f.csv", ["时间,A楼总表(MWh),A楼水表（吨）,食堂燃气表(kWh)", *rows])
    refused = site.run("import", "readings", file, "--kind", "interval")
    assert (refused.code, "--calorific-value" in refused.err) == (1, True)
    site.load(file, "--no-backfill", "--kind", "interval", "--calorific-value", "36MJ/m3")
    figures = [february(site, meter_id) for meter_id in ("e-a", "w-a", "g-a")]
    assert figures == [1500, 40, 100]


def test_wide_with_names_of_areas_and_what_was_used(site: CaseSite) -> None:
    rows = [f"2025-{month:02}-01,1500,40,990.5" for month in MONTHS]
    load(site, ["时间,1号楼用电量(度),1号楼用水量(方),电费(元)", *rows])
    assert (february(site, "e-a"), february(site, "w-a")) == (1500, 40)


def test_wide_of_a_site_with_one_meter_of_each_medium(site: CaseSite) -> None:
    rows = [f"2025-{month:02}-01,1500,40" for month in MONTHS]
    load(site, ["时间,用电量(kWh),用水量(t)", *rows])
    assert (february(site, "e-a"), february(site, "w-a")) == (1500, 40)


@pytest.mark.parametrize("first", [0, 1])
def test_a_column_each_quarter_of_an_hour(site: CaseSite, first: int) -> None:
    file = site.file("f.csv", [f"表计,日期,{quarters(first)}", *rows_of_quarters("A楼总表,")])
    site.load(file, "--no-backfill")
    assert february(site, "e-a") == 28 * 96 * 5


def test_quarters_of_a_file_that_does_not_name_its_meter(site: CaseSite) -> None:
    file = site.file("f.csv", [f"日期,{quarters(0)}", *rows_of_quarters("")])
    refused = site.run("import", "readings", file)
    assert (refused.code, "--meter e-a" in refused.err) == (1, True)
    site.load(file, "--no-backfill", "--meter", "e-a")
    assert february(site, "e-a") == 28 * 96 * 5


@pytest.mark.parametrize("header", ["P{}", "{}", "V{}"])
@pytest.mark.parametrize("count", [24, 48])
def test_numbered_parts_of_a_day(site: CaseSite, header: str, count: int) -> None:
    names = ",".join(header.format(place + 1) for place in range(count))
    rows = [f"{day:%Y-%m-%d},A楼总表," + ",".join(["5"] * count) for day in DAYS]
    load(site, [f"日期,表计,{names}", *rows])
    assert february(site, "e-a") == 28 * count * 5


def test_months_across_with_a_sum(site: CaseSite) -> None:
    names = ",".join(f"2025年{month}月" for month in MONTHS)
    load(
        site,
        [
            f"名称,{names},合计",
            "A楼总表," + ",".join(["1.2"] * 3) + ",3.6",
            "A楼水表," + ",".join(["30"] * 3) + ",90",
        ],
        "--unit",
        "A楼总表=万kWh",
    )
    assert (february(site, "e-a"), february(site, "w-a")) == (12000, 30)


def test_months_across_without_a_year_and_with_a_year_s_column(site: CaseSite) -> None:
    names = ",".join(f"{month}月" for month in MONTHS)
    lines = [
        f"楼栋,能耗类型,{names},2025年",
        "1号楼,用电量," + ",".join(["1200"] * 3) + ",3600",
        ",用水量," + ",".join(["30"] * 3) + ",90",
    ]
    file = site.file("f.csv", lines)
    refused = site.run("import", "readings", file)
    assert (refused.code, "--year" in refused.err) == (1, True)
    site.load(file, "--no-backfill", "--year", 2025)
    assert (february(site, "e-a"), february(site, "w-a")) == (1200, 30)


def test_years_and_months_in_two_columns(site: CaseSite) -> None:
    rows = [f"2025,{month},{1000 + month}" for month in MONTHS]
    load(site, ["年份,月份,A楼总表", *rows])
    assert february(site, "e-a") == 1002


def test_start_and_end_in_two_columns(site: CaseSite) -> None:
    rows = [f"A楼总表,2025-{month:02}-05,2025-{month + 1:02}-05,1000" for month in range(1, 4)]
    load(site, ["表计,开始日期,截止日期,用量", *rows])
    assert intervals(site, "e-a")[:2] == [
        ("2025-01-05 00:00", 1000, 744),
        ("2025-02-05 00:00", 1000, 672),
    ]


@pytest.mark.parametrize("stamp", ["%Y-%m-%d 00:00", "%Y/%m/%d", "%Y%m%d"])
def test_daily_values_with_the_stamp_of_the_next_midnight(site: CaseSite, stamp: str) -> None:
    times = [datetime(2025, 2, 2) + timedelta(days=day) for day in range(28)]
    rows = [f"{time.strftime(stamp)},e-a,{100 + day % 5}" for day, time in enumerate(times)]
    file = site.file("f.csv", ["time,meter,value", *rows])
    site.load(file, "--no-backfill", "--kind", "interval", "--stamp", "end")
    assert february(site, "e-a") == sum(100 + day % 5 for day in range(28))


def test_a_name_that_can_mean_two_meters_is_asked_for(tmp_path: Path) -> None:
    site = CaseSite(tmp_path, meter("e-a", name="总表") + meter("e-b", name="总表"))
    done = site.run("import", "readings", site.file("f.csv", ["时间,总表", "2025-01-01,1"]))
    assert done.code == 1
    assert "e-a, e-b" in done.err
    assert "--column 总表=e-a" in done.err
    load(site, ["时间,总表", "2025-01-01,1"], "--column", "总表=e-b")


def test_a_unit_that_a_meter_can_t_have_is_refused(site: CaseSite) -> None:
    done = site.run("import", "readings", site.file("f.csv", ["时间,A楼总表(吨)", "2025-01-01,1"]))
    assert (done.code, "吨" in done.err, "energy_kwh" in done.err) == (1, True, True)


@pytest.mark.parametrize("year", ["{}年", "{}", "{}年度", "{}-01-01 至 {}-12-31"])
def test_a_year_typed_as_one_amount_can_be_the_base_year(tmp_path: Path, year: str) -> None:
    site = CaseSite(tmp_path)
    rows = [f"{year.format(*[one] * 2)},{36000 + one}" for one in (2020, 2021, 2022)]
    site.load(site.file("f.csv", ["年度,e-a", *rows]))
    assert [site.figure("electricity", one)["value"] for one in (2020, 2021)] == [38020, 38021]
    assert site.figure("electricity", 2021)["coverage"] == 1.0


PERIODS = {
    "month": (["2025-01", "2025年2月", "Mar 2025"], [744, 672, 744]),
    "first days": (["2025-01-01", "2025/2/1", "2025年3月1日", "2025-4-1"], [744, 672, 744, 720]),
    "week": (["2025-W05", "2025年第6周"], [168, 168]),
    "first days of weeks": (["2025-01-27", "2025-02-03", "2025-02-10"], [168] * 3),
    "quarter": (["2025Q1", "2025年第二季度"], [2160, 2184]),
    "range": (["2025.1.1-2025.2.15", "2025-02-16 至 2025-03-31"], [46 * 24, 44 * 24]),
}


@pytest.mark.parametrize("name", PERIODS)
def test_rows_of_calendar_periods_have_their_own_lengths(site: CaseSite, name: str) -> None:
    times, hours = PERIODS[name]
    rows = [f"{time},{1000 + place % 2}" for place, time in enumerate(times)]
    load(site, ["统计期,e-a", *rows], "--kind", "interval")
    assert [length for _, _, length in intervals(site, "e-a")] == hours


def test_steps_may_change_and_clocks_may_jitter(site: CaseSite) -> None:
    start = datetime(2025, 2, 1)
    hourly = [start + timedelta(hours=hour) for hour in range(14 * 24)]
    quarterly = [start + timedelta(days=14, minutes=15 * place) for place in range(14 * 96)]
    rows = [
        f"{time + timedelta(seconds=(7 * place) % 5):%Y-%m-%d %H:%M:%S},{1 + place % 3}"
        for place, time in enumerate([*hourly, *quarterly])
    ]
    site.load(site.file("f.csv", ["time,e-a", *rows]), "--kind", "interval")
    figure = site.figure("electricity", "2025-02")
    assert figure["coverage"] == pytest.approx(1.0, abs=1e-4)
    assert figure["value"] == pytest.approx(
        sum(1 + place % 3 for place in range(len(rows))), rel=1e-3
    )


def test_true_overlaps_are_refused(site: CaseSite) -> None:
    rows = ["2025-02,1000", "2025-03,1000", "2025Q1,3000"]
    done = site.run("import", "readings", site.file("f.csv", ["月份,e-a", *rows]))
    assert (done.code, "f.csv:2" in done.err) == (1, True)


@pytest.mark.parametrize(
    "title",
    [
        "1号楼2025年用电量统计表",
        "2025年度报表（单位：万kWh）",
        "2025年各楼用电量（万千瓦时）",
        "2025年 单位:万度",
    ],
)
def test_titles_say_year_and_unit(site: CaseSite, title: str) -> None:
    names = ",".join(f"{month}月" for month in MONTHS)
    load(site, [f"{title},,,", f"名称,{names}", "A楼总表,1.5,1.5,1.5"])
    assert february(site, "e-a") == (15000 if "万" in title else 1.5)


@pytest.mark.parametrize("mark", ["估算", "E", "estimated", "是"])
def test_values_that_a_file_calls_estimated_are_estimated_in_figures(
    site: CaseSite, mark: str
) -> None:
    rows = [f"A楼总表,2025-{month:02},1000,{mark if month == 2 else ''}" for month in range(1, 5)]
    site.load(site.file("f.csv", ["表号,月份,用量,是否估算", *rows]))
    assert stored(site, "e-a", "interval", "quality")["2025-02-01 00:00"] == 32 + 64
    figure = site.figure("electricity", "2025-02")
    assert (figure["value"], figure["coverage"], figure["estimated"]) == (1000, 1.0, 1.0)
    assert site.figure("electricity", "2025-03")["estimated"] == 0


def test_estimated_readings_of_a_register_keep_their_mark(site: CaseSite) -> None:
    rows = [f"A楼总表,2025-{month:02}-01,{1000 * month},{'EA'[month % 2]}" for month in MONTHS]
    site.load(site.file("f.csv", ["表号,时间,读数,E/A", *rows]), "--no-backfill")
    assert list(stored(site, "e-a", "electricity", "quality").values()) == [32, 96, 32]


def test_a_mark_that_says_nothing_is_asked_for(site: CaseSite) -> None:
    lines = ["表号,时间,读数,E/A", "A楼总表,2025-01-01,1000,X"]
    done = site.run("import", "readings", site.file("f.csv", lines))
    assert (done.code, "f.csv:2" in done.err) == (1, True)


@pytest.mark.parametrize(
    "unit", ["{} MWh", "{}/MWh", "{}_MWh", "{}（兆瓦时）", "{} [MWh]", "{}:MWh"]
)
def test_units_behind_a_name(site: CaseSite, unit: str) -> None:
    rows = [f"2025-{month:02},1.5,30" for month in MONTHS]
    load(site, [f"月份,{unit.format('A楼总表')},A楼水表 m3", *rows])
    assert (february(site, "e-a"), february(site, "w-a")) == (1500, 30)


def test_a_ratio_in_the_file_needs_the_transformers_of_the_meter(tmp_path: Path) -> None:
    lines = ["表号,上月读数,本月读数,倍率,用电量,抄表日期"]
    lines += [f"e-a,{100 * one},{100 * one + 100},40,4000,2025-{one + 1:02}-01" for one in MONTHS]
    site = CaseSite(tmp_path)
    file = site.file("f.csv", lines)
    refused = site.run("import", "readings", file)
    assert (refused.code, "--side display" in refused.err) == (1, True)
    CaseSite(tmp_path, meter("e-a", "ct = [{from = 2019-01-01, value = 40.0}]"))
    site.load(file, "--no-backfill", "--side", "display")
    assert list(stored(site, "e-a", "electricity").values()) == [8000, 12000, 16000]


def test_a_sheet_a_month_with_numbered_days(site: CaseSite) -> None:
    book = openpyxl.Workbook()
    for month, days in ((1, 31), (2, 28), (3, 31)):
        sheet = book.active if month == 1 else book.create_sheet()
        sheet.title = f"2025年{month}月"
        sheet.append(["日", "A楼总表用电量(kWh)"])
        for day in range(1, days + 1):
            sheet.append([day, 100 * month + day % 3])
    book.save(site.folder / "f.xlsx")
    site.load(site.folder / "f.xlsx", "--no-backfill")
    assert february(site, "e-a") == sum(200 + day % 3 for day in range(1, 29))


@pytest.mark.parametrize(
    ("head", "begin"),
    [(["年,月,日,A楼总表用电量"], "2025,2,"), (["2025年2月用电量", "日,A楼总表用电量"], "")],
)
def test_numbered_days_below_a_title_or_beside_their_month(
    site: CaseSite, head: list[str], begin: str
) -> None:
    load(site, [*head, *[f"{begin}{day},{100 + day % 3}" for day in range(1, 29)]])
    assert february(site, "e-a") == sum(100 + day % 3 for day in range(1, 29))
