"""Bytes, numbers and times in the forms of many programs are read rightly, or the import asks."""

import re
import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime, time, timedelta
from pathlib import Path

import openpyxl
import pytest

from tests.cases.case_site import CaseSite, meter
from tests.cases.stored_points import stored

METERS = (
    meter("e-a", "rated_max = 400.0", name="东楼")
    + meter("w-a", "rated_max = 16.0", name="东楼水表")
    + meter("e-b", "rated_max = 400.0", name="西楼")
)
DAYS = [datetime(2025, 1, 1) + timedelta(days=day) for day in range(14)]
MONTHS = [datetime(2025, month, 1) for month in range(1, 13)] + [datetime(2026, 1, 1)]
#: What every file below has: 100 kWh a day from 50,000 on.
REGISTER = {
    day.strftime("%Y-%m-%dT%H:%M"): 50_000.0 + 100 * number for number, day in enumerate(DAYS)
}


@pytest.fixture
def site(tmp_path: Path) -> CaseSite:
    return CaseSite(tmp_path, METERS)


def load(site: CaseSite, content: str | bytes, *options: object, name: str = "f.csv") -> None:
    path = site.folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    site.load(path, "--no-backfill", *options)


def refused(site: CaseSite, content: str, *options: object) -> str:
    """Return what is said of a file that must be refused."""
    path = site.folder / "f.csv"
    path.write_text(content, encoding="utf-8")
    done = site.run("import", "readings", path, "--no-backfill", *options)
    assert done.code == 1, done.out
    assert not stored(site, "e-a", "electricity")
    return done.err


def register(site: CaseSite) -> dict[str, float]:
    return {
        moment[:16].replace(" ", "T"): value
        for moment, value in stored(site, "e-a", "electricity").items()
    }


# --- numbers ------------------------------------------------------------------------------------


def test_points_between_thousands_are_no_decimal_points(site: CaseSite) -> None:
    """99,600 kWh were read as 99.6."""
    rows = [
        f"{month:%d.%m.%Y};{f'{50_000 + 8_300 * number:,}'.replace(',', '.')}"
        for number, month in enumerate(MONTHS)
    ]
    load(site, "\n".join(["time;e-a", *rows]))
    assert list(stored(site, "e-a", "electricity").values()) == [
        50_000.0 + 8_300 * n for n in range(13)
    ]


def test_a_column_of_whole_thousands_without_a_delimiter_that_tells_is_asked_for(
    site: CaseSite,
) -> None:
    text = "\n".join(
        ["time\te-a", *(f"{day:%Y-%m-%d}\t{81 + n}.234" for n, day in enumerate(DAYS))]
    )
    said = refused(site, text, "--dry-run")
    assert "--decimal" in said
    assert "81.234" in said
    assert "81234" in said
    load(site, text, "--decimal", ",")
    assert next(iter(stored(site, "e-a", "electricity").values())) == 81_234.0


@pytest.mark.parametrize(
    "written",
    ["{:,.2f}", "{:.1f} kWh", "{:,}kWh", "{:.3E}", "＋{:.2f}", "{:,.1f}".replace(",", ",")],
)
def test_numbers_as_people_write_them(site: CaseSite, written: str) -> None:
    if "E" in written:
        written = "{:.6E}"
    lines = [f'{moment},"{written.format(value)}"' for moment, value in REGISTER.items()]
    load(site, "\n".join(["time,e-a", *lines]))
    assert register(site) == REGISTER


@pytest.mark.parametrize(
    ("thousands", "decimal"), [(" ", ","), ("'", "."), ("\u202f", ","), (".", ","), ("，", "．")]
)
def test_numbers_as_programs_of_other_countries_write_them(
    site: CaseSite, thousands: str, decimal: str
) -> None:
    rows = []
    for moment, value in REGISTER.items():
        text = f"{value:,.1f}".replace(",", "T").replace(".", decimal).replace("T", thousands)
        rows.append(f"{moment};{text}")
    load(site, "\n".join(["time;e-a", *rows]))
    assert register(site) == REGISTER


def test_two_units_in_one_column_are_refused(site: CaseSite) -> None:
    rows = [f"{moment},{value} kWh" for moment, value in REGISTER.items()]
    rows[5] = rows[5].replace("50500.0 kWh", "50.5 MWh")
    said = refused(site, "\n".join(["time,e-a", *rows]))
    assert "f.csv:7" in said
    assert "MWh" in said


