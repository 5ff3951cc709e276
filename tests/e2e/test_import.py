"""Three measured years, imported: the indicators equal a plain calculation from the files.

The calculation below uses only the definitions: kgce = kWh x 0.1229 + m3 x 1.33; kgCO2 = kWh x grid
factor + m3 x 2.184; a year is local; a missing hour is missing.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.cli.run import jieneng
from tests.e2e import measured as files

pytestmark = [pytest.mark.long, pytest.mark.server, pytest.mark.xdist_group("measured years")]

ZONE = ZoneInfo("Asia/Shanghai")
YEARS = (2020, 2021, 2022)
#: Gas is measured in kWh there; m3 at 10.8 kWh, rounded to what a meter shows.
KWH_PER_M3 = 10.8
#: With the most missing hours (b64, b40), with some, and with none.
FLOOR_AREA_M2 = {"b40": 7000.0, "b58": 24000.0, "b61": 5000.0, "b64": 12000.0}
BUILDINGS = tuple(FLOOR_AREA_M2)
HEADCOUNT = {name: round(area / 30) for name, area in FLOOR_AREA_M2.items()}
#: Jiangsu's grid average, kgCO2/kWh: that of 2021 is used for 2020, which was never published.
GRID = {2020: 0.6451, 2021: 0.6451, 2022: 0.5978}

Sums = Mapping[tuple[str, int], float]


def year_of(time: datetime) -> int:
    return time.astimezone(ZONE).year


def in_years(hours: files.Hours) -> dict[datetime, float]:
    return {time: value for time, value in hours.items() if year_of(time) in YEARS}


def sums(meters: Mapping[str, files.Hours]) -> dict[tuple[str, int], float]:
    found = {(name, year): 0.0 for name in meters for year in YEARS}
    for name, hours in meters.items():
        for time, value in hours.items():
            found[name, year_of(time)] += value
    return found


@pytest.fixture(scope="module")
def years(measured: Path) -> dict[str, dict[str, files.Hours]]:
    """Hours of 2020-2022 by medium and building."""
    electricity, gas = (files.cambridge(measured, one) for one in ("electricity", "gas"))
    return {
        "electricity": {name: in_years(electricity[name]) for name in BUILDINGS},
        "gas": {
            name: {time: round(kwh / KWH_PER_M3, 4) for time, kwh in in_years(gas[name]).items()}
            for name in BUILDINGS
        },
    }


@pytest.fixture(scope="module")
def site(
    years: dict[str, dict[str, files.Hours]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of a site with a site.toml alone, and the files to be imported beside it."""
    folder = tmp_path_factory.mktemp("measured")
    text = ['[site]\nid = "campus"\nname = "campus"\n']
    for name in BUILDINGS:
        text.append(
            f'[[area]]\nid = "{name}"\nname = "{name}"\n'
            f"floor_area_m2 = [{{from = 2019-01-01, value = {FLOOR_AREA_M2[name]}}}]\n"
            f"headcount = [{{from = 2019-01-01, value = {HEADCOUNT[name]}}}]\n"
        )
        text += [
            f'[[meter]]\nid = "{medium[0]}-{name}"\nname = "{name}"\nmedium = "{medium}"\n'
            f'area = "{name}"\n'
            for medium in years
        ]
    (folder / "site.toml").write_text("\n".join(text))
    begin = datetime(YEARS[0], 1, 1, tzinfo=ZONE).astimezone(UTC)
    end = datetime(YEARS[-1] + 1, 1, 1, tzinfo=ZONE).astimezone(UTC)
    for medium, meters in years.items():
        columns = {f"{medium[0]}-{name}": hours for name, hours in meters.items()}
        files.write_wide(folder / f"{medium}.csv", columns, begin, end)
        # In these files a missing hour is 0, which is not a reading.
        done = jieneng(
            "import", "readings", folder / f"{medium}.csv", "--site", folder,
            "--kind", "interval", "--missing", "0",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "26304" in done.stdout or "missing" in done.stdout
    return folder


def figures(site: Path, year: int) -> dict[tuple[str, str, str | None], Any]:
    done = jieneng("indicators", "--site", site, "--period", year, "--format", "json")
    assert done.returncode == 0, done.stderr
    return {
        (one["scope"], one["indicator"], one["factor_series"]): one
        for one in json.loads(done.stdout)
    }


@pytest.mark.parametrize("year", [2021, 2022])
def test_the_indicators_of_a_year_equal_a_plain_calculation(
    site: Path, years: dict[str, dict[str, files.Hours]], year: int
) -> None:
    kwh, m3 = sums(years["electricity"]), sums(years["gas"])
    found = figures(site, year)
    for scope in (*BUILDINGS, "campus"):
        names = BUILDINGS if scope == "campus" else (scope,)
        area = sum(FLOOR_AREA_M2[name] for name in names)
        heads = sum(HEADCOUNT[name] for name in names)

        def total(what: Sums, when: int, names: tuple[str, ...] = names) -> float:
            return sum(what[name, when] for name in names)

        kgce = {y: total(kwh, y) * 0.1229 + total(m3, y) * 1.33 for y in (2020, year)}
        fixed = {y: total(kwh, y) * GRID[2021] + total(m3, y) * 2.184 for y in (2020, year)}
        current = {y: total(kwh, y) * GRID[y] + total(m3, y) * 2.184 for y in (2020, year)}
        plain = {
            ("energy_per_floor_area", None): {y: v / area for y, v in kgce.items()},
            ("energy_per_capita", None): {y: v / heads for y, v in kgce.items()},
            ("energy_total", None): {y: v / 1000 for y, v in kgce.items()},
            ("carbon_per_floor_area", "fixed"): {y: v / area for y, v in fixed.items()},
            ("carbon_per_floor_area", "current"): {y: v / area for y, v in current.items()},
            ("carbon_total", "current"): {y: v / 1000 for y, v in current.items()},
            ("electricity", None): {y: total(kwh, y) for y in (2020, year)},
            ("gas", None): {y: total(m3, y) for y in (2020, year)},
        }
        for (indicator, series), values in plain.items():
            figure = found[scope, indicator, series]
            assert figure["value"] == pytest.approx(values[year], rel=1e-6), (scope, indicator)
            assert figure["baseline"] == pytest.approx(values[2020], rel=1e-6), (scope, indicator)
            change = 100 * (values[year] / values[2020] - 1)
            assert figure["change_pct"] == pytest.approx(change, abs=1e-4), (scope, indicator)


def test_coverage_is_the_share_of_hours_that_the_files_have(
    site: Path, years: dict[str, dict[str, files.Hours]]
) -> None:
    found = figures(site, 2021)
    hours = 365 * 24
    for name in BUILDINGS:
        known = sum(year_of(time) == 2021 for time in years["electricity"][name])
        figure = found[name, "electricity", None]
        assert figure["coverage"] == pytest.approx(known / hours, abs=1e-6)


def test_what_the_files_do_not_have_is_unknown_and_never_zero(site: Path) -> None:
    found = figures(site, 2021)
    for indicator in ("water", "water_total", "water_per_capita"):
        figure = found["campus", indicator, None]
        assert figure["value"] is None
        assert figure["status"] in ("insufficient_data", "no_target")


def test_a_year_after_the_files_has_no_verdict(site: Path) -> None:
    figure = figures(site, 2023)["campus", "energy_per_floor_area", None]
    assert figure["value"] is None
    assert figure["status"] == "insufficient_data"
