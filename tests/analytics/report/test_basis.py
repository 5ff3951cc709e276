"""Every figure shows its basis, and a doubtful one how a person confirms the findings."""

import math
import tomllib
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest
from rich.console import Console
from rich.table import Table

from analytics.counters.register_finding import RegisterFinding
from analytics.figures.figure import Figure
from analytics.report import confirmation, page, terminal_tables
from analytics.report.figure_selection import FindingList
from analytics.report.report_data import NamedScope, PageData
from jieneng.locale import translator
from jieneng.locale.finding_text import Labels, finding_text
from jieneng.metering.findings import Confirmation, Finding
from jieneng.metering.site import ConfirmedFinding

ZONE = ZoneInfo("Asia/Shanghai")
LABELS = Labels({"e-a": "A楼总表", "house": "A楼"}, ZONE)
DAY_MS = 86_400_000
START_MS = round(datetime(2025, 3, 2, tzinfo=ZONE).timestamp() * 1000)


def reset(doubt: float, count: int = 1, days: int = 0, meter: str = "e-a") -> Finding:
    finding = Finding.of(
        "counter_reset", meter, before=5000.0, before_ms=START_MS, after=1.0, after_ms=START_MS
    )
    until_ms = START_MS + 3_600_000 + days * DAY_MS
    found = RegisterFinding(finding, START_MS, until_ms, doubt, count)
    weight = None if math.isnan(doubt) else doubt / 10_000
    return found.shown(weight, unit="kWh")


NOTE = Finding.of("shared_area", "house")


def figure(*findings: Finding, **changes: object) -> Figure:
    one = Figure(
        scope="house",
        indicator="energy_per_floor_area",
        period="2025",
        value=3.9,
        unit="kgce/m2",
        status="doubtful",
        coverage=0.993,
        estimated=0.004,
        convention="equivalent",
        findings=findings,
    )
    return msgspec.structs.replace(one, **changes)


def rendered(table: Table) -> str:
    console = Console(width=140, color_system=None)
    with console.capture() as shown:
        console.print(table)
    return shown.get()


def test_a_figure_rests_on_coverage_estimate_findings_and_basis() -> None:
    figures = [figure(NOTE, reset(1230.0)), figure(indicator="electricity", convention=None)]
    text = rendered(terminal_tables.basis_table(figures, LABELS.names, str))
    (first, second) = [line for line in text.splitlines() if "99.3 %" in line]
    assert "0.4 %" in first
    assert "2, largest: no. 1 (12.3 %)" in first
    assert "equivalent value" in first
    assert second.split()[-2:] == ["—", "—"]


def test_a_figure_without_a_value_rests_on_nothing() -> None:
    text = rendered(terminal_tables.basis_table([figure(value=None)], LABELS.names, str))
    assert "99.3" not in text


def test_the_heaviest_finding_comes_first() -> None:
    """Unbounded doubts come first, then the greatest ones, then findings without a doubt."""
    unbounded = reset(math.nan, meter="w-a")
    small, large = reset(10.0, meter="e-b"), reset(2000.0)
    listed = FindingList([figure(NOTE, small), figure(large, NOTE), figure(unbounded)])
    assert [one.finding.subject for one in listed.findings] == ["w-a", "e-a", "e-b", "house"]
    assert [one.number for one in listed.findings] == [1, 2, 3, 4]
    heaviest = listed.heaviest(figure(NOTE, small, large))
    assert heaviest is not None
    assert heaviest.number == 2
    assert listed.heaviest(figure()) is None


@pytest.mark.parametrize(
    ("doubt", "english", "chinese"),
    [
        (9600.0, "The consumption may be wrong by at most 9,600 kWh.", "；用量误差至多 9,600 kWh"),
        (
            math.nan,
            "There is no limit to the possible error of the consumption.",
            "；用量误差无法估计上限",
        ),
    ],
)
def test_a_doubt_is_said_with_its_amount(doubt: float, english: str, chinese: str) -> None:
    assert finding_text(reset(doubt), translator("en"), LABELS).endswith(f"counted. {english}")
    assert finding_text(reset(doubt), translator("zh"), LABELS).endswith(f"未计入{chinese}")


def test_what_was_confirmed_is_said_with_who_and_why_and_no_doubt() -> None:
    confirmed = msgspec.structs.replace(reset(9600.0), confirmed=Confirmation("Li", "no power"))
    text = finding_text(confirmed.as_baseline(), translator("en"), LABELS)
    assert text.startswith("Base period: A楼总表: the register was reset")
    assert text.endswith("not counted. Confirmed by Li: no power")
    assert confirmation.to_confirm([figure(confirmed)]) == []


def test_several_findings_of_a_kind_are_one_sentence() -> None:
    text = finding_text(reset(120.0, 12, 300), translator("en"), LABELS)
    assert "was reset 12 times from 2025-03-02 00:00 to 2025-12-27 01:00" in text


class TestToConfirm:
    @pytest.mark.parametrize(
        ("finding", "days"), [(reset(9600.0), (2, None)), (reset(9600.0, 3, 5), (2, 7))]
    )
    def test_are_lines_that_site_toml_takes(
        self, finding: Finding, days: tuple[int, int | None]
    ) -> None:
        found = confirmation.to_confirm([figure(finding), figure(finding.as_baseline())])
        (row,) = tomllib.loads(confirmation.confirmation_lines(found, LABELS, str))["confirmed"]
        taken = msgspec.convert(row, ConfirmedFinding)
        assert (taken.meter, taken.finding) == ("e-a", "counter_reset")
        assert (taken.at.day, taken.until.day if taken.until else None) == days

    def test_is_nothing_where_no_verdict_is_doubtful(self) -> None:
        assert confirmation.to_confirm([figure(reset(9.0), status="met")]) == []
        assert confirmation.to_confirm([figure(reset(0.0), NOTE)]) == []

    def test_stands_on_the_page(self) -> None:
        data = PageData(
            site_name="site",
            period="2025",
            generated=datetime(2026, 1, 2, tzinfo=ZONE),
            scopes=(NamedScope("house", "A楼", "area"),),
            figures=(figure(reset(9600.0)),),
            labels=LABELS,
        )
        text = page.render(data, str)
        assert "<pre>[[confirmed]]\nmeter = &quot;e-a&quot;" in text
        assert "1, largest: no. 1 (96.0 %)" in text
        quiet = msgspec.structs.replace(data, figures=(figure(reset(9600.0), status="met"),))
        assert "<pre>" not in page.render(quiet, str)
