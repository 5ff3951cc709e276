"""The form of text files is detected and reported."""

import gzip
from pathlib import Path

import pytest

from ingest.importing.cells.number_reader import NumberReader
from ingest.importing.reading.file_form import FileForm, StatedForm
from ingest.importing.reading.file_reader import detect_form, open_table
from jieneng.metering.errors import Problem, UsageError

PLAIN = "时间,总表,水表\n2024-01-01 00:00,1.5,2\n2024-01-01 01:00,2.5,3\n"


class Read:
    """A text file as it was read."""

    def __init__(self, path: Path, content: bytes | str, **stated: object) -> None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.problems: list[Problem] = []
        self.form: FileForm = detect_form(path, StatedForm(**stated))  # type: ignore[arg-type]
        self.problems += self.form.problems
        with open_table(path, self.form, self.problems.append) as table:
            self.lines = list(table.rows)
            self.left_out = [
                (one.line, one.text, one.note.partition(" were")[0]) for one in table.left_out
            ]

    @property
    def rows(self) -> list[list[object]]:
        return [list(row) for _, row in self.lines]

    def numbers(self, column: int) -> list[float | None]:
        reader = NumberReader((), self.form.columns[column].numbers)
        return [reader.read(row[column]) for _, row in self.lines]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "f.csv"


