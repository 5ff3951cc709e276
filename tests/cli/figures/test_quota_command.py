"""`jieneng quotas`: table, JSON and CSV, and messages if no quota or scope fits."""

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from tests.cli.figures.test_indicator_commands import write_site
from tests.cli.run import jieneng

pytestmark = pytest.mark.server

QUOTAS = """
[[quota]]
id = "electricity"
of = "electricity"
per = "floor_area_m2"
kind = ["office"]
constraint = 22.0
unit = "kWh/m2"
from = 2020
source = "an example"

[[annual_quota]]
id = "house-a-electricity"
scope = "house-a"
indicator = "electricity"
value = 120_000.0
unit = "kWh"
from = 2021
source = "an example"
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_site(tmp_path_factory.mktemp("county"))
    done = jieneng("import", "readings", folder / "readings.csv", "--site", folder)
    assert done.returncode == 0, done.stderr
    (folder / "quotas.toml").write_text(QUOTAS, encoding="utf-8")
    return folder


def test_each_format_ranks_the_buildings(site: Path) -> None:
    table = jieneng("quotas", "--site", site, "--period", "2021")
    assert table.returncode == 0, table.stderr
    assert "Constraint kept" in table.stdout
    assert "1/2" in table.stdout
    elements = json.loads(
        jieneng("quotas", "--site", site, "--period", "2021", "--format", "json").stdout
    )
    assert [(one["scope"], one["level"], one["rank"]) for one in elements] == [
        ("house-b", "constraint", 1),
        ("house-a", "constraint", 2),
    ]
    assert elements[1]["value"] == pytest.approx(108_000 / 5200)
    sheet = jieneng("quotas", "--site", site, "--period", "2021", "--format", "csv").stdout
    assert [row["scope"] for row in csv.DictReader(io.StringIO(sheet))] == ["house-b", "house-a"]


def test_each_format_shows_the_use_of_annual_quotas_by_month(site: Path) -> None:
    """House A had 120,000 kWh in 2020, the base year, and used a tenth less in 2021."""
    annual = ("quotas", "--site", site, "--period", "2021", "--annual")
    table = jieneng(*annual)
    assert table.returncode == 0, table.stderr
    assert "90 % on 2021-12-3" in table.stdout
    assert "2021-07" in table.stdout
    (element,) = json.loads(jieneng(*annual, "--format", "json").stdout)
    assert (element["used"], element["status"]) == (pytest.approx(108_000), "met")
    assert [month["amount"] for month in element["months"]] == pytest.approx([10_000] * 12, abs=1)
    assert element["steps"][2] == {
        "share_pct": 100,
        "day": None,
        "is_forecast": False,
        "is_known": True,
    }
    sheet = jieneng(*annual, "--format", "csv").stdout
    year, january, *_ = csv.DictReader(io.StringIO(sheet))
    assert (year["period"], january["period"]) == ("2021", "2021-01")
    assert float(january["used_pct"]) == pytest.approx(90, abs=0.1)
    assert january["status"] == ""
    assert json.loads(jieneng(*annual, "--format", "json", "--scope", "house-b").stdout) == []


def test_strict_exits_with_1_if_a_constraint_is_exceeded(site: Path) -> None:
    assert jieneng("quotas", "--site", site, "--period", "2021", "--strict").returncode == 0
    assert jieneng("quotas", "--site", site, "--period", "2020", "--strict").returncode == 1


@pytest.mark.parametrize(
    ("text", "period", "sentence"),
    [
        ("", "2021", "No quota is in force"),
        (QUOTAS.replace("kind", "scope").replace("office", "attic"), "2021", "attic is no area"),
        (QUOTAS, "2021-03", "a quota is of a year"),
    ],
)
def test_what_does_not_fit_is_said(
    site: Path, tmp_path: Path, text: str, period: str, sentence: str
) -> None:
    folder = Path(shutil.copytree(site, tmp_path / "county"))
    (folder / "quotas.toml").write_text(text, encoding="utf-8")
    done = jieneng("quotas", "--site", folder, "--period", period)
    assert sentence in done.stdout + done.stderr