def test_a_cell_that_contradicts_its_column_is_refused_by_its_line(site: CaseSite) -> None:
    rows = [f"{moment},{value:.2f}" for moment, value in REGISTER.items()]
    rows[10] = rows[10].replace("51000.00", "51.000,00").replace(",51", ',"51') + '"'
    said = refused(site, "\n".join(["time,e-a", *rows]))
    assert "--decimal" in said
    assert "12" in said


# --- encodings and what stands around the table -------------------------------------------------

REPORT = [
    "行政中心抄表记录（2025年1月）,,",
    "填报单位：机关事务管理局,,填报日期：2025-02-01",
    "抄表时间,东楼,备注",
    ",kWh,",
    *(f"{day:%Y/%m/%d} 0:00,{50_000 + 100 * number}," for number, day in enumerate(DAYS)),
    ",,",
    "合计,708900,",
    "制表：张三  审核：李四,,",
]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gbk", "gb18030", "utf-16", "utf-16-le"])
def test_a_report_with_titles_units_totals_and_signatures(site: CaseSite, encoding: str) -> None:
    load(site, "\r\n".join(REPORT).encode(encoding))
    assert register(site) == REGISTER


def test_unicode_text_of_excel(site: CaseSite) -> None:
    text = "\r\n".join(REPORT).replace(",", "\t")
    load(site, b"\xff\xfe" + text.encode("utf-16-le"), name="f.txt")
    assert register(site) == REGISTER


def test_a_table_in_text_with_the_name_of_an_old_excel_file(site: CaseSite) -> None:
    load(site, "\n".join(REPORT).replace(",", "\t").encode("gbk"), name="导出.xls")
    assert register(site) == REGISTER


# --- times --------------------------------------------------------------------------------------

QUARTERS = [datetime(2025, 1, 20) + timedelta(minutes=15 * number) for number in range(1, 97)]


def half(moment: datetime, before: str, after: str) -> str:
    return before if moment.hour < 12 else after


def twelve(moment: datetime) -> str:
    return f"{(moment.hour + 11) % 12 + 1}:{moment.minute:02}"


def end_of_day(moment: datetime) -> str:
    """Return a time of day with 24:00 for midnight, and the day to which it belongs."""
    day = moment - timedelta(minutes=15)
    clock = "24:00" if moment.time() == time() else f"{moment:%H:%M}"
    return f"{day:%Y-%m-%d} {clock}"


NOTATIONS: dict[str, Callable[[datetime], str]] = {
    "2025/1/20 0:15": lambda m: f"{m.year}/{m.month}/{m.day} {m.hour}:{m.minute:02}",
    "2025年1月20日 0:15": lambda m: f"{m.year}年{m.month}月{m.day}日 {m.hour}:{m.minute:02}",
    "2025年1月20日0时15分": lambda m: f"{m.year}年{m.month}月{m.day}日{m.hour}时{m.minute}分",
    "1/20/2025 12:15 AM": lambda m: f"{m.month}/{m.day}/{m.year} {twelve(m)} {half(m, 'AM', 'PM')}",
    "20/01/2025 00:15": lambda m: f"{m:%d/%m/%Y %H:%M}",
    "20.01.2025 00:15": lambda m: f"{m:%d.%m.%Y %H:%M}",
    "2025/1/20 上午12:15": lambda m: f"{m:%Y/%m/%d} {half(m, '上午', '下午')}{twelve(m)}",
    "20250120 0015": lambda m: f"{m:%Y%m%d %H%M}",
    "202501200015": lambda m: f"{m:%Y%m%d%H%M}",
    "45677.0104": lambda m: f"{(m - datetime(1899, 12, 30)) / timedelta(days=1):.4f}",
    "45677.01041666667": lambda m: repr((m - datetime(1899, 12, 30)) / timedelta(days=1)),
    "2025-01-20 24:00": end_of_day,
    "2025-01-20T00:15:00+08:00": lambda m: f"{m.isoformat()}+08:00",
    "2025-01-19T16:15:00Z": lambda m: f"{(m - timedelta(hours=8)).isoformat()}Z",
    "2025-01-20 00:15:00.000": lambda m: f"{m:%Y-%m-%d %H:%M:%S}.000",
    "２０２５／１／２０　０：１５": lambda m: f"{m.year}／{m.month}／{m.day}　{m:%H：%M}",
    "20-Jan-2025 00:15": lambda m: f"{m:%d-%b-%Y %H:%M}",
    "2025-01-20 星期一 00:15": lambda m: f"{m:%Y-%m-%d} 星期一 {m:%H:%M}",
}