# --- encodings ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "found"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("gbk", "gb18030"),
        ("gb18030", "gb18030"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_encodings(path: Path, encoding: str, found: str, packed: bool) -> None:
    content = PLAIN.encode(encoding)
    read = Read(path, gzip.compress(content) if packed else content)
    assert read.form.encoding == found
    assert read.form.header == ("时间", "总表", "水表")
    assert read.rows[1] == ["2024-01-01 01:00", "2.5", "3"]
    assert not read.problems


def test_a_utf_16_file_with_its_bytes_in_the_other_order(path: Path) -> None:
    read = Read(path, b"\xfe\xff" + PLAIN.encode("utf-16-be"))
    assert (read.form.encoding, read.form.header[0]) == ("utf-16", "时间")


def test_chinese_far_behind_the_beginning_decides(path: Path) -> None:
    rows = "".join(f"2024-01-01 00:00,{number}\n" for number in range(40_000))
    read = Read(path, ("time,value\n" + rows + "# 备注：手工补录\n").encode("gbk"))
    assert read.form.encoding == "gb18030"
    assert len(read.rows) == 40_000


def test_characters_beyond_gbk(path: Path) -> None:
    read = Read(path, "时间,㑇楼\n2024-01-01,1\n".encode("gb18030"))
    assert read.form.header == ("时间", "㑇楼")


def test_a_western_file_with_a_cubic_metre(path: Path) -> None:
    read = Read(path, "time;water (m³)\n2024-01-01;1,5\n2024-01-02;2,5\n".encode("cp1252"))
    assert read.form.header == ("time", "water (m³)")


def test_a_damaged_byte_does_not_change_the_encoding(path: Path) -> None:
    read = Read(path, PLAIN.encode() + b"2024-01-01 02:00,\xff,4\n")
    assert read.form.encoding == "utf-8"
    assert "is not utf-8" in str(read.problems[0])


def test_an_encoding_is_stated_or_refused(path: Path) -> None:
    assert Read(path, PLAIN.encode("gbk"), encoding="gbk").form.header[1] == "总表"
    for name in ("klingon", "base64"):
        with pytest.raises(UsageError, match=f"--encoding {name} is not an encoding"):
            Read(path, PLAIN, encoding=name)


@pytest.mark.parametrize("order", ["utf-16-le", "utf-16-be", "utf-16"])
def test_utf_16_is_stated_without_the_order_of_its_bytes(path: Path, order: str) -> None:
    assert Read(path, PLAIN.encode(order), encoding="utf-16").form.header[1] == "总表"


def test_a_stated_utf_8_has_no_mark_in_its_header(path: Path) -> None:
    assert Read(path, PLAIN.encode("utf-8-sig"), encoding="utf-8").form.header[0] == "时间"


# --- delimiters and decimal signs ---------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "，", "；"])
def test_delimiters(path: Path, delimiter: str) -> None:
    read = Read(path, PLAIN.replace(",", delimiter))
    assert read.form.delimiter == delimiter
    assert read.numbers(1) == [1.5, 2.5]


def test_titles_with_commas_do_not_choose_the_delimiter(path: Path) -> None:
    read = Read(path, "某局,用电,2024,年,报表\n日期;总表\n2024-01-01;1,5\n2024-01-02;2,5\n")
    assert (read.form.delimiter, read.numbers(1)) == (";", [1.5, 2.5])


def column(*cells: str, delimiter: str = ";") -> str:
    rows = (f"2024-01-{day:02}{delimiter}{cell}\n" for day, cell in enumerate(cells, 1))
    return f"time{delimiter}e-a\n" + "".join(rows)


@pytest.mark.parametrize(
    ("cells", "delimiter", "values"),
    [
        (("81.234", "1.081.234"), ";", [81234.0, 1081234.0]),  # a cell decides
        (("81.234", "1.081.234"), "\t", [81234.0, 1081234.0]),
        (("81.234", "12,5"), ";", [81234.0, 12.5]),
        (("81.234", "82.5"), ";", [81.234, 82.5]),
        (("81.234", "0.500"), ";", [81.234, 0.5]),
        (("81.234", "1234.500"), ";", [81.234, 1234.5]),
        (("81.234", "82.334"), ";", [81234.0, 82334.0]),  # the delimiter does
        (("81.234", "82.334"), ",", [81.234, 82.334]),
        (("980", "990", "999", "1.010", "1.020", "1.035"), "\t", [980, 990, 999, 1010, 1020, 1035]),
        (("980", "1.010"), ";", [980.0, 1010.0]),
        (('"1,234.5"', '"12,234"'), ",", [1234.5, 12234.0]),
        (('"81,234"', '"82,334"'), ",", [81234.0, 82334.0]),
        (("1 081 234,5", "81 234"), ";", [1081234.5, 81234.0]),
        (("1'081'234.5", "81'234"), ";", [1081234.5, 81234.0]),
        (("１，０８１．５", "２"), ";", [1081.5, 2.0]),
        (("81.2 kWh", "82.35kWh"), ",", [81.2, 82.35]),
        (("5", "6"), ",", [5.0, 6.0]),
    ],
)  # fmt: skip
def test_decimal_signs_are_judged_by_the_column(
    path: Path, cells: tuple[str, ...], delimiter: str, values: list[float]
) -> None:
    read = Read(path, column(*cells, delimiter=delimiter))
    assert read.form.columns[1].number_problem is None
    assert read.numbers(1) == values


def test_an_assumption_is_told_with_its_opposite(path: Path) -> None:
    (note,) = Read(path, column("81.234", "82.334")).form.notes
    assert note.text.format(**note.values) == (
        "column e-a: '81.234' is read as 81234, like the other numbers in the file; with "
        "--decimal . it is read as 81.234."
    )
    assert not Read(path, column("81.234", "82.334"), decimal=".").form.notes


def test_commas_that_nothing_contradicts_stand_between_thousands(path: Path) -> None:
    read = Read(path, column("81,234", "82,334", delimiter="\t"))
    (note,) = read.form.notes
    assert read.numbers(1) == [81234.0, 82334.0]
    assert (
        "read as 81234, with a comma between thousands; with --decimal , it is read as 81.234"
        in (note.text.format(**note.values))
    )


@pytest.mark.parametrize(
    ("cells", "delimiter", "said"),
    [
        (("81.234", "82.334"), "\t", "line 2: column e-a: '81.234' can mean 81.234 or 81234"),
        (("1234", "1.035"), ";", "can mean"),  # the delimiter and the column disagree
        (("980", "1.035"), ",", "can mean"),
        (("81.234", "81,234"), ";", "can mean"),
        (("1,5", "7", "2.75"), ";", "line 4: column e-a: '2.75' has a decimal point, but '1,5' in"),
    ],
)
def test_a_column_that_can_mean_two_things_is_asked_for(
    path: Path, cells: tuple[str, ...], delimiter: str, said: str
) -> None:
    problem = Read(path, column(*cells, delimiter=delimiter)).form.columns[1].number_problem
    assert problem is not None
    assert said in f"line {problem.line}: {problem}"
    assert "--decimal" in problem.fix
    stated = Read(path, column(*cells, delimiter=delimiter), decimal=",")
    assert stated.form.columns[1].number_problem is None
    assert stated.form.columns[1].numbers.decimal == ","


def test_the_other_columns_of_a_file_decide(path: Path) -> None:
    read = Read(path, "time\te-a\ttemp\n2024-01-01\t81.234\t12,5\n2024-01-02\t82.334\t9,5\n")
    assert read.numbers(1) == [81234.0, 82334.0]


def test_a_cell_beyond_the_first_thousands_decides(path: Path) -> None:
    cells = ["81.234"] * 6000 + ["82.5"]
    lines = "".join(f"2024-01-01 00:00\t{cell}\n" for cell in cells)
    read = Read(path, f"time\te-a\n{lines}")
    assert read.form.columns[1].numbers.decimal == "."
    assert read.form.columns[1].number_problem is None


def test_commas_between_thousands_without_quotes_are_told_once(path: Path) -> None:
    (problem,) = Read(path, column("50,000", "50,100", "950", delimiter=",")).form.problems
    assert "most lines have 3 cells, but the header has 2" in str(problem)
    assert not Read(path, "time,e-a\n2024-01-01,1,\n2024-01-02,2,,\n").form.problems


# --- titles, headers, units, totals -------------------------------------------------------------

REPORT = """\
淮安市行政中心用能月报,,,
单位：某某局,,制表日期：2024-03-01,
,,,
时间,1号楼,2号楼,备注
,kWh,m³,
2024-01-01,10,20,
2024-01-02,11,21,停电
,,,
小计,21,41,
2024-02-01,12,22,
合 计,33,63,
制表人：张三,,,
# 导出自能耗系统
"""


def test_titles_units_totals_and_notes_are_no_rows(path: Path) -> None:
    read = Read(path, REPORT)
    form = read.form
    assert form.header == ("时间", "1号楼", "2号楼", "备注")
    assert (form.header_line, form.unit_line) == (4, 5)
    assert [one.unit for one in form.columns] == ["", "kWh", "m³", ""]
    assert form.titles == ("淮安市行政中心用能月报", "单位：某某局 制表日期：2024-03-01")
    assert [line for line, _ in read.lines] == [6, 7, 10]
    assert read.left_out == [
        (9, "小计", "totals"),
        (11, "合 计", "totals"),
        (12, "制表人：张三", "notes below the table"),
        (13, "# 导出自能耗系统", "comments"),
    ]


@pytest.mark.parametrize(
    "total", ["合计", "总计：", "2024年合计", "1月小计", "Total", "Grand Total", "SUM", "平均值"]
)
def test_totals(path: Path, total: str) -> None:
    read = Read(path, f"时间,总表\n2024-01-01,10\n2024-01-02,10\n{total},20\n")
    assert len(read.rows) == 2
    assert read.left_out == [(4, total, "totals")]


def test_a_meter_may_have_the_name_of_a_total(path: Path) -> None:
    text = "表号,时间,读数\n合计,2024-01-01,10\n东楼,2024-01-01,6\n合计,,16\n"
    read = Read(path, text)
    assert [row[0] for row in read.rows] == ["合计", "东楼"]
    assert read.left_out == [(4, "合计", "totals")]


def test_a_header_that_is_repeated_on_each_page(path: Path) -> None:
    page = "时间,总表\n2024-01-01,10\n2024-01-02,10\n"
    read = Read(path, page + page)
    assert len(read.rows) == 4
    assert read.left_out == [(4, "时间", "repeated headers")]


@pytest.mark.parametrize(
    ("text", "line", "header"),
    [
        ("日期,0:15,0:30,0:45\n2024-01-01,1,2,3\n2024-01-02,1,2,3\n", 1, "日期,0:15,0:30,0:45"),
        ("date,1,2,3\n2024-01-01,1,2,3\n2024-01-02,1,2,3\n", 1, "date,1,2,3"),
        ("表名,2024年1月,2024年2月\n东楼,1,2\n西楼,3,4\n", 1, "表名,2024年1月,2024年2月"),
        ("zeit,e-a\n2024-01-01,1\n2024-01-02,1\n", 1, "zeit,e-a"),
        ("a,b\nx,y\ntime,e-a\n2024-01-01,1\n2024-01-02,1\n", 3, "time,e-a"),
        ("日期,2024-01-05\n时间,电量\n2024-01-01,1\n2024-01-02,1\n", 2, "时间,电量"),
        ("时间,100234,100235\n2024-01-01,1,2\n2024-01-02,1,2\n", 1, "时间,100234,100235"),
        ("time\n2024-01-01,1\n", 1, "time"),
        (",1号楼,,2号楼,\n时间,电,水,电,水\n2024-01-01,1,2,3,4\n2024-01-02,1,2,3,4\n", 2,
         "时间,1号楼 电,1号楼 水,2号楼 电,2号楼 水"),
        ("时间,1号楼,,2号楼,\n,电,水,电,水\n2024-01-01,1,2,3,4\n2024-01-02,1,2,3,4\n", 2,
         "时间,1号楼 电,1号楼 水,2号楼 电,2号楼 水"),
        ("时间,电,水\n2024-01-01,-,-\n2024-01-02,1,2\n2024-01-03,1,2\n", 1, "时间,电,水"),
    ],
)  # fmt: skip
def test_headers(path: Path, text: str, line: int, header: str) -> None:
    read = Read(path, text)
    assert (read.form.header_line, ",".join(read.form.header)) == (line, header)
    assert read.lines[0][0] == line + 1


def test_a_header_line_is_stated(path: Path) -> None:
    text = "time,e-a\ntime,e-b\n2024-01-01,1\n2024-01-02,1\n"
    assert Read(path, text, header_line=2).form.header == ("time", "e-b")
    (problem,) = Read(path, text, header_line=400).form.problems
    assert "no line 400" in str(problem)


def test_a_row_of_units_in_brackets(path: Path) -> None:
    text = "时间,总表,水表\n(yyyy-mm-dd),(kWh),（吨）\n2024-01-01,1,2\n2024-01-02,1,2\n"
    read = Read(path, text)
    assert read.form.unit_line == 2
    assert [one.unit for one in read.form.columns[1:]] == ["(kWh)", "（吨）"]


# --- orders of dates ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dates", "order"),
    [
        (("05/01/2024", "13/01/2024"), "dmy"),
        (("01/05/2024", "01/13/2024"), "mdy"),
        (("05.01.2024", "06.01.2024"), "dmy"),
        (("2024/1/5", "2024/1/6"), None),
        (("1/5/24 0:15", "1/13/24 0:30"), "mdy"),
    ],
)
def test_the_order_of_dates_is_judged_by_the_column(
    path: Path, dates: tuple[str, ...], order: str | None
) -> None:
    read = Read(path, "time,e-a\n" + "".join(f"{date},1\n" for date in dates))
    assert read.form.columns[0].times.order == order
    assert read.form.columns[0].time_problem is None
    assert read.form.columns[0].content == "time"
    told = [note.text.format(**note.values) for note in read.form.notes]
    assert any(f"--date-order {order}" in text for text in told) is (order is not None)


