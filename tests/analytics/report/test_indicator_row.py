"""An indicator that is linear in consumption is a single row: every output takes it from there."""

import csv
import io
import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from grafana import build
from grafana.board_site import BoardSite
from jieneng import cli
from jieneng.cli.options import Reader
from jieneng.locale import Translate, translator
from jieneng.metering import indicators
from jieneng.metering.indicators import Indicator
from jieneng.site_folder import SiteFolder
from tests.analytics.sites import folder as site_folder

ROW = Indicator(
    id="gas_per_floor_area",
    unit="m3/m2",
    en="Gas per floor area",
    zh="单位建筑面积用气量",
    definition_en="Gas consumption, divided by the mean floor area.",
    definition_zh="用气量，除以平均建筑面积。",
    sum_of="gas",
    denominator="floor_area_m2",
)
SITE = """
[[area]]
id = "block"
name = "block"
institutions = ["bureau"]
floor_area_m2 = [{from = 2020-01-01, value = 500.0}]

[[meter]]
id = "g"
name = "g"
medium = "gas"
area = "block"
"""
NAMES = {"en": (ROW.en, ROW.definition_en), "zh": (ROW.zh, ROW.definition_zh)}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A building of 500 m2 that used 1200 m3 of gas in 2024: 2.4 m3/m2."""
    site_folder(tmp_path, SITE)
    lines = ["time,meter,quantity,value"]
    for month in range(13):
        day = date(2024 + month // 12, month % 12 + 1, 1)
        lines.append(f"{day}T00:00:00,g,volume_m3,{10.0 + 100 * month}")
    (tmp_path / "readings.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    done = run("en", "import", "readings", tmp_path / "readings.csv", "--site", tmp_path)
    assert done.exit_code == 0, done.output
    return tmp_path


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add the row, and the Chinese that `make locale` would take from it to the catalogue."""
    monkeypatch.setattr(indicators, "INDICATORS", {**indicators.INDICATORS, ROW.id: ROW})


def with_row(language: str) -> Translate:
    """Return a translator whose catalogue has the row's sentences."""
    known = {ROW.en: ROW.zh, ROW.definition_en: ROW.definition_zh} if language == "zh" else {}
    translate = translator(language)
    return lambda text: known.get(text) or translate(text)


def run(language: str, *arguments: object) -> Result:
    environment = {"JIENENG_LANGUAGE": language, "COLUMNS": "160"}
    return CliRunner().invoke(
        cli.jieneng, [str(part) for part in arguments], obj=Reader(), env=environment
    )


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("form", ["json", "csv"])
def test_programs_read_its_value_unit_name_and_definition(
    site: Path, monkeypatch: pytest.MonkeyPatch, language: str, form: str
) -> None:
    monkeypatch.setattr("jieneng.locale.translator", with_row)
    done = run(language, "indicators", "--site", site, "--period", "2024", "--format", form)
    assert done.exit_code == 0, done.output
    elements: list[Mapping[str, Any]] = (
        json.loads(done.stdout)
        if form == "json"
        else list(csv.DictReader(io.StringIO(done.stdout)))
    )
    (element,) = (e for e in elements if (e["scope"], e["indicator"]) == ("block", ROW.id))
    assert float(element["value"]) == pytest.approx(2.4)
    assert element["unit"] == "m3/m2"
    assert (element["name"], element["definition"]) == NAMES[language]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_people_read_it_in_the_terminal_and_on_the_page(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    monkeypatch.setattr("jieneng.locale.translator", with_row)
    table = run(language, "indicators", "--site", site, "--period", "2024")
    report = run(language, "report", "--site", site, "--period", "2024", "--out", tmp_path)
    assert table.exit_code == report.exit_code == 0, (table.output, report.output)
    html = (tmp_path / "centre-2024.html").read_text(encoding="utf-8")
    for text in (table.stdout, html):
        for part in ("2.40", "m³/m²", *NAMES[language]):
            assert part in text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_boards_name_it_and_say_its_definition(example: SiteFolder, language: str) -> None:
    """All tables of indicators name it, and the one of all indicators says its definition."""
    text = build.files(BoardSite(example.site, with_row(language)))[
        "dashboards/jieneng/targets-overview.json"
    ]
    board = json.loads(text)
    tables = [
        panel
        for panel in board["panels"]
        if any(o["matcher"]["options"] == "indicator" for o in overrides(panel))
        if panel["type"] == "table"
    ]
    assert tables
    for panel in tables:
        assert NAMES[language][0] in json.dumps(panel, ensure_ascii=False)
    assert any(NAMES[language][1] in panel["description"] for panel in tables)


def overrides(panel: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what differs for single fields of a panel."""
    found: list[dict[str, Any]] = panel.get("fieldConfig", {}).get("overrides", [])
    return found
