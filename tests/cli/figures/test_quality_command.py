"""`jieneng quality`: table, JSON and CSV of the rating, and its part of the page."""

import csv
import io
import json
from pathlib import Path

import pytest

from tests.cli.figures.test_indicator_commands import write_site
from tests.cli.run import jieneng

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two buildings whose monthly consumption was typed: each month equals the one before."""
    folder = write_site(tmp_path_factory.mktemp("county"))
    done = jieneng("import", "readings", folder / "readings.csv", "--site", folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_each_format_rates_the_data(site: Path) -> None:
    arguments = ("quality", "--site", site, "--period", "2021")
    table = jieneng(*arguments)
    assert table.returncode == 0, table.stderr
    assert "What to correct first" in table.stdout
    rated = json.loads(jieneng(*arguments, "--format", "json").stdout)
    [energy] = [
        one
        for one in rated["results"]
        if (one["scope"], one["figure"]) == ("house-b", "energy_total")
    ]
    [copied] = energy["issues"]
    assert (copied["code"], copied["share"], copied["points"]) == ("copied_months", 1.0, 25.0)
    assert (energy["score"], energy["coverage"], energy["readings"]) == (75.0, 1.0, None)
    sheet = jieneng(*arguments, "--scope", "house-b", "--format", "csv").stdout
    assert [row["code"] for row in csv.DictReader(io.StringIO(sheet))] == ["copied_months"]


def test_the_page_says_what_to_mend(site: Path, tmp_path: Path) -> None:
    done = jieneng("report", "--site", site, "--period", "2021", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    [page] = tmp_path.glob("*.html")
    assert "were they copied?" in page.read_text(encoding="utf-8")
