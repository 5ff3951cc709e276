"""`jieneng profile`: table, JSON and CSV of a meter that is read every hour, and of scopes."""

import csv
import io
import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.figures.test_indicator_commands import readme_site
from tests.cli.run import jieneng

pytestmark = pytest.mark.server

#: January 2022, in local time.
START, END = datetime(2022, 1, 1), datetime(2022, 2, 1)  # noqa: DTZ001 - local time


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The README's site. In January 2022, e-a counts 10 kWh an hour by day, and 2 at night."""
    folder = tmp_path_factory.mktemp("county")
    (folder / "site.toml").write_text(readme_site("README.md"), encoding="utf-8")
    rows, register, moment = ["time,meter,quantity,value"], 500.0, START
    while moment <= END:
        rows.append(f"{moment:%Y-%m-%dT%H:%M:%S},e-a,energy_kwh,{register!r}")
        register += 10.0 if 8 <= moment.hour < 18 else 2.0
        moment += timedelta(hours=1)
    rows += [f"{day:%Y-%m-%dT%H:%M:%S},e-b,energy_kwh,{day.month}00.0" for day in (START, END)]
    (folder / "readings.csv").write_text("\n".join(rows) + "\n")
    done = jieneng("import", "readings", folder / "readings.csv", "--site", folder)
    assert done.returncode == 0, done.stderr
    return folder


def profile(site: Path, *more: str) -> str:
    done = jieneng("profile", "--site", site, "--period", "2022-01", *more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_table_draws_the_week_of_a_meter(site: Path) -> None:
    text = profile(site, "--meter", "e-a")
    assert "10.00 kW (1 h)" in text
    assert "2022-01-01 08:00" in text
    assert "53.3 %" in text
    assert "median of each hour [kW]" in text
    assert "Mon   " + "▂▂" * 8 + "██" * 10 + "▂▂" * 6 in text


def test_scopes_have_a_row_each_and_say_what_is_missing(site: Path) -> None:
    text = profile(site)
    assert "10.00 kW (1 h)" in text
    assert "B楼, electricity: only 0.0 % of the hours were measured" in text


def test_json_and_csv_have_figures_and_the_week(site: Path) -> None:
    (element,) = json.loads(profile(site, "--scope", "house-a", "--format", "json"))[:1]
    figures = {one["figure"]: one for one in element["figures"]}
    assert figures["peak_demand"]["value"] == 10.0
    assert figures["peak_demand"]["time"] == "2022-01-01T08:00:00+08:00"
    assert figures["night_base_load"]["value"] == 2.0
    hour = element["week"][24 + 9]
    assert (hour["weekday"], hour["hour"], hour["median"], hour["count"]) == (2, 9, 10.0, 4)
    sheet = profile(site, "--meter", "e-a", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(sheet)))
    assert [row["value"] for row in rows if row["figure"] == "load_factor"] == ["0.533333"]
    assert sum(row["figure"] == "week" for row in rows) == 168


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (("--period", "2022-01", "--meter", "e-attic"), "no meter of site.toml"),
        (("--period", "2022-01", "--meter", "e-a", "--scope", "house-a"), "not both"),
        (("--period", "2035"), "there is no data for 2035"),
    ],
)
def test_what_does_not_fit_is_said(site: Path, more: tuple[str, ...], sentence: str) -> None:
    done = jieneng("profile", "--site", site, *more)
    assert done.returncode != 0
    assert sentence in done.stderr
