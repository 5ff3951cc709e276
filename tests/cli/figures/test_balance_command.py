"""`jieneng balance`: table, JSON and CSV, by period and month, and its exit code."""

import csv
import io
import json
from datetime import date
from pathlib import Path

import pytest

from tests.cli.run import jieneng

pytestmark = pytest.mark.server

SITE = """
[site]
id = "centre"
name = "centre"
language = "en"

[[area]]
id = "block"
name = "block"

[[area]]
id = "annex"
name = "annex"
"""


def meter(name: str, parent: str = "", area: str = "block") -> str:
    head = f'[[meter]]\nid = "{name}"\nname = "{name}"\nmedium = "electricity"\narea = "{area}"\n'
    return head + (f'parent = "{parent}"\n' if parent else "") + "rated_max = 400.0\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A main with 1000 kWh a month and 970 below it, which become 1200 in March."""
    folder = tmp_path_factory.mktemp("balance")
    meters = meter("main") + meter("hall", "main") + meter("annex", area="annex")
    (folder / "site.toml").write_text(SITE + meters + meter("shed", "annex", "annex"))
    rows = ["time,meter,quantity,value"]
    below = [0.0, 970.0, 1940.0, 3140.0]
    for month, hall in enumerate(below):
        values = {"main": 1000.0 * month, "hall": hall, "annex": 10.0 * month, "shed": 2.0 * month}
        day = date(2021, month + 1, 1)
        rows += [f"{day}T00:00:00,{name},energy_kwh,{value}" for name, value in values.items()]
    (folder / "readings.csv").write_text("\n".join(rows) + "\n")
    done = jieneng("import", "readings", folder / "readings.csv", "--site", folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_each_format_has_the_rest_of_each_month(site: Path) -> None:
    command = ("balance", "--site", site, "--period", "2021-Q1", "--by", "month")
    found = json.loads(jieneng(*command, "--format", "json").stdout)
    assert [
        (one["period"], one["rest"], one["status"]) for one in found if one["meter"] == "main"
    ] == [
        ("2021-01", 30.0, "agrees"),
        ("2021-02", 30.0, "agrees"),
        ("2021-03", -200.0, "negative"),
    ]
    assert {one["status"] for one in found if one["meter"] == "annex"} == {"unmetered"}
    sheet = jieneng(*command, "--format", "csv").stdout
    months = [row for row in csv.DictReader(io.StringIO(sheet)) if row["meter"] == "main"]
    assert [row["rest_pct"] for row in months] == ["3.0", "3.0", "-20.0"]
    table = jieneng(*command)
    assert "More measured below" in table.stdout
    assert "A part has no meter" in table.stdout


def test_strict_exits_with_1_if_more_was_measured_below(site: Path) -> None:
    """Over the quarter, 3140 of 3000 kWh are within the tolerance of 5 %."""
    quarter = ("balance", "--site", site, "--period", "2021-Q1", "--strict")
    assert jieneng(*quarter).returncode == 0
    assert jieneng(*quarter, "--tolerance", "2").returncode == 1
    assert jieneng(*quarter, "--tolerance", "2", "--scope", "annex").returncode == 0


def test_the_figures_of_the_month_name_the_meter(site: Path) -> None:
    command = ("indicators", "--site", site, "--period", "2021-03", "--scope", "block")
    elements = json.loads(jieneng(*command, "--format", "json").stdout)
    [total] = [one for one in elements if one["indicator"] == "electricity"]
    found = {one["code"]: one for one in total["findings"]}
    assert (found["negative_rest"]["subject"], found["negative_rest"]["weight"]) == ("main", 0.2)
