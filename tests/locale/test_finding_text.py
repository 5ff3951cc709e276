"""Findings are sentences in both languages, and a new kind is one row."""

import ast
import json
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from analytics.figures.figure import Figure
from analytics.report import csv_output, figure_json, page, terminal_tables
from analytics.report.report_data import NamedScope, PageData
from jieneng.locale import Translate, msgid_places, sentences, translator
from jieneng.locale.finding_text import Labels, finding_text
from jieneng.metering import findings
from jieneng.metering.findings import Finding, FindingKind

LABELS = Labels({"e-b1": "1号楼总表", "block-1": "1号楼"}, ZoneInfo("Asia/Shanghai"))

NEW_ROW = """
FindingKind(
    code="seal_broken",
    severity="error",
    en="{subject:name}: the seal was found broken on {day:date}.",
    zh="{subject:name}：{day:date} 发现封印破损",
)
"""


def chinese_with(row: str) -> Translate:
    """A translator whose catalogue was collected with one more row."""
    known = sentences.find([msgid_places.Module("rows.py", ast.parse(row))]).chinese
    return lambda text: known.get(text) or translator("zh")(text)


@pytest.mark.parametrize(
    ("finding", "english", "chinese"),
    [
        (
            Finding.of("gap", "e-b1", coverage=0.9997),
            (
                "1号楼总表: the consumption is known for only 99.9 % of the period, from readings"
                " before and after it or from imports."
            ),
            "1号楼总表：部分时段用量不明，统计期内前后均有读数或导入数据的时间占 99.9 %",
        ),
        (
            Finding.of(
                "counter_reset",
                "e-b1",
                before=5047.0,
                before_ms=1_709_337_600_000,
                after=3.25,
                after_ms=1_709_341_200_000,
            ),
            (
                "1号楼总表: the register was reset, from 5,047.00 at 2024-03-02 08:00 to 3.25 at"
                " 2024-03-02 09:00; consumption between them is unknown and not counted."
            ),
            (
                "1号楼总表：2024-03-02 09:00 读数不连续（清零、换表等），"
                "由 5,047.00（2024-03-02 08:00）变为 3.25，"
                "其间用量不明，未计入"
            ),
        ),
        (
            Finding.of("no_meter", "block-1", media="electricity gas heat"),
            "1号楼: no meter for electricity, natural gas, heat.",
            "1号楼：未安装电力、天然气、热力表计",
        ),
        (
            Finding.of("no_headcount", "block-1", known=0, days=366).as_baseline(),
            "Base period: 1号楼: the headcount is stated for 0 of 366 days.",
            "基期：1号楼：统计期 366 天中有 0 天填报了用能人数",
        ),
        (
            Finding.of(
                "proxy_factor",
                "grid-2021",
                factor="carbon",
                medium="electricity",
                value=0.5568,
                unit="kgCO2/kWh",
                first=date(2020, 1, 1),
                last=date(2020, 12, 31),
            ),
            (
                "No carbon emission factor of electricity was published for 2020-01-01 to"
                " 2020-12-31; a later one is used instead: 0.5568 kgCO₂/kWh (grid-2021)."
            ),
            (
                "2020-01-01 至 2020-12-31 未公布电力二氧化碳排放因子，以后续年份的 0.5568 kgCO₂/kWh"
                " 代替（grid-2021）"
            ),
        ),
    ],
)
def test_a_finding_is_a_sentence_with_names_and_local_times(
    finding: Finding, english: str, chinese: str
) -> None:
    assert finding_text(finding, translator("en"), LABELS) == english
    assert finding_text(finding, translator("zh"), LABELS) == chinese


def test_a_new_kind_is_one_row_and_shows_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the page, in the terminal, in JSON and CSV, in both languages."""
    row: FindingKind = eval(NEW_ROW, {"FindingKind": FindingKind})  # noqa: S307 - the text above
    monkeypatch.setattr(findings, "KINDS", {**findings.KINDS, row.code: row})
    found = Finding.of("seal_broken", "e-b1", weight=0.125, day=date(2024, 3, 2))
    figure = Figure(
        scope="block-1",
        indicator="electricity",
        period="2024",
        value=1.0,
        unit="kWh",
        findings=(found,),
    )
    for translate, text in (
        (translator("en"), "1号楼总表: the seal was found broken on 2024-03-02."),
        (chinese_with(NEW_ROW), "1号楼总表：2024-03-02 发现封印破损"),
    ):
        assert text in page.render(page_data(figure), translate)
        assert text in csv_output.to_csv([figure], translate, LABELS)
        console = Console(width=160, color_system=None)
        with console.capture() as shown:
            console.print(terminal_tables.findings_table([figure], LABELS, translate))
        assert text in shown.get()
        (element,) = json.loads(figure_json.to_json([figure], translate, LABELS))
        assert element["findings"] == [
            {
                "code": "seal_broken",
                "severity": "error",
                "subject": "e-b1",
                "weight": 0.125,
                "text": text,
            }
        ]


def page_data(figure: Figure) -> PageData:
    return PageData(
        site_name="行政中心",
        period="2024",
        generated=datetime(2025, 1, 2, tzinfo=LABELS.zone),
        scopes=(NamedScope("block-1", "1号楼", "area"),),
        figures=(figure,),
        labels=LABELS,
    )


def test_a_code_without_a_row_still_shows_its_subject() -> None:
    assert finding_text(Finding.of("odd_thing", "e-b1"), str, LABELS) == "1号楼总表: odd thing"


def test_every_kind_is_of_its_own_code() -> None:
    assert all(row.code == code for code, row in findings.KINDS.items())
    assert not any(code.startswith(findings.BASELINE) for code in findings.KINDS)
