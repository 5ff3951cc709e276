"""XLSX files are read to their end, from every sheet that has the table."""

import re
import zipfile
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.chart import BarChart, Reference

from ingest.importing.cells.cell import BadCell, Cell, Valueless
from ingest.importing.cells.number_reader import NumberReader
from ingest.importing.reading.file_form import StatedForm
from ingest.importing.reading.file_reader import detect_form, open_table
from ingest.importing.reading.line_numbers import placed
from jieneng.metering.errors import Problem, UsageError

DAY = datetime(2024, 1, 1)  # noqa: DTZ001 - times of a sheet are local
HEADER = ["时间", "东楼", "西楼"]


class Read:
    """An XLSX file as it was read."""

    def __init__(self, path: Path, **stated: object) -> None:
        self.problems: list[Problem] = []
        self.form = detect_form(path, StatedForm(**stated))  # type: ignore[arg-type]
        self.notes = [note.text.format(**note.values) for note in self.form.notes]
        with open_table(path, self.form, self.problems.append) as table:
            self.lines = [(line, list(row)) for line, row in table.rows]
            self.left_out = [
                (one.line, one.text, one.note.partition(" were")[0]) for one in table.left_out
            ]

    @property
    def rows(self) -> list[list[Cell]]:
        return [row for _, row in self.lines]


def fill(sheet: Any, days: int = 3, start: datetime = DAY, header: list[str] = HEADER) -> None:
    sheet.append(header)
    for number in range(days):
        sheet.append([start + timedelta(days=number), 10.5 + number, *[20] * (len(header) - 2)])


@pytest.fixture
def book() -> openpyxl.Workbook:
    return openpyxl.Workbook()


@pytest.fixture
def save(tmp_path: Path, book: openpyxl.Workbook) -> Callable[..., Path]:
    """Save the workbook, with replacements in the XML of its parts."""

    def saved(*edits: tuple[str, str, str]) -> Path:
        book.save(tmp_path / "plain.xlsx")
        path = tmp_path / "f.xlsx"
        with zipfile.ZipFile(tmp_path / "plain.xlsx") as old, zipfile.ZipFile(path, "w") as new:
            for name in old.namelist():
                content = old.read(name).decode("utf-8", "surrogateescape")
                for part, pattern, text in edits:
                    if part in name:
                        content, count = re.subn(pattern, text, content)
                        assert count, f"{pattern} is not in {name}"
                new.writestr(name, content.encode("utf-8", "surrogateescape"))
        return path

    return saved


def test_the_size_that_a_sheet_states_is_not_believed(
    book: openpyxl.Workbook, save: Callable[..., Path]
) -> None:
    """13 of 26 rows were read, with exit code 0."""
    fill(book.active, 26)
    read = Read(save(("sheet1", r'<dimension ref="[^"]*"', '<dimension ref="A1:C14"')))
    assert len(read.rows) == 26
    assert read.rows[25] == [DAY + timedelta(days=25), 35.5, 20.0]
    assert len(Read(save(("sheet1", r"<dimension[^>]*/>", ""))).rows) == 26


def test_sheets_of_one_table_are_read_as_one(
    book: openpyxl.Workbook, save: Callable[..., Path]
) -> None:
    fill(book.active)
    book.active.title = "1月"
    fill(book.create_sheet("2月"), 2, DAY + timedelta(days=31))
    read = Read(save())
    assert read.form.sheets == ("1月", "2月")
    assert len(read.rows) == 5
    lines = [line for line, _ in read.lines]
    assert lines == sorted(set(lines))
    problem = Problem(text="x {earlier}", fix="y", line=lines[4], values={"earlier": lines[0]})
    assert str(placed(problem, "f.xlsx", read.form.sheets)) == "f.xlsx[2月]:3: x 2 [1月] y"
    assert str(placed(problem, "f.xlsx", ("1月",))).startswith("f.xlsx:")