@pytest.mark.parametrize("notation", sorted(NOTATIONS))
def test_times_as_programs_write_them(site: CaseSite, notation: str) -> None:
    rows = [f"{NOTATIONS[notation](m)};{50_000 + n}" for n, m in enumerate(QUARTERS)]
    load(site, "\n".join(["时间;东楼", *rows]))
    assert list(register(site)) == [f"{m:%Y-%m-%dT%H:%M}" for m in QUARTERS]


@pytest.mark.parametrize(("unit", "factor"), [("s", 1), ("ms", 1000)])
def test_numbers_since_1970_are_asked_for(site: CaseSite, unit: str, factor: int) -> None:
    seconds = [round((m - datetime(1970, 1, 1, 8)).total_seconds()) for m in QUARTERS]
    text = "\n".join(["time,e-a", *(f"{s * factor},{50_000 + n}" for n, s in enumerate(seconds))])
    assert "--epoch" in refused(site, text)
    load(site, text, "--epoch", unit)
    assert list(register(site)) == [f"{m:%Y-%m-%dT%H:%M}" for m in QUARTERS]


@pytest.mark.parametrize("clock", ["%H:%M", "%H:%M:%S", "%H%M"])
def test_date_and_time_apart(site: CaseSite, clock: str) -> None:
    rows = [f"{m:%Y/%m/%d},{m.strftime(clock)},{50_000 + n}" for n, m in enumerate(QUARTERS)]
    load(site, "\n".join(["日期,时间,东楼", *rows]))
    assert list(register(site)) == [f"{m:%Y-%m-%dT%H:%M}" for m in QUARTERS]


def test_a_date_that_stands_in_the_first_of_its_rows(site: CaseSite) -> None:
    rows = [
        f"{m:%Y/%m/%d},{m:%H:%M},{50_000 + n}"
        if m.hour % 6 == 0 and not m.minute
        else f",{m:%H:%M},{50_000 + n}"
        for n, m in enumerate(QUARTERS[:95])
    ]
    rows[0] = f"2025/01/20{rows[0]}"
    load(site, "\n".join(["日期,时间,东楼", *rows]))
    assert list(register(site)) == [f"{m:%Y-%m-%dT%H:%M}" for m in QUARTERS[:95]]


def test_dates_without_a_year(site: CaseSite) -> None:
    rows = [f"{m.month}月{m.day}日 {m:%H:%M},{50_000 + n}" for n, m in enumerate(QUARTERS)]
    assert "--year" in refused(site, "\n".join(["时间,东楼", *rows]))
    load(site, "\n".join(["2025年1月抄表,", "时间,东楼", *rows]))
    assert list(register(site)) == [f"{m:%Y-%m-%dT%H:%M}" for m in QUARTERS]


def test_dates_whose_order_can_t_be_told_are_asked_for(site: CaseSite) -> None:
    text = "\n".join(["time,e-a", *(f"{n:02}/01/2025,{50_000 + n}" for n in range(1, 13))])
    assert "--date-order" in refused(site, text, "--dry-run")
    load(site, text, "--date-order", "dmy")
    assert list(register(site))[1] == "2025-01-02T00:00"


# --- workbooks ----------------------------------------------------------------------------------


def edited(path: Path, part: str, pattern: str, text: str) -> Path:
    """Replace something in the XML of a workbook."""
    new = path.with_name(f"edited-{path.name}")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(new, "w") as out:
        for name in old.namelist():
            content = old.read(name)
            if part in name:
                content = re.sub(pattern.encode(), text.encode(), content)
            out.writestr(name, content)
    return new


def rows_of(days: list[datetime]) -> Iterator[list[object]]:
    first = DAYS[0]
    for day in days:
        yield [day, 50_000 + 100 * (day - first).days]


