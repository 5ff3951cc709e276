"""Files of offices give the right amounts, or the import asks; no amount goes to a wrong meter."""

from pathlib import Path

import openpyxl
import pytest

from tests.cases.case_site import AREA, CaseSite, Done, meter
from tests.cases.stored_points import stored

METERS = (
    meter("e-a", "rated_max = 400.0", name="1号楼总表")
    + meter("w-a", "rated_max = 16.0", name="1号楼水表")
    + meter("e-b", "rated_max = 400.0", 'area = "b2"', name="2号楼总表")
)
AREAS = AREA + AREA.replace("house", "b2").replace("1号楼", "2号楼")
MONTHS = range(1, 13)


@pytest.fixture
def site(tmp_path: Path) -> CaseSite:
    return CaseSite(tmp_path, METERS, AREAS)


def read(site: CaseSite, header: str, row: str, *options: object) -> Done:
    """Import a file with a row a month; its consumption is not computed."""
    rows = [row.format(month=month, after=month + 1) for month in MONTHS]
    file = site.file("f.csv", [*header.split("\n"), *rows])
    return site.run("import", "readings", file, "--no-backfill", *options)


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("月份,2号楼用气量", "2024-{month:02},100"),
        ("月份,2号楼气", "2024-{month:02},100"),
        ("月份,2号楼总表用水量", "2024-{month:02},100"),
        ("楼,月份,用气量", "2号楼,2024-{month:02},100"),
        ("表号,月份,用水量", "e-b,2024-{month:02},100"),
        ("2024年用水量统计\n月份,1号楼,2号楼", "2024-{month:02},100,100"),
        ("2024年用水用电统计\n月份,1号楼", "2024-{month:02},100"),
    ],
)
def test_no_amount_of_another_medium_is_taken_for_electricity(
    site: CaseSite, header: str, row: str
) -> None:
    done = read(site, header, row)
    assert done.code == 1
    assert "--column" in done.err
    assert not stored(site, "e-b", "interval")
    assert not stored(site, "w-a", "interval")


PERIOD = "表计,上次抄表日期,本次抄表日期,上期读数,本期读数"
PERIOD_ROW = "e-a,2024-{month:02}-01,2024-{month:02}-28,{month}000,{month}500"


def test_of_readings_and_amounts_of_a_period_the_amounts_count(site: CaseSite) -> None:
    done = read(site, PERIOD + ",用量(kWh)", PERIOD_ROW + ",500")
    assert done.code == 0
    assert list(stored(site, "e-a", "interval").values()) == [500.0] * 12


def test_readings_of_a_period_were_read_at_its_end(site: CaseSite) -> None:
    assert read(site, PERIOD, PERIOD_ROW).code == 0
    readings = stored(site, "e-a", "electricity")
    assert not stored(site, "e-a", "interval")
    assert next((time[:10], value) for time, value in readings.items()) == ("2024-01-28", 1500.0)


def test_a_column_beside_the_values_is_said_to_be_left_out(site: CaseSite) -> None:
    header, row = "表计,日期,本月示数,电量(kWh)", "e-a,2024-{month:02}-01,{month}000,1000"
    assert "电量(kWh)" in read(site, header, row, "--dry-run").out


@pytest.mark.parametrize("column", ["抄表日期", "本次抄表日期", "截止日期"])
def test_amounts_at_times_of_reading_ask_on_which_side_they_lie(
    site: CaseSite, column: str
) -> None:
    header, row = f"表号,{column},用电量", "e-a,2024-{month:02}-25,1000"
    assert "--stamp end" in read(site, header, row).err
    assert read(site, header, row, "--stamp", "end").code == 0
    assert next(iter(stored(site, "e-a", "interval")))[:10] == "2023-12-25"