def test_sheets_that_are_not_read_are_told(
    book: openpyxl.Workbook, save: Callable[..., Path]
) -> None:
    book.active.title = "说明"
    book.active.append(["本表由能耗系统导出"])
    fill(book.create_sheet("数据"))
    book.create_sheet("空")
    fill(book.create_sheet("旧"))
    book["旧"].sheet_state = "hidden"
    fill(book.create_sheet("更旧"))
    book["更旧"].sheet_state = "veryHidden"
    chart = BarChart()
    chart.add_data(Reference(book["数据"], min_col=2, min_row=1, max_row=4))
    book.create_chartsheet("图").add_chart(chart)
    read = Read(save())
    assert read.form.sheets == ("数据",)
    assert len(read.rows) == 3
    assert read.notes == [
        "sheet 说明 was not read: it has no rows of numbers.",
        "sheet 空 was not read: it has no rows of numbers.",
        "sheet 旧 was not read: it is hidden.",
        "sheet 更旧 was not read: it is hidden.",
        "sheet 图 was not read: it is a chart.",
    ]
    assert len(Read(save(), sheets=("旧",)).rows) == 3
    with pytest.raises(UsageError, match="has no sheet x; it has 说明, 数据, 空, 旧, 更旧, 图"):
        Read(save(), sheets=("x",))


def test_a_sheet_with_other_columns_is_asked_for(
    book: openpyxl.Workbook, save: Callable[..., Path]
) -> None:
    fill(book.active)
    fill(book.create_sheet("2025"), header=[*HEADER, "南楼"])
    (problem,) = Read(save()).form.problems
    assert "sheet 2025 has other columns than sheet Sheet" in str(problem)
    assert "--sheet" in problem.fix
    assert not Read(save(), sheets=("2025",)).form.problems


def test_formulas_have_stored_values_or_are_an_error(
    book: openpyxl.Workbook, save: Callable[..., Path]
) -> None:
    fill(book.active)
    book.active["B3"] = "=B2+1"
    book.active["B4"] = '=IF(1,"","")'
    cell = Read(save()).rows[1][1]
    assert cell == Valueless(
        "column {column}: the value of the formula {cell} is not stored in the file.",
        "Open the file in a spreadsheet program, save it, and import it again.",
        "=B2+1",
    )
    with pytest.raises(BadCell):
        NumberReader(()).read(cell)
    stored = save(
        ("sheet1", r"<f>B2\+1</f><v ?/>", "<f>B2+1</f><v>11.5</v>"),
        ("sheet1", r'<c r="B4"><f>(.*?)</f><v ?/>', r'<c r="B4" t="str"><f>\1</f><v></v>'),
    )
    assert [row[1] for row in Read(stored).rows] == [10.5, 11.5, None]


def test_errors_and_truths_are_no_numbers(
    book: openpyxl.Workbook, save: Callable[..., Path]
) -> None:
    fill(book.active)
    book.active["B3"] = "#REF!"
    book.active["B4"] = True
    read = Read(save())
    for row, said in ((1, "shows the error #REF!"), (2, "not a number")):
        with pytest.raises(BadCell) as caught:
            NumberReader(()).read(read.rows[row][1])
        assert said in caught.value.text.format(column="x", **caught.value.values)


@pytest.mark.parametrize(
    ("value", "number_format", "read_as"),
    [
        (DAY, "yyyy/m/d h:mm", DAY),
        (date(2024, 1, 1), "yyyy-mm-dd", DAY),
        (45292.5, "General", 45292.5),
        (45292.5, 'yyyy"年"m"月"d"日"', datetime(2024, 1, 1, 12)),  # noqa: DTZ001
        (45292.5, "[$-804]yyyy/m/d\\ h:mm;@", datetime(2024, 1, 1, 12)),  # noqa: DTZ001
        (45292.5, '0.00"天"', 45292.5),
        (45292.5, "[Red]0.0", 45292.5),
        (45292.0104166667, "m/d/yy h:mm", datetime(2024, 1, 1, 0, 15)),  # noqa: DTZ001
        (time(0, 15), "h:mm", timedelta(minutes=15)),
        (1.0, "[h]:mm", timedelta(days=1)),
        ("2024-01-01", "@", "2024-01-01"),
    ],
)
def test_dates_follow_from_formats(
    book: openpyxl.Workbook,
    save: Callable[..., Path],
    value: object,
    number_format: str,
    read_as: object,
) -> None:
    book.active.append(HEADER)
    for row in (2, 3):
        book.active.append([value, 1, 2])
        book.active.cell(row, 1).number_format = number_format
    assert Read(save()).rows[1][0] == read_as