def test_a_sheet_is_read_to_its_end_whatever_it_says_of_its_size(site: CaseSite) -> None:
    """13 of 26 rows were read, with exit code 0."""
    book = openpyxl.Workbook()
    book.active.append(["时间", "东楼"])
    days = [DAYS[0] + timedelta(days=number) for number in range(26)]
    for row in rows_of(days):
        book.active.append(row)
    book.save(site.folder / "f.xlsx")
    file = edited(
        site.folder / "f.xlsx", "sheet1", r'<dimension ref="[^"]*"', '<dimension ref="A1:B14"'
    )
    site.load(file, "--no-backfill")
    assert len(register(site)) == 26


def test_a_sheet_a_month_is_read_as_one_table(site: CaseSite) -> None:
    book = openpyxl.Workbook()
    book.active.title = "封面"
    book.active.append(["2025年能耗台账"])
    for month in range(1, 13):
        sheet = book.create_sheet(f"{month}月")
        sheet.append(["时间", "东楼"])
        first = MONTHS[month - 1]
        days = [first + timedelta(days=n) for n in range((MONTHS[month] - first).days)]
        for row in rows_of(days):
            sheet.append(row)
        sheet.append(["合计", 123])
    book["3月"]["B10"] = "缺"
    hidden = book.create_sheet("旧")
    hidden.append(["时间", "东楼"])
    hidden.sheet_state = "hidden"
    book.save(site.folder / "f.xlsx")
    done = site.run("import", "readings", site.folder / "f.xlsx", "--no-backfill")
    assert "f.xlsx[3月]:10" in done.err
    done = site.load(site.folder / "f.xlsx", "--missing", "缺")
    assert site.figure("electricity", "2025-06")["value"] == pytest.approx(3000)
    assert len(register(site)) == 364


def test_formulas_without_a_value_are_no_missing_values(site: CaseSite) -> None:
    book = openpyxl.Workbook()
    book.active.append(["时间", "东楼"])
    for row in rows_of(DAYS):
        book.active.append(row)
    book.active["B6"] = "=B5+100"
    book.save(site.folder / "f.xlsx")
    done = site.run("import", "readings", site.folder / "f.xlsx", "--no-backfill")
    assert done.code == 1
    assert "f.xlsx:6" in done.err
    assert "=B5+100" in done.err
    assert not stored(site, "e-a", "electricity")


def test_dates_as_numbers_and_numbers_as_texts(site: CaseSite) -> None:
    book = openpyxl.Workbook()
    book.active.append(["时间", "东楼"])
    for number, (day, value) in enumerate(rows_of(DAYS)):
        assert isinstance(day, datetime)
        serial = (day - datetime(1899, 12, 30)).days
        book.active.append([serial if number % 2 else day, f"{value:,}.0" if number % 3 else value])
    book.save(site.folder / "f.xlsx")
    site.load(site.folder / "f.xlsx", "--no-backfill")
    assert register(site) == REGISTER


def test_date_and_time_apart_in_a_sheet(site: CaseSite) -> None:
    book = openpyxl.Workbook()
    book.active.append(["日期", "时间", "东楼"])
    for number, moment in enumerate(QUARTERS):
        book.active.append([moment.replace(hour=0, minute=0), moment.time(), 50_000 + number])
    book.save(site.folder / "f.xlsx")
    site.load(site.folder / "f.xlsx", "--no-backfill")
    assert list(register(site)) == [f"{m:%Y-%m-%dT%H:%M}" for m in QUARTERS]


def test_old_and_protected_workbooks_are_refused_in_one_sentence(site: CaseSite) -> None:
    magic = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
    for content, said in ((b"", ".xls"), ("EncryptedPackage".encode("utf-16-le"), "密码")):
        (site.folder / "f.xls").write_bytes(magic + content)
        done = site.run("import", "readings", site.folder / "f.xls")
        assert done.code == 2
        assert said in done.err
        assert len(done.err.strip().splitlines()) == 1


def test_what_a_file_of_persons_asks_is_an_option_of_its_command(site: CaseSite) -> None:
    rows = [f"house\t{n:02}/01/2025\t1.{200 + n}" for n in range(1, 4)]
    file = site.file("people.txt", ["area\tfrom\theadcount", *rows])
    done = site.run("import", "headcount", file, "--dry-run")
    assert done.code == 1
    assert "--decimal" in done.err
    assert "--date-order" in done.err
    options = ("--decimal", ",", "--date-order", "dmy", "--dry-run")
    assert site.run("import", "headcount", file, *options).code == 0
