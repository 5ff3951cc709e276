"""`jieneng quality`: what `site.toml` explains is no issue."""

import json
from datetime import datetime
from pathlib import Path

from tests.cases.analyses.made_analyses import NEW_AREA, loaded, monthly, today
from tests.cases.case_site import AREA


def test_the_fall_of_a_building_that_closed_needs_no_check(tmp_path: Path) -> None:
    """The building used 50 kWh a day, and closed at the end of June 2025: half of 2024's amount."""
    area = NEW_AREA.replace("floor_area", "closed = 2025-06-30\nfloor_area", 1)
    first, end = datetime(2024, 1, 1), datetime(2026, 1, 1)
    site = loaded(
        tmp_path,
        {
            "e-a": monthly(first, end, 300.0),
            "e-n": monthly(first, datetime(2025, 7, 1), 50.0),
        },
        AREA + area % ("2018-01-01", "2018-01-01"),
        {"e-n": ('area = "new"',)},
    )
    with today(2026, 2, 1):
        done = site.run("quality", "--period", 2025, "--scope", "new", "--format", "json")
    assert done.code == 0, done.err
    results = json.loads(done.out)["results"]
    issues = {issue["code"] for result in results for issue in result["issues"]}
    assert "year_change" not in issues


def test_a_building_without_readings_has_no_good_score(tmp_path: Path) -> None:
    """Only its floor area and headcount are known, which are 10 points."""
    site = loaded(
        tmp_path,
        {"e-a": monthly(datetime(2024, 1, 1), datetime(2026, 1, 1), 300.0), "e-n": []},
        AREA + NEW_AREA % ("2018-01-01", "2018-01-01"),
        {"e-n": ('area = "new"',)},
    )
    with today(2026, 2, 1):
        done = site.run("quality", "--period", 2025, "--format", "json")
    scores = {one["scope"]: one["score"] for one in json.loads(done.out)["results"]}
    assert scores["new"] == 10.0
    assert scores["new"] < scores["huaian"] < scores["house"]