@pytest.mark.parametrize("key", [31, 57, 14, 22])
def test_built_in_formats_of_dates(
    book: openpyxl.Workbook, save: Callable[..., Path], key: int
) -> None:
    """31 and 57 are those of a Chinese system; no list in the file contains them."""
    fill(book.active)
    path = save(("styles", r'(<cellXfs.*?)numFmtId="(?:1\d|2\d|16\d)"', rf'\1numFmtId="{key}"'))
    assert Read(path).rows[0][0] == DAY


def test_days_counted_from_1904(book: openpyxl.Workbook, save: Callable[..., Path]) -> None:
    book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
    fill(book.active)
    book.active["A3"] = 43831
    book.active["A3"].number_format = "General"
    read = Read(save())
    assert read.rows[0][0] == DAY
    assert read.form.columns[0].times.from_1904


def test_merged_cells(book: openpyxl.Workbook, save: Callable[..., Path]) -> None:
    sheet = book.active
    for row in (
        ["能耗日报", None, None, None],
        ["日期", "1号楼", None, "2号楼"],
        [None, "电", "水", "电"],
        [DAY, 1, 2, 3],
        [None, 4, 5, 6],
        [DAY + timedelta(days=1), 7, 8, 9],
    ):
        sheet.append(row)
    for merged in ("A1:D1", "A2:A3", "B2:C2", "A4:A5", "D4:D5"):
        sheet.merge_cells(merged)
    read = Read(save())
    assert read.form.header == ("日期", "1号楼 电", "1号楼 水", "2号楼 电")
    assert read.form.titles == ("能耗日报",)
    assert read.rows == [
        [DAY, 1.0, 2.0, 3.0],
        [DAY, 4.0, 5.0, None],  # a number over two lines is one number
        [DAY + timedelta(days=1), 7.0, 8.0, 9.0],
    ]


def test_texts_between_numbers_have_one_meaning_or_are_asked_for(
    book: openpyxl.Workbook, save: Callable[..., Path]
) -> None:
    fill(book.active, 1)
    for text in ("1,234.5", "12.5", "1.234"):
        book.active.append(["2024-01-02", text, 1])
    read = Read(save())
    numbers = NumberReader((), read.form.columns[1].numbers)
    assert [numbers.read(row[1]) for row in read.rows] == [10.5, 1234.5, 12.5, 1.234]


def test_rows_without_numbers_and_columns_without_letters(
    book: openpyxl.Workbook, save: Callable[..., Path]
) -> None:
    """Some programs write neither the number of a row nor the place of a cell."""
    fill(book.active)
    read = Read(save(("sheet1", r'<row r="\d+"', "<row"), ("sheet1", r'<c r="[A-Z]+\d+"', "<c")))
    assert read.rows == Read(save()).rows


def test_names_with_a_prefix(book: openpyxl.Workbook, save: Callable[..., Path]) -> None:
    """Some programs write <x:row> for <row>."""
    fill(book.active)
    path = save(
        ("sheet1", r"<(/?)(\w)", r"<\1x:\2"),
        ("sheet1", r'xmlns="', 'xmlns:x="'),
    )
    assert Read(path).rows == Read(save()).rows


def test_a_damaged_sheet_is_told(book: openpyxl.Workbook, save: Callable[..., Path]) -> None:
    fill(book.active, 30)
    read = Read(save(("sheet1", r'<row r="20"', "<row & ")))
    assert len(read.rows) == 18
    assert str(read.problems[0]).startswith("from about this line on, the file is damaged")
    assert read.problems[0].line == 20


def test_totals_and_notes_in_a_sheet(book: openpyxl.Workbook, save: Callable[..., Path]) -> None:
    fill(book.active)
    for row in (["合计", 34.5, 60], [None, None, None], ["制表人：张三"]):
        book.active.append(row)
    read = Read(save())
    assert len(read.rows) == 3
    assert read.left_out == [(5, "合计", "totals"), (7, "制表人：张三", "notes below the table")]


def test_lines_that_are_left_out_are_told_by_sheet(
    book: openpyxl.Workbook, save: Callable[..., Path]
) -> None:
    for name in ("1月", "2月"):
        sheet = book.create_sheet(name)
        fill(sheet)
        sheet.append(["合计", 34.5, 60])
    path = save()
    form = detect_form(path, StatedForm())
    with open_table(path, form, lambda _: None) as table:
        assert len(list(table.rows)) == 6
        (note,) = table.notes()
    assert note.text.format(**note.values) == "totals were left out: line 1月: 5; 2月: 5."
