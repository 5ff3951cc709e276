"""Bills of suppliers count in times without measurements, and are compared with measurements."""

import json
import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tests.cases.case_site import CaseSite, meter

METERS = (
    meter("e-a", "rated_max = 400.0", 'account = "0032080012"')
    + meter("w-a", "rated_max = 16.0", 'account = "W-77"')
    + meter("g-a", "rated_max = 9.0", 'account = "G-5"')
)
MONTHS = range(1, 13)


@pytest.fixture
def site(tmp_path: Path) -> CaseSite:
    return CaseSite(tmp_path, METERS)


def bills(site: CaseSite, name: str = "bills.csv", factor: float = 1.0) -> Path:
    rows = [
        f"0032080012,2024-{month:02},{1000 * month * factor},{620.5 * month}" for month in MONTHS
    ]
    return site.file(name, ["户号,账期,用量,金额", *rows])


def stored(site: CaseSite, table: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(site.folder / "store.sqlite")) as db:
        there = db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        return db.execute(f'SELECT * FROM "{table}" ORDER BY 2').fetchall() if there else []  # noqa: S608


def test_bills_count_where_nothing_is_measured(site: CaseSite) -> None:
    done = site.run("import", "bills", bills(site))
    assert done.code == 0, done.err
    assert site.figure("electricity", 2024)["value"] == pytest.approx(78_000.0)
    assert site.figure("electricity", "2024-02")["value"] == pytest.approx(2000.0)
    assert len(stored(site, "bill")) == 12
    assert "620.50" in done.out
    again = site.run("import", "bills", bills(site))
    assert again.code == 0
    assert len(site.run("import", "list").out.splitlines()) == 1
    assert site.run("import", "undo", 1).code == 0
    assert (stored(site, "bill"), stored(site, "interval")) == ([], [])
    assert site.figure("electricity", 2024)["value"] is None


def test_a_measured_meter_is_compared_and_its_consumption_stays(site: CaseSite) -> None:
    days = [datetime(2024, 1, 1) + number * timedelta(days=1) for number in range(367)]
    site.load(site.readings([(day, 100.0 * number) for number, day in enumerate(days)]))
    file = site.file("bills.csv", ["户号,账期,用量,金额", "0032080012,2024年1月,3255,2018.10"])
    done = site.run("import", "bills", file)
    assert done.code == 0, done.err
    assert re.search(r"3,255\.0 kWh.*3,100\.0 kWh.*\+5\.00 %", done.out)
    assert site.figure("electricity", "2024-01")["value"] == pytest.approx(3100.0)
    assert (len(stored(site, "bill")), stored(site, "interval")) == (1, [])


def test_registers_that_come_later_ask_and_replace_what_the_bill_counted(site: CaseSite) -> None:
    assert site.run("import", "bills", bills(site)).code == 0
    days = [datetime(2024, 1, 1) + number * timedelta(days=1) for number in range(367)]
    file = site.readings([(day, 100.0 * number) for number, day in enumerate(days)])
    assert site.run("import", "readings", file).code == 1
    site.load(file, "--replace")
    assert site.figure("electricity", 2024)["value"] == pytest.approx(36_600.0)
    assert len(stored(site, "bill")) == 12, "the bills themselves stay"


def test_a_corrected_bill_asks(site: CaseSite) -> None:
    assert site.run("import", "bills", bills(site)).code == 0
    other = bills(site, "other.csv", factor=1.1)
    assert site.run("import", "bills", other).code == 1
    assert site.run("import", "bills", other, "--replace").code == 0
    assert site.figure("electricity", 2024)["value"] == pytest.approx(85_800.0)
    cost = site.file("cost.csv", ["户号,账期,用量,金额", "0032080012,2024-01,1100,1.00"])
    assert site.run("import", "bills", cost).code == 1, "another cost is another bill"