def test_last_days_of_months_ask_and_mean_their_months_as_ends(site: CaseSite) -> None:
    days = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    rows = [f"2024-{month:02}-{days[month - 1]},1000" for month in MONTHS]
    file = site.file("f.csv", ["日期,1号楼总表用电量", *rows])
    assert "--stamp end" in site.run("import", "readings", file).err
    site.load(file, "--stamp", "end")
    amounts = [site.figure("electricity", f"2024-{month:02}")["value"] for month in (1, 2, 12)]
    assert amounts == pytest.approx([1000] * 3)


def test_signatures_below_a_table_are_left_out(site: CaseSite) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["月份", "1号楼总表用电量(万kWh)", "备注"])
    for month in MONTHS:
        sheet.append([f"2024年{month}月", 1.5, None])
    sheet.append(["合计", 18, None])
    sheet.append(["制表人：张三", "审核：李四", "2025年1月5日"])
    book.save(site.folder / "f.xlsx")
    site.load(site.folder / "f.xlsx", "--no-backfill")
    assert list(stored(site, "e-a", "interval").values()) == [15000.0] * 12


def test_a_file_without_rows_is_refused(site: CaseSite) -> None:
    done = site.run("import", "readings", site.file("f.csv", ["时间,1号楼总表"]))
    assert done.code == 1
    assert "f.csv:1" in done.err


@pytest.mark.parametrize("unit", ["万", "x10^4kWh", "×10⁴kWh", "吨标煤", "tce", "万元", "万kWh/吨"])
@pytest.mark.parametrize("place", ["1号楼总表用电量（{}）", "单位：{}\n月份,1号楼总表"])
def test_a_unit_that_is_not_known_is_no_kwh(site: CaseSite, unit: str, place: str) -> None:
    header = place.format(unit)
    done = read(site, header if "\n" in header else f"月份,{header}", "2024-{month:02},1.2")
    assert not stored(site, "e-a", "interval"), done.out
    assert done.code == 1


@pytest.mark.parametrize(
    ("unit", "factor"), [("百kWh", 100), ("千度", 1000), ("万kWh", 10_000), ("亿千瓦时", 10**8)]
)
def test_multiples_of_units_are_known(site: CaseSite, unit: str, factor: int) -> None:
    assert read(site, f"月份,1号楼总表用电量（{unit}）", "2024-{month:02},1.2", "--sure").code == 0
    assert list(stored(site, "e-a", "interval").values()) == [1.2 * factor] * 12


def test_other_words_in_brackets_are_no_units(site: CaseSite) -> None:
    for words in ("正向", "总", "东区", "4吨锅炉", "T1"):
        done = read(site, f"月份,1号楼总表（{words}）", "2024-{month:02},12", "--dry-run")
        assert done.code == 0, done.err


def test_sheets_of_different_meters_are_not_read_as_one(site: CaseSite) -> None:
    book = openpyxl.Workbook()
    for place, name in enumerate(("1号楼总表", "2号楼总表")):
        sheet = book.active if place == 0 else book.create_sheet()
        sheet.title = name
        sheet.append(["月份", "用电量"])
        for month in MONTHS[place * 6 : place * 6 + 6]:
            sheet.append([f"2024年{month}月", 100])
    file = site.folder / "f.xlsx"
    book.save(file)
    for options in ((), ("--meter", "e-a")):
        done = site.run("import", "readings", file, *options)
        assert done.code == 1
        assert "--sheet 1号楼总表" in done.err
    site.load(file, "--no-backfill", "--sheet", "2号楼总表", "--meter", "e-b")
    assert len(stored(site, "e-b", "interval")) == 6


@pytest.mark.parametrize(
    "title",
    ["单位：万kWh", "单位 万kWh", "单位：,万kWh", "单位,万千瓦时", "用电量统计表，单位为万度"],
)
def test_a_title_says_the_unit(site: CaseSite, title: str) -> None:
    header = f"{title}\n月份,1号楼总表,2号楼总表"
    assert read(site, header, "2024-{month:02},1.5,2").code == 0
    assert list(stored(site, "e-a", "interval").values()) == [15000.0] * 12
