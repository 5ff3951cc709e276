"""The report: every figure with its basis; no unknown value as 0, no text unescaped."""

import ast
import csv
import io
import math
import re
from datetime import datetime
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console, RenderableType

from analytics import report
from analytics.figures.figure import FactorSeries, Figure, Status
from analytics.report import csv_output, figure_selection, figure_texts, page, terminal_tables
from analytics.report.drawing import charts, svg_charts
from analytics.report.drawing.chart_axis import make_axis
from analytics.report.report_data import LatestReading, NamedScope, PageData
from jieneng.locale import collect, translator
from jieneng.locale.finding_text import Labels
from jieneng.metering.findings import Finding

SCOPES = (
    NamedScope("centre", "行政中心（示例）", "site"),
    NamedScope("block-1", "1号楼", "area"),
    NamedScope("block-2", "2号楼", "area"),
    NamedScope("block-3", "3号楼", "area"),
    NamedScope("canteen", "食堂", "area"),
    NamedScope("data-room", "数据机房", "area"),
    NamedScope("affairs-bureau", "机关事务管理局", "institution"),
    NamedScope("government-office", "政府办公室", "institution"),
)
BASES = {
    "energy_per_floor_area": (18.8, "kgce/m2", 7.0),
    "energy_per_capita": (331.4, "kgce/person", 8.0),
    "water_per_capita": (21.53, "m3/person", 8.0),
    "carbon_per_floor_area": (61.94, "kgCO2/m2", 7.0),
}
CHANGES = (-8.412, -6.2, -9.31, -3.4)
GAP = Finding.of("gap", "w-b3", weight=0.25, coverage=0.8712)
ROLLED = Finding.of(
    "counter_rollover",
    "e-b3",
    before=99999.9,
    before_ms=1_589_083_200_000,
    after=3.2,
    after_ms=1_589_083_260_000,
).as_baseline()


def figure(
    scope: str,
    indicator: str,
    change: float | None,
    status: Status,
    *,
    period: str = "2025",
    coverage: float = 0.9934,
    series: FactorSeries | None = None,
    path: float = 0.93,
) -> Figure:
    base, unit, target = BASES[indicator]
    return Figure(
        scope=scope,
        indicator=indicator,
        period=period,
        value=None if change is None else base * (1 + change / 100),
        unit=unit,
        baseline=base,
        baseline_period="2020",
        change_pct=change,
        decrease_pct=None if change is None else -change,
        target_pct=target,
        operator=">",
        target=base * (1 - target / 100),
        path=base * path,
        status=status,
        coverage=coverage,
        estimated=0.0041,
        convention=None if indicator.startswith("water") else "equivalent",
        factor_series=series,
        findings=(GAP,) if coverage < 0.95 else (),
    )


def scope_figures(number: int, scope: NamedScope) -> list[Figure]:
    """The four indicators, with every verdict and every kind of doubt somewhere."""
    verdicts: tuple[Status, ...] = ("met", "at_risk", "on_track", "missed")
    found = []
    for place, indicator in enumerate(BASES):
        turn = (place + number) % 4
        series: FactorSeries | None = "fixed" if indicator.startswith("carbon") else None
        made = figure(scope.id, indicator, CHANGES[turn], verdicts[turn], series=series)
        if scope.id == "block-3" and indicator.startswith("water"):
            made = figure(scope.id, indicator, -6.2, "insufficient_data", coverage=0.8712)
        if scope.id == "block-2" and indicator.startswith("water"):
            made = figure(scope.id, indicator, -8.2, "doubtful")
        if scope.id in ("canteen", "data-room") and indicator.endswith("capita"):
            made = Figure(
                scope=scope.id,
                indicator=indicator,
                period="2025",
                value=None,
                unit=BASES[indicator][1],
                target_pct=BASES[indicator][2],
                operator=">",
                status="not_applicable",
            )
        found.append(made)
    return [*found, figure(scope.id, indicator, -12.1, "no_target", series="current")]


def total(indicator: str, value: float, unit: str, cap: float | None, status: Status) -> Figure:
    return Figure(
        scope="centre",
        indicator=indicator,
        period="2025",
        value=value,
        unit=unit,
        baseline=value * 1.05,
        baseline_period="2020",
        change_pct=-4.76,
        decrease_pct=4.76,
        operator="<=",
        target=cap,
        status=status,
        coverage=0.9934,
        estimated=0.004,
        convention="equivalent" if unit == "tce" else None,
        findings=(ROLLED,),
    )


def years(indicator: str) -> list[Figure]:
    """2020 to 2024, of which 2022 is doubtful and 2023 unknown; the path starts at the base."""
    base, unit, target = BASES[indicator]
    return [
        Figure(
            scope="centre",
            indicator=indicator,
            period=str(2020 + number),
            value=None if share is None else base * share,
            unit=unit,
            baseline=base if number else None,
            baseline_period="2020" if number else None,
            coverage=0.91 if number == 2 else 0.99,
            target=base * (1 - target / 100) if number else None,
            target_pct=target if number else None,
            path=base * (1 - target / 100) ** (number / 5) if number else None,
            factor_series="fixed" if indicator.startswith("carbon") else None,
        )
        for number, share in enumerate((1.0, 1.021, 0.984, None, 0.951))
    ]


def months(scope: str, indicator: str, unit: str, size: float) -> list[Figure]:
    """January to November; March is doubtful, May unknown, December still to come."""
    found = []
    for month in range(1, 12):
        shape = size * (1 + 0.35 * math.cos((month - 7.5) / 6 * 2 * math.pi))
        found.append(
            Figure(
                scope=scope,
                indicator=indicator,
                period=f"2025-{month:02}",
                value=None if month == 5 else shape * 0.95,
                unit=unit,
                baseline=shape,
                baseline_period=f"2020-{month:02}",
                coverage=None if month == 5 else 0.88 if month == 3 else 0.996,
            )
        )
    return found


def sample() -> PageData:
    """A centre like the example one."""
    zone = ZoneInfo("Asia/Shanghai")
    time = datetime(2025, 11, 23, 14, 5, 10, tzinfo=zone)
    media = (("electricity", "kWh", 1.0), ("gas", "m3", 0.02), ("water", "m3", 0.007))
    return PageData(
        site_name="行政中心（示例）",
        period="2025",
        generated=datetime(2025, 11, 23, 14, 5, 12, tzinfo=zone),
        scopes=SCOPES,
        figures=(
            *(f for number, scope in enumerate(SCOPES) for f in scope_figures(number, scope)),
            total("energy_total", 812.43, "tce", 900.0, "met"),
            total("water_total", 31840.2, "m3", 31000.0, "missed"),
            total("electricity", 4812345.6, "kWh", None, "no_target"),
        ),
        history=(
            *(f for indicator in BASES for f in years(indicator)),
            *(
                f
                for scope, size in (("centre", 420000.0), ("block-1", 90000.0), ("canteen", 3e4))
                for indicator, unit, part in media
                if indicator != "gas" or scope != "block-1"
                for f in months(scope, indicator, unit, size * part)
            ),
        ),
        readings=(
            LatestReading(
                meter="总进线",
                medium="electricity",
                time=time,
                register=8123456.48,
                unit="kWh",
                rate=612.4,
                rate_unit="kW",
            ),
            LatestReading(
                meter="自来水总表",
                medium="water",
                time=time,
                register=90123.12,
                unit="m3",
                rate=0.0,
                rate_unit="m3/h",
            ),
            LatestReading(meter="食堂天然气", medium="gas", time=None, register=None, unit="m3"),
        ),
        sources=("淮安市“十四五”公共机构节约能源资源工作规划，表1",),
    )