@pytest.mark.parametrize(
    ("header", "row", "amount", "end"),
    [
        (
            "户号,起始日期,截止日期,用水量(吨),水费",
            "W-77,2024-01-01,2024-01-31,93,372.00",
            93.0,
            31,
        ),
        (
            "用户编号,上次抄表日期,本次抄表日期,用水量,金额",
            "W-77,2024-01-05,2024-02-05,93,1",
            93.0,
            31,
        ),
        ("account,period,amount,cost", "W-77,2024Q1,93,1", 93.0, 91),
        ("户号,账期,用量,单位,金额", "W-77,2024年1月,93,m³,1", 93.0, 31),
        ("户号,账期,用量,金额(万元)", 'w-a,2024-01,"1,093",0.5', 1093.0, 31),
        ("户号,户名,账期,有功总电量,应收电费（元）", "0032080012,机关,2024-01,93,1", 93.0, 31),
        ("户号,账期,峰电量,谷电量,电量合计,金额", "0032080012,2024-01,40,53,93,1", 93.0, 31),
        ("户号,账期,用量,金额（分）", "w-a,2024/1/1,1093,500000", 1093.0, 31),
        ("户号,账期,用量,金额(千元)", "w-a,2024年2月1日,1093,5", 1093.0, 29),
        ("户号,账期,用量,金额(含税)", "w-a,2024.2,1093,5000", 1093.0, 29),
    ],
)
def test_forms_of_bills(site: CaseSite, header: str, row: str, amount: float, end: int) -> None:
    file = site.file("bills.csv", [header, row])
    done = site.run("import", "bills", file)
    assert done.code == 0, done.err
    (interval,) = stored(site, "interval")
    assert amount in interval
    assert end * 86_400.0 in interval
    if "1093" in row.replace(",", ""):
        assert any(5000.0 in bill for bill in stored(site, "bill"))


def test_gas_that_is_billed_in_kwh_needs_its_calorific_value(site: CaseSite) -> None:
    file = site.file("bills.csv", ["户号,账期,用量(kWh),金额", "G-5,2024-01,10813.9,1"])
    assert site.run("import", "bills", file).code == 1
    done = site.run("import", "bills", file, "--calorific-value", "38.93MJ/m3")
    assert done.code == 0, done.err
    (bill,) = stored(site, "bill")
    assert any(isinstance(value, float) and abs(value - 1000.0) < 0.01 for value in bill)