@pytest.mark.parametrize("dates", [("05/01/2024", "06/01/2024"), ("13/01/2024", "01/13/2024")])
def test_an_order_that_can_t_be_told_is_asked_for(path: Path, dates: tuple[str, ...]) -> None:
    text = "time,e-a\n" + "".join(f"{date},1\n" for date in dates)
    problem = Read(path, text).form.columns[0].time_problem
    assert problem is not None
    assert "--date-order" in problem.fix
    stated = Read(path, text, date_order="dmy").form.columns[0]
    assert (stated.times.order, stated.time_problem) == ("dmy", None)


def test_a_day_beyond_the_first_thousands_decides(path: Path) -> None:
    dates = ["05/01/2024"] * 6000 + ["13/01/2024"]
    read = Read(path, "time,e-a\n" + "".join(f"{date},1\n" for date in dates))
    assert read.form.columns[0].times.order == "dmy"


# --- files that are something else --------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("f.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old Excel file"),
        (
            "f.xlsx",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
            + bytes(600)
            + "EncryptedPackage".encode("utf-16-le"),
            "password",
        ),
        ("f.xls", b"<html><body><table>", "web page"),
        ("f.csv", b"PK\x03\x04" + bytes(100), "is not an XLSX file"),
        ("f.xlsx", b"time,e-a\n", "is not an XLSX file"),
        ("f.pdf", b"%PDF-1.7", "save it as CSV or XLSX"),
        ("f.docx", b"x", "save it as CSV or XLSX"),
    ],
)
def test_what_can_t_be_imported_is_told_in_one_sentence(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        Read(tmp_path / name, content)


def test_a_text_may_have_the_name_of_an_excel_file(tmp_path: Path) -> None:
    read = Read(tmp_path / "f.xls", PLAIN.replace(",", "\t").encode("gbk"))
    assert (read.form.encoding, read.form.delimiter) == ("gb18030", "\t")


def test_a_text_may_have_the_name_of_a_packed_file(tmp_path: Path) -> None:
    assert Read(tmp_path / "f.csv.gz", PLAIN).form.header[1] == "总表"


@pytest.mark.parametrize("content", [b"", b"\n\n", b",,\n,,\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_told(path: Path, content: bytes) -> None:
    (problem,) = Read(path, content).form.problems
    assert "this file is empty" in str(problem)
