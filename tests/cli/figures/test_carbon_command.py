"""`jieneng carbon`: table, JSON and CSV of the change of carbon by cause."""

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
    folder = write_site(tmp_path_factory.mktemp("county"))
    done = jieneng("import", "readings", folder / "readings.csv", "--site", folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_each_format_splits_the_change(site: Path) -> None:
    """House A used a tenth less in 2021, at the same factor: 12,000 kWh x 0.6451."""
    arguments = ("carbon", "--site", site, "--period", "2021", "--scope", "house-a")
    table = jieneng(*arguments)
    assert table.returncode == 0, table.stderr
    assert "−10.00 %" in table.stdout
    assert "No carbon emission factor of electricity was published" in table.stdout
    per_area, total = json.loads(jieneng(*arguments, "--format", "json").stdout)
    assert total["effects"]["activity"] == pytest.approx(-12_000 * 0.6451 / 1000, rel=1e-6)
    assert total["effects"]["factor"] == 0.0
    assert per_area["effects"]["activity"] == pytest.approx(-12_000 * 0.6451 / 5200, rel=1e-6)
    sheet = list(csv.DictReader(io.StringIO(jieneng(*arguments, "--format", "csv").stdout)))
    assert [row["medium"] for row in sheet] == ["", "electricity", "", "electricity"]
    assert sheet[0]["activity_effect"] == sheet[1]["activity_effect"]


def test_another_base_year_can_be_chosen(site: Path) -> None:
    done = jieneng("carbon", "--site", site, "--period", "2021", "--base", "2021-03")
    assert (done.returncode, "the base is a year" in done.stderr) == (2, True)
    done = jieneng("carbon", "--site", site, "--period", "2020")
    assert "No baseline" in done.stdout


def test_the_page_has_the_split(site: Path, tmp_path: Path) -> None:
    done = jieneng("report", "--site", site, "--period", "2021", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    [page] = tmp_path.glob("*.html")
    assert "Change of carbon, by cause" in page.read_text(encoding="utf-8")
