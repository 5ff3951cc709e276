"""The page's sections about changes: charts, tables, and a sentence for each unknown value."""

from datetime import date

import msgspec

from analytics.figures.decomposition.carbon_split import CarbonSplit, Effects, SplitStatus
from analytics.figures.figure import FigureComparison
from analytics.report import page
from analytics.report.analyses import carbon_page, comparison_page
from analytics.report.drawing import svg_charts
from analytics.report.report_data import PageData
from jieneng.metering import schema
from jieneng.metering.findings import Finding
from tests.analytics.report.test_page import Reader, sample

AT = "carbon_per_floor_area"


def split(scope: str, indicator: str = AT, status: SplitStatus = "split") -> CarbonSplit:
    is_split = status == "split"
    return CarbonSplit(
        scope=scope,
        indicator=indicator,
        unit="kgCO2/m2" if indicator == AT else "tCO2",
        period="2025",
        base_period="2020",
        base=80.0 if is_split else None,
        value=70.0,
        change=-10.0 if is_split else None,
        effects=Effects(2.0, 0.0, -9.0, -3.0) if is_split else Effects(),
        parts=(),
        coverage=0.97,
        status=status,
        findings=(Finding.of("no_baseline", "2020"),) if status == "no_baseline" else (),
    )


def with_carbon(*splits: CarbonSplit) -> PageData:
    return msgspec.structs.replace(sample(), carbon=splits)


def compared(name: str, change: float | None, coverage: float = 0.99) -> FigureComparison:
    return FigureComparison(
        id=name,
        name=name,
        reason="" if name == schema.LIKE_FOR_LIKE else "offices were closed",
        value=17.0,
        baseline=None if change is None else 18.0,
        baseline_period="2020" if name == schema.LIKE_FOR_LIKE else "2018..2019",
        change_pct=change,
        decrease_pct=None if change is None else -change,
        coverage=coverage,
        left_out=("block-3",) if name == schema.LIKE_FOR_LIKE else (),
    )


def with_comparisons(*comparisons: FigureComparison, findings: tuple[Finding, ...]) -> PageData:
    data = sample()
    first = msgspec.structs.replace(data.figures[0], comparisons=comparisons, findings=findings)
    return msgspec.structs.replace(data, figures=(first, *data.figures[1:]))


def test_the_change_of_carbon_is_drawn_with_every_effect_in_words() -> None:
    text = carbon_page.page_part(with_carbon(split("centre"), split("centre", "carbon_total")), str)
    assert text.count("<svg") == 2
    for step in ("2020 80.00", "Activity +2.00", "Supply 0.00", "Floor area \N{MINUS SIGN}3.00"):
        assert step in text
    assert text.count('class="rise"') == 2
    assert "97.0 %" in Reader(text).texts


def test_a_change_that_is_not_split_says_which_scopes_and_why() -> None:
    data = with_carbon(
        split("centre"),
        split("block-1", status="insufficient_data"),
        split("block-2", status="no_baseline"),
        split("block-3", status="not_comparable"),
        split("canteen", status="not_applicable"),
    )
    texts = Reader(carbon_page.page_part(data, str)).texts
    [missing] = [text for text in texts if text.startswith("Not split")]
    assert "block-1, block-2. Missing" in missing
    [other] = [text for text in texts if "no floor area" in text]
    assert other.endswith("block-3.")


def test_without_any_split_there_is_a_reason_and_no_chart() -> None:
    text = carbon_page.page_part(with_carbon(split("centre", status="no_baseline")), str)
    assert "<svg" not in text
    assert "No baseline" in Reader(text).texts


def test_a_site_without_carbon_has_no_section() -> None:
    assert carbon_page.page_part(with_carbon(split("centre", status="not_applicable")), str) == ""
    assert "Change of carbon, by cause" not in Reader(page.render(sample(), str)).texts


def test_like_for_like_stands_beside_the_plain_change() -> None:
    alike, usual = compared(schema.LIKE_FOR_LIKE, -2.5), compared("usual", -7.25)
    data = with_comparisons(alike, usual, findings=())
    texts = Reader(comparison_page.page_part(data, str)).texts
    plain = f"{data.figures[0].change_pct:+.2f} %".replace("-", "\N{MINUS SIGN}")
    assert texts.count(plain) == 2
    assert "\N{MINUS SIGN}2.50 %" in texts
    assert "2020, like-for-like" in texts
    assert any("usual: offices were closed" in text for text in texts)


def test_what_is_unknown_short_or_not_comparable_is_said() -> None:
    findings = (
        Finding.of("area_joined", "block-3", day=date(2023, 7, 1)),
        Finding.of("left_out_unmetered", "block-3", media="gas"),
        Finding.of("left_out_unmetered", "block-3", media="water"),
    )
    data = with_comparisons(
        compared(schema.LIKE_FOR_LIKE, -2.5, coverage=0.9),
        compared("usual", None),
        findings=findings,
    )
    texts = Reader(comparison_page.page_part(data, str)).texts
    assert "usual (2018..2019): 1 of 1 changes are unknown, as the base value is unknown or 0." in (
        texts
    )
    assert any("1 of 1 changes rest on a coverage below 95 %" in text for text in texts)
    assert sum("joined on" in text for text in texts) == 1
    assert sum("no meter of its own" in text for text in texts) == 1


def test_a_step_of_a_waterfall_chart_is_never_without_a_mark() -> None:
    """An effect of 0 is a line: a gap would look like an unknown value."""
    bars = [
        svg_charts.WaterfallBar("2020", 0.0, 10.0, "10", is_total=True),
        svg_charts.WaterfallBar("Supply", 10.0, 10.0, "0", is_total=False),
        svg_charts.WaterfallBar("2025", 0.0, 10.0, "10", is_total=True),
    ]
    drawn = svg_charts.waterfall_chart("t", bars)
    assert drawn.count("<rect") == 3
    assert 'width="0"' not in drawn
    assert 'aria-label="t: 2020 10, Supply 0, 2025 10"' in drawn
