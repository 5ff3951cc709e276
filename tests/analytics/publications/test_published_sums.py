"""A published year is compared with its published quarters, once all of them are published."""

from pathlib import Path

from analytics.publications import publication_files
from analytics.publications.publication import Publication
from analytics.publications.published_sums import sum_findings
from analytics.site_analytics import load_rules
from tests.analytics.sites import site


def publish(folder: Path, period: str, kwh: float) -> None:
    figure = {"scope": "centre", "indicator": "electricity", "factor_series": None, "value": kwh}
    publication = Publication(
        period=period,
        by="张三",
        version="1",
        consumption="",
        site=site(""),
        rules=load_rules(folder),
        figures=(figure,),
    )
    publication_files.write(folder, publication)


def test_a_year_that_is_not_the_sum_of_its_quarters_is_told(tmp_path: Path) -> None:
    publish(tmp_path, "2025", 101.0)
    for quarter in range(1, 4):
        publish(tmp_path, f"2025-Q{quarter}", 25.0)
    assert sum_findings(tmp_path, 2025) == ()
    publish(tmp_path, "2025-Q4", 25.0)
    [one] = sum_findings(tmp_path, 2025)
    assert (one.code, one.subject) == ("periods_not_annual", "centre")
    assert dict(one.values)["total"] == 100.0


def test_equal_sums_and_unpublished_years_are_quiet(tmp_path: Path) -> None:
    assert sum_findings(tmp_path, 2025) == ()
    publish(tmp_path, "2025", 100.0)
    for quarter in range(1, 5):
        publish(tmp_path, f"2025-Q{quarter}", 25.0)
    assert sum_findings(tmp_path, 2025) == ()