class Reader(HTMLParser):
    """Reads a page back: its texts, and whether every element is closed where it should be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def rendered(thing: RenderableType, width: int = 100) -> str:
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(thing)
    out = console.file
    assert isinstance(out, io.StringIO)
    return out.getvalue()


def test_every_figure_stands_with_all_that_is_known_of_it() -> None:
    data = sample()
    texts = Reader(page.render(data, str)).texts
    for figure in data.figures:
        row = figure_texts.figure_row(figure, str)
        for text in msgspec.structs.astuple(row):
            assert text in texts


def test_the_page_needs_no_network_and_no_script() -> None:
    text = page.render(sample(), str)
    read = Reader(text)
    assert not {"script", "link", "img", "iframe"} & set(read.tags)
    assert not {"src", "href", "srcset", "onload"} & {name for name, _ in read.attributes}
    assert "//" not in text.replace("<!DOCTYPE html>", "")
    assert text.count("url(") == text.count("url(#thin)")


def test_the_page_is_closed_where_it_was_opened() -> None:
    assert Reader(page.render(sample(), str)).open == []


def test_the_same_data_give_the_same_bytes() -> None:
    assert page.render(sample(), str) == page.render(sample(), str)


def test_what_is_unknown_is_never_0() -> None:
    """Figures of which nothing is known show no digit at all."""
    nothing = Figure(scope="centre", indicator="water_total", period="2025", value=None, unit="m")
    for text in msgspec.structs.astuple(figure_texts.figure_row(nothing, str)):
        assert not any(character.isdigit() for character in text)
    never = LatestReading(meter="a", medium="gas", time=None, register=None, unit="m")
    assert "0" not in rendered(terminal_tables.readings_table([never], str))


def test_a_verdict_is_a_sign_and_a_word_not_only_a_colour() -> None:
    texts = Reader(page.render(sample(), str)).texts
    for status in get_args(Status):
        assert figure_texts.STATUS_SYMBOLS[status] in texts
        assert figure_texts.status_word(status, str) in texts
    assert len(set(figure_texts.STATUS_SYMBOLS.values())) == len(figure_texts.STATUS_SYMBOLS)


def test_every_chart_can_be_read_aloud() -> None:
    text = page.render(sample(), str)
    assert text.count('role="img"') == text.count("aria-label=")


@cache
def tags_of_plain_names() -> list[str]:
    return Reader(page.render(named("x"), str)).tags


@settings(max_examples=40)  # each renders a whole page
@example("<b onclick='x'>&amp;\"")
@given(st.text(min_size=1))
def test_no_name_becomes_markup(name: str) -> None:
    """Names of meters and buildings, and texts of findings, may have any characters."""
    hostile = Reader(page.render(named(name), str))
    assert hostile.tags == tags_of_plain_names()
    assert hostile.open == []


def named(name: str) -> PageData:
    data = sample()
    doubted = msgspec.structs.replace(
        data.figures[0],
        # An unknown code: the sentence of a known code needs values, which this finding lacks.
        findings=(Finding.of(f"{name}?", name), Finding.of("not_begun", name)),
        unit=name,
    )
    return msgspec.structs.replace(
        data,
        site_name=name,
        scopes=tuple(msgspec.structs.replace(scope, name=name) for scope in data.scopes),
        figures=(doubted, *(msgspec.structs.replace(f, findings=()) for f in data.figures[1:])),
        readings=(msgspec.structs.replace(data.readings[0], meter=name, unit=name),),
        sources=(name,),
    )


def test_a_page_without_history_readings_and_doubts_has_no_empty_parts() -> None:
    whole = sample()
    bare = msgspec.structs.replace(whole, history=(), readings=(), sources=())
    texts = Reader(page.render(bare, str)).texts
    assert "Live readings" not in texts
    assert "Consumption by month" not in texts


def test_an_unknown_year_leaves_a_gap_in_the_line() -> None:
    marks = [
        svg_charts.YearPoint("2020", 2.0),
        svg_charts.YearPoint("2021", None),
        svg_charts.YearPoint("2022", 1.0),
    ]
    drawn = svg_charts.glide_path_chart("t", "u", marks, None)
    assert 'class="actual"' not in drawn
    assert drawn.count("<circle") == 2


def test_the_glide_path_starts_at_the_base_year() -> None:
    """2020 has no path of its own; 2021 to 2025 have, so there are five strokes a chart."""
    drawn = charts.glide_path_charts(sample(), str)
    assert drawn.count('class="path"') == 5 * len(BASES)


def test_an_unknown_month_has_no_bar() -> None:
    drawn = svg_charts.month_bar_chart(
        "t",
        "u",
        [
            svg_charts.MonthBar("01", None),
            svg_charts.MonthBar("02", 3.0),
            svg_charts.MonthBar("03", 0.0),
        ],
    )
    assert drawn.count('class="bar"') == 2
    assert "01 —" in drawn


@given(
    st.lists(st.floats(-1e9, 1e9, allow_subnormal=False), min_size=0, max_size=20),
    st.booleans(),
)
def test_an_axis_holds_its_values_with_a_few_round_ticks(
    values: list[float], from_zero: bool
) -> None:
    scale = make_axis(values, 100.0, 0.0, from_zero=from_zero)
    assert all(scale.low <= value + 1e-6 and value - 1e-6 <= scale.high for value in values)
    assert 2 <= len(scale.ticks()) <= 7
    assert all(high > low for low, high in pairwise(scale.ticks()))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "—"),
        (0.0, "0.00"),
        (0.04512, "0.0451"),
        (17.924, "17.92"),
        (334.71, "334.7"),
        (-1234.5, "\N{MINUS SIGN}1,234"),
        (4812345.6, "4,812,346"),
    ],
)
def test_numbers_have_sensible_digits(value: float | None, text: str) -> None:
    assert figure_texts.number(value) == text


@pytest.mark.parametrize(
    ("share", "text"), [(1.0, "100.0 %"), (0.9997, "99.9 %"), (0.29, "29.0 %"), (None, "—")]
)
def test_coverage_is_cut_not_rounded(share: float | None, text: str) -> None:
    assert figure_texts.share(share) == text


def test_every_percent_on_the_page_has_a_space_before_its_sign() -> None:
    """Percents have one form: in coverage, change and target, and in the spoken text of a chart."""
    text = page.render(sample(), str)
    body = text[text.index("<body") :]
    found = re.findall(r"[\d.]+.?%", body)
    assert len(found) > 50
    assert all(re.fullmatch(r"\d+(\.\d{1,2})? %", percent) for percent in found)
    assert svg_charts.cap_bar("t", 93.84, 100.0).count("t: 93.8 %") == 1
    overview = rendered(
        terminal_tables.overview_table(sample().figures, SCOPES, sample().period, str)
    )
    assert not re.search(r"\d%", overview)


def test_a_figure_per_person_names_its_unit_in_the_readers_language() -> None:
    one = sample().figures[1]
    assert figure_texts.figure_row(one, str).unit == "kgce/person"
    assert figure_texts.figure_row(one, translator("zh")).unit == "kgce/人"


def test_a_doubt_stands_once_with_all_that_it_touches() -> None:
    found = figure_selection.distinct_findings(sample().figures)
    assert len({finding for finding, _ in found}) == len(found)
    assert dict(found)[GAP] == ["block-3"]


def test_the_sheet_says_what_the_figures_say() -> None:
    figures = sample().figures
    rows = list(csv.DictReader(io.StringIO(csv_output.to_csv(figures, str, Labels()))))
    for row, figure in zip(rows, figures, strict=True):
        assert row["value"] == ("" if figure.value is None else repr(figure.value))
        assert row["scope"] == figure.scope
    fields = msgspec.json.decode(msgspec.json.encode(figures[0])).keys()
    compared = [name for name in rows[0] if name.startswith("like_for_like_")]
    own = [field for field in fields if field != "comparisons"]
    assert list(rows[0]) == [*own, "name", "definition", *compared]


def test_the_terminal_tables_fit_100_columns() -> None:
    data = sample()
    names = {scope.id: scope.name for scope in data.scopes}
    for table in (
        terminal_tables.overview_table(data.figures, data.scopes, data.period, str),
        terminal_tables.figures_table(data.figures, names, str),
        terminal_tables.findings_table(data.figures, data.labels, str),
        terminal_tables.caps_table(data.figures, "centre", data.period, str),
        terminal_tables.readings_table(data.readings, str),
    ):
        text = rendered(table)
        assert max(cell_len(line) for line in text.splitlines()) <= 100
        assert "…" not in text


@pytest.mark.xdist_group("sentences")
def test_every_text_for_people_stands_in_a_translate_call() -> None:
    """So that the catalogue can be made from the source."""
    known = set()
    for file in Path(report.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "translate"
            ):
                if ast.unparse(node.args[0]) in ("row.en", "row.definition_en"):
                    continue  # the row says both languages
                assert isinstance(node.args[0], ast.Constant), ast.unparse(node)
                known.add(node.args[0].value)
    known |= set(collect.found().places)  # the sentence of a finding is in its row
    asked: set[str] = set()

    def translate(text: str) -> str:
        asked.add(text)
        return text

    page.render(sample(), translate)
    assert asked <= known
