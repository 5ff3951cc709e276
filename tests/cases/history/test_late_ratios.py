"""A change of CT that is entered in `site.toml` after readings were stored."""

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from tests.cases.case_site import CaseSite, codes, meter

DAY = timedelta(days=1)
BEFORE = "ct = [{from = 2020-01-01, value = 40.0}]"
AFTER = "ct = [{from = 2020-01-01, value = 40.0}, {from = 2025-06-15, value = 60.0}]"
RATED = "rated_max = 400.0"


def displays(first: date, until: date) -> list[tuple[datetime, float | str]]:
    """Return readings of the display at midnight: 1,000 on 1 May 2025, and 10 more each day."""
    start = datetime(2025, 5, 1)
    days = range((first - start.date()).days, (until - start.date()).days + 1)
    return [(start + day * DAY, 1000.0 + 10 * day) for day in days]


def enter_change(site: CaseSite) -> None:
    text = site.folder / "site.toml"
    text.write_text(text.read_text(encoding="utf-8").replace(BEFORE, AFTER), encoding="utf-8")


@pytest.mark.parametrize("rated", [RATED, 'rated_max_unknown = "painted over"'])
def test_a_change_entered_later_counts_from_its_date(tmp_path: Path, rated: str) -> None:
    """14 days of 400 kWh and 16 of 600: June was 11,600 and July 12,400 kWh, without a word."""
    site = CaseSite(tmp_path, meter("e-a", rated, BEFORE))
    site.load(site.readings(displays(date(2025, 5, 1), date(2025, 8, 10))), "--side", "display")
    assert site.figure("electricity", "2025-06")["value"] == pytest.approx(12_000.0)
    enter_change(site)
    june, july = (site.figure("electricity", f"2025-0{month}") for month in (6, 7))
    assert june["value"] == pytest.approx(15_200.0)
    assert july["value"] == pytest.approx(18_600.0)
    assert june["coverage"] == july["coverage"] == 1.0
    for figure in (june, july):
        assert "late_ratio" in codes(figure)
        assert "counter_reset" not in codes(figure)


@pytest.mark.parametrize("rated", [RATED, 'rated_max_unknown = "painted over"'])
def test_readings_after_the_entry_have_the_new_ratio(tmp_path: Path, rated: str) -> None:
    """The change of 15 June is entered on 10 July; later readings are stored with 60."""
    site = CaseSite(tmp_path, meter("e-a", rated, BEFORE))
    site.load(site.readings(displays(date(2025, 5, 1), date(2025, 7, 10))), "--side", "display")
    enter_change(site)
    later = displays(date(2025, 7, 11), date(2025, 8, 10))
    site.load(site.readings(later, name="later.csv"), "--side", "display")
    for month, amount in ((5, 12_400.0), (6, 15_200.0), (7, 18_600.0)):
        figure = site.figure("electricity", f"2025-0{month}")
        assert figure["value"] == pytest.approx(amount)
        assert figure["coverage"] == 1.0


@pytest.mark.parametrize("rated", [RATED, 'rated_max_unknown = "painted over"'])
def test_a_change_entered_in_time_is_not_counted_twice(tmp_path: Path, rated: str) -> None:
    site = CaseSite(tmp_path, meter("e-a", rated, AFTER))
    site.load(site.readings(displays(date(2025, 5, 1), date(2025, 8, 10))), "--side", "display")
    june = site.figure("electricity", "2025-06")
    assert june["value"] == pytest.approx(15_200.0)
    assert "late_ratio" not in codes(june)


def test_a_smaller_ratio_is_corrected_too(tmp_path: Path) -> None:
    """60 before, 40 since 15 June: 14 days of 600 kWh and 16 of 400."""
    before = BEFORE.replace("40.0", "60.0")
    site = CaseSite(tmp_path, meter("e-a", 'rated_max_unknown = "painted over"', before))
    site.load(site.readings(displays(date(2025, 5, 1), date(2025, 8, 10))), "--side", "display")
    text = site.folder / "site.toml"
    change = before.replace("}]", "}, {from = 2025-06-15, value = 40.0}]")
    text.write_text(text.read_text(encoding="utf-8").replace(before, change), encoding="utf-8")
    figure = site.figure("electricity", "2025-06")
    assert figure["value"] == pytest.approx(14_800.0)
    assert "late_ratio" in codes(figure)
