"""Any bytes are read, or refused in a sentence."""

import io
from contextlib import suppress
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.importing.reading.file_form import StatedForm
from ingest.importing.reading.file_reader import detect_form, open_table
from jieneng.metering.errors import Problem, UsageError

#: Pieces of files: what a byte-wise search rarely meets.
PIECES = [
    "时间", "合计", "time", "value", "2024-01-05", "05/01/2024", "0:15", "81.234", "1,5", "kWh",
    '"', "\n", "\r\n", "\r", ",", ";", "\t", "，", "#", " ", "0", "-", "\0", "一",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), max_size=60).map("".join)


def read(path: Path, content: bytes, stated: StatedForm = StatedForm()) -> None:  # noqa: B008 - frozen
    path.write_bytes(content)
    problems: list[Problem] = []
    with suppress(UsageError):
        form = detect_form(path, stated)
        if form.problems:
            return
        with open_table(path, form, problems.append) as table:
            assert all(any(cell not in (None, "") for cell in row) for _, row in table.rows)
            assert form.columns
            assert all(note.text.format(**note.values) for note in table.notes())
    assert all(map(str, problems))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile") / "f.csv"


@given(text=TEXTS, encoding=st.sampled_from(["utf-8", "gbk", "utf-16", "utf-16-le"]))
def test_texts_of_any_pieces(path: Path, text: str, encoding: str) -> None:
    read(path, text.encode(encoding, "replace"))


@given(content=st.binary(max_size=200), stated=st.sampled_from([None, "gbk", "utf-16", "utf-8"]))
def test_any_bytes(path: Path, content: bytes, stated: str | None) -> None:
    read(path, content, StatedForm(encoding=stated))


@pytest.fixture(scope="module")
def workbook() -> bytes:
    book = openpyxl.Workbook()
    book.active.append(["时间", "东楼"])
    for day in range(1, 29):
        book.active.append([f"2024-01-{day:02}", 1000.5 + day])
    book.active.merge_cells("A3:A4")
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


@given(data=st.data())
def test_workbooks_with_wrong_bytes(path: Path, workbook: bytes, data: st.DataObject) -> None:
    content = bytearray(workbook)
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(len(content) // 2, len(content)))
    read(path.with_name("f.xlsx"), bytes(content[:end]))
