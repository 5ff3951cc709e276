"""Consumption by interval, as loggers and suppliers export it."""

from datetime import datetime
from pathlib import Path

import pytest

from tests.cases.case_site import CaseSite, steady, year_hours


@pytest.fixture
def site(tmp_path: Path) -> CaseSite:
    return CaseSite(tmp_path)


def test_a_correction_and_its_reverse_cancel_out(site: CaseSite) -> None:
    rows = dict(steady(year_hours(2024), 18.0))
    rows[datetime(2024, 5, 3, 10)] = 18.0 + 79.34
    rows[datetime(2024, 5, 3, 11)] = 18.0 - 79.34
    site.load(site.readings(rows.items()), "--kind", "interval")
    figure = site.figure("electricity", 2024)
    assert figure["value"] == pytest.approx(366 * 24 * 18.0, abs=0.01)
    assert figure["coverage"] == 1.0