BAD = {
    "an unknown account": "99,2024-02,5,1",
    "a date for a period": "0032080012,2024-02-03,5,1",
    "no amount": "0032080012,2024-02,,1",
    "a negative amount": "0032080012,2024-02,-5,-1",
    "a cost that is no number": "0032080012,2024-02,5,viel",
    "a period that stands twice": "0032080012,2024-01,5,1",
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_bill_is_named_and_left_out(site: CaseSite, kind: str) -> None:
    good = ["0032080012,2024-01,10,1", "0032080012,2024-03,30,1"]
    file = site.file("bills.csv", ["户号,账期,用量,金额", good[0], BAD[kind], good[1]])
    done = site.run("import", "bills", file)
    assert done.code == 1
    assert re.search(r"bills\.csv:[23]:", done.err)
    assert site.run("import", "bills", file, "--skip-bad").code == 0
    assert len(stored(site, "bill")) == (1 if "twice" in kind else 2)


@pytest.mark.parametrize(
    ("month", "shown", "end"),
    [
        (datetime(2024, 3, 1), 'yyyy"年"m"月"', 31),  # what Excel makes of 2024年3月
        (2024.11, "0.00", 30),
        (2024.1, "0.00", None),  # January, or 2024.10
    ],
)
def test_months_of_a_spreadsheet(
    site: CaseSite, month: object, shown: str, end: int | None
) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.append(["户号", "账期", "用量", "金额"])
    book.active.append([32080012, month, 100.0, 60.0])
    book.active["B2"].number_format = shown
    book.save(site.folder / "bills.xlsx")
    done = site.run("import", "bills", site.folder / "bills.xlsx")
    if end is None:
        assert done.code == 1
        assert "1 月或 10 月" in done.err
    else:
        assert done.code == 0, done.err
        assert end * 86_400.0 in stored(site, "interval")[0]


def test_money_that_may_be_the_cost_is_not_left_out_without_a_word(site: CaseSite) -> None:
    lines = ["户号,账期,用量,基本电费,力调电费,单价", "0032080012,2024-02,5,1,2,0.6"]
    done = site.run("import", "bills", site.file("b.csv", lines))
    assert done.code == 1
    assert "基本电费, 力调电费。" in done.err
    price = ["户号,账期,用量,单价", "0032080012,2024-02,5,0.6"]
    assert site.run("import", "bills", site.file("p.csv", price)).code == 0


def test_an_unknown_account_is_told_with_the_option_of_this_command(site: CaseSite) -> None:
    done = site.run("import", "bills", site.file("b.csv", ["户号,账期,用量", "99,2024-02,5"]))
    assert "--account 99=" in done.err


def test_a_file_without_accounts_is_refused(site: CaseSite) -> None:
    file = site.file("bills.csv", ["账期,用量,金额", "2024-01,10,1"])
    done = site.run("import", "bills", file, "--skip-bad")
    assert done.code == 1
    assert "户号" in done.err


def test_a_dry_run_of_bills_writes_nothing(site: CaseSite) -> None:
    assert site.run("import", "bills", bills(site), "--dry-run").code == 0
    assert not (site.folder / "store.sqlite").exists()


TWO = meter("e-a", "rated_max = 400.0", 'account = "7"') + meter("e-b", "rated_max = 400.0")
ROW = """
[[account]]
id = "7"
meters = ["e-a", "e-b"]
tariff = [{from = 2024-01-01, value = "one-price"}]

[[tariff]]
id = "one-price"
medium = "electricity"
unit = "yuan/kWh"
source = "contract of 2024"

[[price]]
tariff = "one-price"
from = 2024-01-01
flat = 0.5
"""


def daily(site: CaseSite, meter_id: str, a_day: float, days: int = 367) -> None:
    """Import a register at each midnight from 1 January 2024 on."""
    times = [datetime(2024, 1, 1) + number * timedelta(days=1) for number in range(days)]
    site.load(site.readings([(one, a_day * n) for n, one in enumerate(times)], meter_id))


def two_meters(folder: Path, meters: str = TWO, row: str = ROW) -> CaseSite:
    (folder / "tariffs.toml").write_text(row, encoding="utf-8")
    return CaseSite(folder, meters)


def test_a_bill_of_several_meters_is_compared_with_their_sum(tmp_path: Path) -> None:
    """31 days of 100 and of 40 kWh: 4,340 kWh; the bill of 4,557 kWh is 5 % higher."""
    site = two_meters(tmp_path)
    daily(site, "e-a", 100.0)
    daily(site, "e-b", 40.0)
    done = site.run("import", "bills", site.file("b.csv", ["户号,账期,用量", "7,2024-01,4557"]))
    assert done.code == 0, done.err
    assert re.search(r"e-a \+ e-b.*4,557\.0 kWh.*4,340\.0 kWh.*\+5\.00 %", done.out)
    assert stored(site, "interval") == []


def test_a_bill_of_several_meters_asks_each_of_them_for_its_readings(tmp_path: Path) -> None:
    """The second meter was read for 11 of 31 days: (100 x 31 + 40 x 11) / (140 x 31) = 82 %."""
    site = two_meters(tmp_path)
    daily(site, "e-a", 100.0)
    daily(site, "e-b", 40.0, days=12)
    done = site.run("import", "bills", site.file("b.csv", ["户号,账期,用量", "7,2024-01,4557"]))
    assert "82 %" in done.out
    assert "5.00 %" not in done.out


def test_a_bill_of_several_meters_without_readings_is_no_consumption(tmp_path: Path) -> None:
    """It is unknown which of the meters consumed how much."""
    site = two_meters(tmp_path)
    done = site.run("import", "bills", site.file("b.csv", ["户号,账期,用量", "7,2024-01,4557"]))
    assert done.code == 0, done.err
    assert (len(stored(site, "bill")), stored(site, "interval")) == (1, [])


def test_meters_that_share_an_account_may_all_state_it(tmp_path: Path) -> None:
    meters = meter("e-a", "rated_max = 400.0", 'account = "7"')
    site = CaseSite(tmp_path, meters + meter("e-b", "rated_max = 400.0", 'account = "7"'))
    assert site.run("check").code == 0
    daily(site, "e-a", 100.0)
    daily(site, "e-b", 40.0)
    done = site.run("import", "bills", site.file("b.csv", ["户号,账期,用量", "7,2024-01,4340"]))
    assert "+0.00 %" in done.out


@pytest.mark.parametrize("keys", [("w-b", ()), ("e-b", ('parent = "e-a"',))])
def test_meters_that_cannot_share_a_bill_are_refused(
    tmp_path: Path, keys: tuple[str, tuple[str, ...]]
) -> None:
    """Water and electricity, or a meter and one below it."""
    meters = meter("e-a", "rated_max = 400.0", 'account = "7"')
    meters += meter(keys[0], "rated_max = 400.0", 'account = "7"', *keys[1])
    done = CaseSite(tmp_path, meters).run("check")
    assert done.code == 1
    assert re.search(r"site\.toml:\d+:.*7.*e-a", done.out + done.err)


MOVED = meter(
    "e-a",
    "rated_max = 400.0",
    'account = [{from = 2024-01-01, value = "7"}, {from = 2024-03-01, value = "8"}]',
) + meter("e-b", "rated_max = 400.0", 'account = "7"')
TWO_ROWS = ROW.replace('meters = ["e-a", "e-b"]\n', "") + (
    '\n[[account]]\nid = "8"\ntariff = [{from = 2024-01-01, value = "one-price"}]\n'
)


def account_cost(site: CaseSite, period: str, account: str) -> Mapping[str, Any]:
    done = site.run("cost", "--period", period, "--scope", account, "--format", "json")
    assert done.code == 0, done.err
    found: list[Mapping[str, Any]] = json.loads(done.out)
    return found[0]


def test_a_meter_that_changes_its_account_is_billed_by_each_in_its_time(tmp_path: Path) -> None:
    """60 days of 140 kWh, then 306 days of 40 kWh at account 7 and of 100 kWh at account 8."""
    site = two_meters(tmp_path, MOVED, TWO_ROWS)
    assert site.run("check").code == 0
    daily(site, "e-a", 100.0)
    daily(site, "e-b", 40.0)
    amounts = {one: account_cost(site, "2024", one)["amount"] for one in ("7", "8", "huaian")}
    assert amounts == pytest.approx(
        {"7": 60 * 140 + 306 * 40, "8": 306 * 100.0, "huaian": 366 * 140.0}
    )
    assert account_cost(site, "2024", "huaian")["cost"] == pytest.approx(366 * 70.0)
    assert account_cost(site, "2024", "7")["coverage"] == 1.0
    lines = [
        "户号,账期,用量,金额",
        "7,2024-02,4060,2030",
        "7,2024-03,1240,620",
        "8,2024-03,3100,1550",
    ]
    done = site.run("import", "bills", site.file("b.csv", lines))
    assert done.code == 0, done.err
    assert done.out.count("+0.00 %") == 3
    for period, account, amount in (("2024-02", "7", 4060.0), ("2024-03", "8", 3100.0)):
        billed = account_cost(site, period, account)["billed"]
        assert (billed["amount"], billed["metered_amount"]) == pytest.approx((amount, amount))


def test_a_bill_of_a_time_before_its_account_is_refused(tmp_path: Path) -> None:
    site = two_meters(tmp_path, MOVED, TWO_ROWS)
    done = site.run("import", "bills", site.file("b.csv", ["户号,账期,用量", "8,2024-02,5"]))
    assert done.code == 1
    assert "2024-02-01" in done.err


@pytest.mark.parametrize(
    ("name", "options"), [("e-a", ()), ("9", ("--account", "9=e-a")), ("E-A", ())]
)
def test_a_bill_of_a_meter_with_dated_accounts_may_name_the_meter(
    tmp_path: Path, name: str, options: tuple[str, ...]
) -> None:
    site = two_meters(tmp_path, MOVED, TWO_ROWS)
    daily(site, "e-a", 100.0)
    file = site.file("b.csv", ["户号,账期,用量", f"{name},2024-02,2900"])
    done = site.run("import", "bills", file, *options)
    assert done.code == 0, done.err
    assert "+0.00 %" in done.out


def test_a_bill_by_account_and_one_by_meter_must_not_overlap(tmp_path: Path) -> None:
    site = CaseSite(tmp_path, meter("e-a", "rated_max = 400.0", 'account = "7"'))
    lines = ["户号,账期,用量", "7,2024-02,2900", "e-a,2024-02,2900"]
    done = site.run("import", "bills", site.file("b.csv", lines))
    assert done.code == 1
    assert re.search(r"b\.csv:3.*2.*e-a", done.err)


@pytest.mark.parametrize(
    "rows",
    [
        '[{from = 2024-03-01, value = "8"}, {from = 2024-01-01, value = "7"}]',
        '[{from = 2024-03-01, value = "8"}, {from = 2024-03-01, value = "7"}]',
        '[{from = 2024-03-01, value = ""}]',
        "3208001",
        '""',
    ],
)
def test_accounts_that_cannot_be_are_refused(tmp_path: Path, rows: str) -> None:
    done = CaseSite(tmp_path, meter("e-a", "rated_max = 400.0", f"account = {rows}")).run("check")
    assert done.code == 1
    assert re.search(r"site\.toml:18: (account|value)", done.out + done.err)


def test_dated_accounts_and_the_meters_of_an_account_must_agree(tmp_path: Path) -> None:
    row = ROW.replace('"e-a", "e-b"', '"e-a"').replace('"7"', '"9"')
    done = two_meters(tmp_path, MOVED, row).run("check")
    assert done.code == 1
    assert re.search(r"tariffs\.toml:\d+:.*9.*e-a", done.out + done.err)
