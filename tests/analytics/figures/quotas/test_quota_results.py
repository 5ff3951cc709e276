"""Levels and ranks of quotas, against numbers computed by hand."""

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest

from analytics import periods
from analytics.figures.quotas.quota_results import QuotaResult, quota_results
from analytics.figures.roll_up import scopes
from analytics.periods import calendar_year
from analytics.site_analytics import load_rules
from jieneng.metering.errors import ConfigError
from jieneng.metering.site import Site
from tests.analytics.figures.test_figures import A_DAY, CENTRE, measured
from tests.analytics.sites import site

QUOTA = """
[[quota]]
id = "office-energy"
of = "coal_equivalent"
per = "floor_area_m2"
kind = ["office"]
constraint = 30.0
benchmark = 25.0
guide = 20.0
unit = "kgce/m2"
coal = {electricity = 0.31, gas = 1.2143, heat = 0.0}
from = 2021
source = "an example"
"""
#: Energy of the block and of the canteen in 2025 [kgce/m2], with the quota's own factors: the
#: canteen's meter is below the block's, and its energy is deducted there.
BLOCK = 365 * (160 * 0.31 + 10 * 1.2143) / 1000
CANTEEN = 365 * 40 * 0.31 / 200


def results(
    path: Path,
    text: str,
    period: str = "2025",
    now: Mapping[str, float] = A_DAY,
    *,
    today: date = date(2026, 3, 1),
    coverage: Mapping[str, float] | None = None,
    history: Mapping[int, Mapping[str, float]] | None = None,
    of: Site = CENTRE,
) -> dict[str, QuotaResult]:
    (path / "quotas.toml").write_text(text.replace("heat = 0.0", "heat = 1e-9"), encoding="utf-8")
    whole = periods.parse(period)
    found = quota_results(
        of,
        load_rules(path),
        scopes(of),
        whole,
        today,
        measured(whole.until(today), now, coverage, of),
        [measured(calendar_year(year), a_day) for year, a_day in (history or {}).items()],
    )
    return {one.scope: one for one in found}


def test_a_quota_is_applied_with_its_own_factors(tmp_path: Path) -> None:
    found = results(tmp_path, QUOTA)
    assert found["block"].value == pytest.approx(BLOCK, abs=1e-6)
    assert found["canteen"].value == pytest.approx(CANTEEN, abs=1e-6)


@pytest.mark.parametrize(
    ("limits", "level"),
    [
        ((30, 25, 23), "guide"),
        ((30, 25, 20), "benchmark"),
        ((30, 20, 10), "constraint"),
        ((20, 10, 5), "above"),
    ],
)
def test_the_best_level_that_is_reached(
    tmp_path: Path, limits: tuple[float, float, float], level: str
) -> None:
    text = QUOTA
    for key, limit in zip(("constraint", "benchmark", "guide"), limits, strict=True):
        text = re.sub(rf"{key} = .*", f"{key} = {limit:.1f}", text)
    assert results(tmp_path, text)["block"].level == level


def test_the_lowest_has_the_first_rank(tmp_path: Path) -> None:
    found = results(tmp_path, QUOTA)
    assert CANTEEN > BLOCK
    assert [(one.scope, one.rank, one.ranked) for one in found.values()] == [
        ("block", 1, 2),
        ("canteen", 2, 2),
    ]


FIVE = site(
    "".join(
        f"""
[[area]]
id = "house-{number}"
name = "house {number}"
kind = "{"canteen" if number == 6 else "office"}"
floor_area_m2 = [{{from = 2019-01-01, value = 100.0}}]

[[meter]]
id = "e-{number}"
name = "e-{number}"
medium = "electricity"
area = "house-{number}"
"""
        for number in range(1, 7)
    )
)


def test_a_percentile_rests_on_five_buildings_of_one_use(tmp_path: Path) -> None:
    """Of 1, 2, 2, 4 and 5, the share below 2 is 20 %, and half of its own 40 % are added."""
    a_day = {f"e-{number}": use for number, use in enumerate((1.0, 2.0, 2.0, 4.0, 5.0, 3.0), 1)}
    text = QUOTA.replace('["office"]', '["office", "canteen"]')
    found = results(tmp_path, text, now=a_day, of=FIVE)
    offices = [found[f"house-{number}"] for number in range(1, 6)]
    assert [one.percentile for one in offices] == [10, 40, 40, 70, 90]
    assert {one.peers for one in offices} == {5}
    canteen = found["house-6"]
    assert (canteen.percentile, canteen.peers, canteen.rank) == (None, 1, 4)
    del a_day["e-5"]
    found = results(tmp_path, text, now=a_day, of=FIVE)
    assert (found["house-1"].percentile, found["house-1"].peers) == (None, 4)


def test_without_enough_data_there_is_no_level(tmp_path: Path) -> None:
    found = results(tmp_path, QUOTA, coverage={"e": 0.9})
    assert found["block"].level == "insufficient_data"


def test_a_gap_that_could_turn_the_level_makes_it_doubtful(tmp_path: Path) -> None:
    """4 % of the time is missing: with what was not counted the block would be above 22.6."""
    text = QUOTA.replace("guide = 20.0", "guide = 22.6")
    assert results(tmp_path, text)["block"].level == "guide"
    assert results(tmp_path, text, coverage={"e": 0.96, "g": 0.96})["block"].level == "doubtful"


def test_a_running_year_is_compared_by_its_forecast(tmp_path: Path) -> None:
    found = results(tmp_path, QUOTA, "2026", today=date(2026, 7, 1), history={2025: A_DAY})
    assert found["block"].value == pytest.approx(BLOCK, abs=1e-6)
    assert found["block"].is_forecast
    alone = results(tmp_path, QUOTA, "2026", today=date(2026, 7, 1))
    assert (alone["block"].value, alone["block"].level) == (None, "insufficient_data")


def test_a_quota_of_other_years_is_not_applied(tmp_path: Path) -> None:
    assert results(tmp_path, QUOTA.replace("from = 2021", "from = 2026")) == {}
    assert results(tmp_path, QUOTA.replace("from = 2021", "from = 2019\nto = 2024")) == {}


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"kgce/m2"', '"kWh/m2"', "quotas.toml:10: quota office-energy is in kWh/m2"),
        ("benchmark = 25.0", "benchmark = 35.0", "levels are not in descending order"),
        ('kind = ["office"]', "", "quota office-energy applies to nothing"),
        ('"coal_equivalent"', '"coal"', "coal"),
        ("electricity = 0.31", "electricty = 0.31", "unknown key electricty. Did you mean elec"),
        ("electricity = 0.31", "electricity = 310.0", "can't be 310.0 kgce/kWh"),
        ("electricity = 0.31", "water = 0.2571", "unknown key water"),
    ],
)
def test_a_mistake_is_said_with_its_line(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as error:
        results(tmp_path, QUOTA.replace(old, new))
    assert sentence in str(error.value)
