"""`jieneng cost`: from bills and prices to costs, in each format, and what is said of mistakes."""

import csv
import io
import json
from pathlib import Path

import pytest

from tests.cli.figures.test_indicator_commands import write_site
from tests.cli.run import jieneng

pytestmark = pytest.mark.server

TARIFFS = """
[[account]]
id = "3208001"
name = "house A"
meters = ["e-a"]
tariff = [{from = 2020-01-01, value = "jiangsu-2021"}]

[[account]]
id = "3208002"
meters = ["e-b"]
tariff = [{from = 2020-01-01, value = "electricity-flat"}]

[[price]]
tariff = "jiangsu-2021"
from = 2020-01-01
flat = 0.66
peak = 1.15
valley = 0.28

[[price]]
tariff = "electricity-flat"
from = 2021-02-01
flat = 0.60
"""
#: The bill of A is 2 % above what its meter measured, within its tolerance; that of B is not.
BILLS = """户号,账期,电量,金额
e-a,2021-03,9180,6200
e-b,2021-03,5000,3300
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_site(tmp_path_factory.mktemp("county"))
    (folder / "tariffs.toml").write_text(TARIFFS, encoding="utf-8")
    (folder / "bills.csv").write_text(BILLS, encoding="utf-8")
    for what, name in (("readings", "readings.csv"), ("bills", "bills.csv")):
        done = jieneng("import", what, folder / name, "--site", folder)
        assert done.returncode == 0, done.stderr
    return folder


def test_each_format_says_costs_and_bills(site: Path) -> None:
    """The meters are read once a month, so the hours of house A are unknown: 8 h of a day are
    peak, 8 h flat and 8 h valley hours."""
    arguments = ("cost", "--site", site, "--period", "2021-03")
    table = jieneng(*arguments)
    assert table.returncode == 0, table.stderr
    assert "Account house A" in table.stdout
    assert "Bills: 1" in table.stdout
    assert "100.0 % of the consumption occurred" in table.stdout
    elements = json.loads(jieneng(*arguments, "--format", "json").stdout)
    costs = {one["id"]: one for one in elements}
    house = costs["3208001"]
    assert house["cost"] == pytest.approx(9000 * (1.15 + 0.66 + 0.28) / 3, rel=1e-6)
    assert (house["least"], house["greatest"]) == pytest.approx((9000 * 0.28, 9000 * 1.15))
    assert house["billed"]["amount_difference_pct"] == pytest.approx(2.0)
    assert costs["3208002"]["cost"] == pytest.approx(3000)
    codes = {one["id"]: [found["code"] for found in one["findings"]] for one in elements}
    assert codes["3208001"] == ["reported_tariff", "unmeasured_distribution"]
    assert codes["3208002"] == ["bill_cost_differs"]
    assert costs["house-a"]["cost"] == house["cost"]
    assert costs["county-office"]["cost"] == pytest.approx(house["cost"] + 3000)
    sheet = list(csv.DictReader(io.StringIO(jieneng(*arguments, "--format", "csv").stdout)))
    assert [row["cost"] for row in sheet if row["id"] == "3208002"] == ["3000.0"]
    one = jieneng(*arguments, "--scope", "house-b", "--format", "json")
    assert [element["id"] for element in json.loads(one.stdout)] == ["house-b"]


def test_a_year_with_a_month_without_a_price_has_no_cost(site: Path) -> None:
    done = jieneng("cost", "--site", site, "--period", "2021", "--scope", "3208002")
    assert "has no price between 2021-01-01 and 2021-01-31" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("--period", "2021-03", "--scope", "attic"), 2, "attic is no account"),
        (("--period", "2031-03"), 1, "there is no data for 2031-03"),
        (("--period", "March"), 2, "March is not a period"),
    ],
)
def test_what_does_not_exist_is_said(
    site: Path, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    done = jieneng("cost", "--site", site, *arguments)
    assert (done.returncode, sentence in done.stderr) == (code, True)


def test_check_says_mistakes_of_tariffs(site: Path, tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text((site / "site.toml").read_text(encoding="utf-8"))
    wrong = TARIFFS.replace('meters = ["e-a"]', 'meters = ["e-x"]').replace("0.28", "-1")
    (tmp_path / "tariffs.toml").write_text(wrong, encoding="utf-8")
    done = jieneng("check", "--site", tmp_path)
    assert "tariffs.toml:18: valley can't be -1" in done.stderr
    (tmp_path / "tariffs.toml").write_text(wrong.replace("-1", "0.28"), encoding="utf-8")
    done = jieneng("check", "--site", tmp_path)
    assert "tariffs.toml:5: account 3208001: e-x is no meter of site.toml" in done.stderr
    (tmp_path / "tariffs.toml").unlink()
    done = jieneng("cost", "--site", tmp_path, "--period", "2021-03")
    assert "There is no account" in done.stdout
