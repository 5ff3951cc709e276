"""From a site.toml and a CSV to figures, as the README says."""

import csv
import io
import json
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.run import jieneng

pytestmark = pytest.mark.server

ROOT = Path(__file__).parents[3]


def readme_site(name: str) -> str:
    """The site.toml that a README shows."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return text.split("```toml\n")[1].split("```")[0]


def write_site(folder: Path) -> Path:
    """Write the README's two buildings, with registers read at each month's first midnight.

    House A uses 10,000 kWh and 100 m3 a month in 2020, a tenth less in 2021; house B is steady.
    """
    (folder / "site.toml").write_text(readme_site("README.md"), encoding="utf-8")
    rows = ["time,meter,quantity,value"]
    registers = {"e-a": 500.0, "e-b": 70.0, "w-a": 12.0}
    for month in range(25):
        day = date(2020 + month // 12, month % 12 + 1, 1)
        for meter, value in registers.items():
            quantity = "volume_m3" if meter == "w-a" else "energy_kwh"
            rows.append(f"{day}T00:00:00,{meter},{quantity},{value!r}")
        share = 1.0 if day.year == 2020 else 0.9
        registers["e-a"] += 10_000 * share
        registers["e-b"] += 5_000
        registers["w-a"] += 100 * share
    (folder / "readings.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture
def new_site(tmp_path: Path) -> Path:
    """The site before anything is imported."""
    return write_site(tmp_path)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site with its readings imported."""
    folder = write_site(tmp_path_factory.mktemp("county"))
    done = jieneng("import", "readings", folder / "readings.csv", "--site", folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_readmes_show_the_same_site() -> None:
    assert readme_site("README.md") == readme_site("README.zh-CN.md")


def test_a_dry_run_says_what_would_be_done_and_does_nothing(new_site: Path) -> None:
    done = jieneng("import", "readings", new_site / "readings.csv", "--site", new_site, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "e-a energy_kwh: 25 values" in done.stdout
    assert "nothing was written; 75 values would be" in done.stdout
    assert not (new_site / "store.sqlite").exists()


def test_import_then_indicators_as_json(new_site: Path) -> None:
    done = jieneng("import", "readings", new_site / "readings.csv", "--site", new_site)
    assert done.returncode == 0, done.stderr
    done = jieneng("indicators", "--site", new_site, "--period", "2021", "--format", "json")
    assert done.returncode == 0, done.stderr
    found = {(f["scope"], f["indicator"], f["factor_series"]): f for f in json.loads(done.stdout)}
    figure = found["house-a", "energy_per_floor_area", None]
    assert figure["value"] == pytest.approx(0.9 * 120_000 * 0.1229 / 5200, rel=1e-6)
    assert figure["baseline"] == pytest.approx(120_000 * 0.1229 / 5200, rel=1e-6)
    assert figure["change_pct"] == pytest.approx(-10.0, abs=1e-4)
    assert figure["status"] == "on_track"
    assert figure["coverage"] == pytest.approx(1.0, abs=1e-3)
    water = found["house-a", "water_per_capita", None]
    assert water["value"] == pytest.approx(0.9 * 1200 / 180, rel=1e-6)
    assert water["unit"] == "m3/person"
    whole = found["county-office", "energy_total", None]
    assert whole["value"] == pytest.approx((108_000 + 60_000) * 0.1229 / 1000, rel=1e-6)


def test_an_element_of_the_json_has_the_keys_and_signs_that_programs_hold_on_to(
    site: Path,
) -> None:
    done = jieneng("indicators", "--site", site, "--period", "2021", "--format", "json")
    elements = json.loads(done.stdout)
    keys = [
        "scope", "indicator", "period", "value", "unit", "baseline", "baseline_period",
        "change_pct", "decrease_pct", "target_pct", "operator", "target", "path", "status",
        "coverage", "estimated", "convention", "factor_series", "findings", "until",
        "forecast", "forecast_least", "forecast_greatest", "year_limit", "to_save", "to_save_unit",
        "comparisons", "name", "definition",
    ]  # fmt: skip
    assert all(list(element) == keys for element in elements)
    (figure,) = (
        one
        for one in elements
        if (one["scope"], one["indicator"]) == ("house-a", "energy_per_capita")
    )
    assert figure["unit"] == "kgce/person"
    assert (figure["change_pct"], figure["decrease_pct"]) == (-10.0, 10.0)
    assert (figure["target_pct"], figure["operator"]) == (8.0, ">")
    assert (figure["convention"], figure["factor_series"]) == ("equivalent", None)
    finding = next(f for one in elements for f in one["findings"] if f["code"] == "no_meter")
    assert list(finding) == ["code", "severity", "subject", "weight", "text"]


FURTHER = """
[[baseline]]
id = "first"
name = "首年"
from = 2020
reason = "the first year with readings"
"""


def test_further_comparisons_are_in_table_page_json_and_csv(new_site: Path) -> None:
    """House A uses a tenth less; house B is closed during 2021, so like-for-like is without it."""
    text = (new_site / "site.toml").read_text(encoding="utf-8")
    house_b = 'id = "house-b"\n'
    assert house_b in text
    closed = text.replace(house_b, house_b + "closed = 2021-06-30\n", 1)
    (new_site / "site.toml").write_text(closed, encoding="utf-8")
    (new_site / "plan.toml").write_text(FURTHER, encoding="utf-8")
    done = jieneng("import", "readings", new_site / "readings.csv", "--site", new_site)
    assert done.returncode == 0, done.stderr
    base = ("indicators", "--site", new_site, "--period", "2021", "--scope", "county-office")
    elements = json.loads(jieneng(*base, "--format", "json").stdout)
    [figure] = [one for one in elements if one["indicator"] == "electricity"]
    alike, first = figure["comparisons"]
    assert (alike["id"], alike["left_out"]) == ("like_for_like", ["house-b"])
    assert alike["change_pct"] == pytest.approx(-10.0, abs=1e-4)
    assert (first["name"], first["change_pct"]) == ("首年", figure["change_pct"])
    assert figure["change_pct"] == pytest.approx(-100 * 12_000 / 180_000, abs=1e-3)
    sheet = jieneng(*base, "--format", "csv").stdout
    [row] = [one for one in csv.DictReader(io.StringIO(sheet)) if one["indicator"] == "electricity"]
    assert float(row["like_for_like_change_pct"]) == alike["change_pct"]
    assert (row["like_for_like_left_out"], row["first_baseline"]) == ("house-b", "180000.0")
    table = jieneng(*base).stdout
    assert "2020, like-for-like" in table
    assert "首年 (2020)" in table
    done = jieneng("report", "--period", "2021", "--out", "out", cwd=new_site)
    [page] = (new_site / "out").glob("*.html")
    assert "the first year with readings" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "arguments",
    [("report", "--period", "2019", "--out", "out"), ("indicators", "--period", "2019")],
)
def test_a_period_without_data_is_told_in_a_sentence_and_exits_with_1(
    site: Path, arguments: tuple[str, ...]
) -> None:
    done = jieneng(*arguments, cwd=site)
    assert done.returncode == 1, done.stdout
    assert done.stdout == ""
    assert done.stderr == (
        "there is no data for 2019: the store has data from 2020-01-01 to 2021-12-31.\n"
    )
    assert not (site / "out").exists()


def test_a_site_without_any_data_is_told_how_to_get_some(new_site: Path) -> None:
    done = jieneng("report", "--period", "2021", "--out", "out", cwd=new_site)
    assert done.returncode == 1, done.stdout
    assert "there is no data for 2021: the store is empty." in done.stderr
    assert "jieneng import readings" in done.stderr


def test_programs_are_given_a_period_without_data_as_null(site: Path) -> None:
    done = jieneng("indicators", "--site", site, "--period", "2019", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert {element["value"] for element in json.loads(done.stdout)} == {None}


def test_importing_again_changes_nothing(site: Path) -> None:
    arguments = ("indicators", "--site", site, "--period", "2021", "--format", "json")
    before = jieneng(*arguments).stdout
    assert jieneng("import", "readings", site / "readings.csv", "--site", site).returncode == 0
    assert jieneng(*arguments).stdout == before


def test_each_format_prints_and_strict_exits_with_1(site: Path) -> None:
    table = jieneng("indicators", "--site", site, "--period", "2021")
    assert "Energy per floor area" in table.stdout
    assert "100.0 %" in table.stdout, "a pipe has no width to cut the coverage at"
    sheet = jieneng("indicators", "--site", site, "--period", "2021", "--format", "csv")
    assert sheet.stdout.startswith("scope,indicator,period,value,unit")
    strict = jieneng(
        "indicators", "--site", site, "--period", "2021", "--scope", "house-b", "--strict"
    )
    assert strict.returncode == 1


def test_a_report_is_a_page_and_the_figures(site: Path, tmp_path: Path) -> None:
    done = jieneng("report", "--site", site, "--period", "2021", "--out", tmp_path, language="zh")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "county-office-2021.html").read_text(encoding="utf-8")
    assert "县政府" in page
    assert "单位建筑面积能耗" in page
    assert len(json.loads((tmp_path / "county-office-2021.json").read_text())) > 20


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("indicators", "--period", "year"), 2, "year"),
        (("indicators", "--period", "2021", "--scope", "house-c"), 2, "house-c"),
        (("indicators",), 2, "--period"),
        (("report", "--period", "2021-03", "--out", "out"), 2, "2021-03"),
        (("report", "--period", "2021", "--out", "/proc/nowhere"), 2, "/proc/nowhere"),
        (("demo", "--dir", "."), 2, "choose another folder"),
        (("import", "readings", "nothing.csv"), 2, "nothing.csv"),
        (("analytics", "backfill", "--from", "2021-02-01", "--to", "2021-01-01"), 2, "2021"),
    ],
)
def test_a_wrong_command_is_told_in_a_sentence(
    site: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    done = jieneng(*arguments, cwd=site)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_bad_rows_are_told_with_file_and_line_and_nothing_is_written(
    site: Path, tmp_path: Path
) -> None:
    moment = datetime(2023, 1, 1) + timedelta(hours=1)  # noqa: DTZ001 - local to the site
    file = tmp_path / "bad.csv"
    file.write_text(
        "time,meter,quantity,value\n"
        f"{moment.isoformat()},e-a,energy_kwh,12,5\n"
        f"{moment.isoformat()},e-z,energy_kwh,12.5\n"
        "yesterday,e-b,energy_kwh,12.5\n"
    )
    done = jieneng("import", "readings", file, "--site", site)
    assert done.returncode == 1
    for line in (2, 3, 4):
        assert f"bad.csv:{line}: " in done.stderr
    assert "Nothing was written" in done.stdout


def test_a_store_that_is_not_there_exits_with_3(site: Path, tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text((site / "site.toml").read_text())
    (tmp_path / "analytics.toml").write_text(
        '[store]\nkind = "influx"\nurl = "http://127.0.0.1:9"\n'
    )
    done = jieneng("indicators", "--site", tmp_path, "--period", "2021")
    assert done.returncode == 3, done.stderr
    assert "127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr
