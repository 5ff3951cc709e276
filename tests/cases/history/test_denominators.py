"""Headcounts and floor areas come in from files, beside `site.toml`, and can be undone."""

import re
from pathlib import Path

import pytest

from tests.cases.case_site import AREA, USUAL_METERS, CaseSite

AREAS = AREA + '\n[[area]]\nid = "canteen"\nname = "食堂"\nkind = "canteen"\n'


@pytest.fixture
def site(tmp_path: Path) -> CaseSite:
    return CaseSite(tmp_path, USUAL_METERS, AREAS)


def load_january(site: CaseSite) -> None:
    file = site.file("january.csv", ["time,meter,quantity,value", "2024-01,e-a,energy_kwh,1000"])
    site.load(file, "--kind", "interval")


def per_person(site: CaseSite) -> float:
    return float(site.figure("energy_per_capita", "2024-01")["value"])


def written(site: CaseSite) -> str | None:
    file = site.folder / "denominators.toml"
    return file.read_text(encoding="utf-8") if file.exists() else None


def test_a_headcount_counts_from_its_day_on(site: CaseSite) -> None:
    load_january(site)
    before, toml = per_person(site), (site.folder / "site.toml").read_bytes()
    file = site.file("people.csv", ["区域,起始日期,用能人数", "1号楼,2024年1月,200"])
    done = site.run("import", "headcount", file)
    assert done.code == 0, done.err
    assert per_person(site) == pytest.approx(before / 2)
    assert (site.folder / "site.toml").read_bytes() == toml
    assert "{from = 2024-01-01, value = 200.0}" in (written(site) or "")
    assert site.run("check").code == 0
    assert site.run("import", "headcount", file).code == 0, "the same file again"
    assert len(site.run("import", "list").out.splitlines()) == 2
    assert site.run("import", "undo", 2).code == 0
    assert written(site) is None
    assert per_person(site) == before


def test_floor_areas_of_several_buildings(site: CaseSite) -> None:
    lines = ["楼栋,生效日期,建筑面积(万㎡)", "1号楼,2023-07-01,1", "食堂,2023-07-01,0.05"]
    assert site.run("import", "floor-area", site.file("areas.csv", lines)).code == 0
    people = site.file("people.csv", ["area,from,value", "canteen,2023-01-01,12"])
    assert site.run("import", "headcount", people).code == 0
    text = written(site) or ""
    assert "{from = 2023-07-01, value = 10000.0}" in text
    assert "{from = 2023-07-01, value = 500.0}" in text
    assert "{from = 2023-01-01, value = 12.0}" in text
    assert site.run("import", "undo", 1).code == 2, "the file was changed since"
    assert site.run("import", "undo", 2).code == 0
    assert site.run("import", "undo", 1).code == 0
    assert written(site) is None


def test_another_value_of_a_day_asks(site: CaseSite) -> None:
    first = site.file("first.csv", ["area,from,headcount", "house,2024-01-01,200"])
    assert site.run("import", "headcount", first).code == 0
    second = site.file("second.csv", ["area,from,headcount", "house,2024-01-01,210"])
    before = written(site)
    assert site.run("import", "headcount", second).code == 1
    assert written(site) == before
    assert site.run("import", "headcount", second, "--replace").code == 0
    assert "210.0" in (written(site) or "")
    assert site.run("import", "undo", 2).code == 0
    assert written(site) == before


def test_what_site_toml_says_is_corrected_there(site: CaseSite) -> None:
    file = site.file("people.csv", ["area,from,headcount", "house,2018-01-01,999"])
    done = site.run("import", "headcount", file, "--replace")
    assert done.code == 1
    assert "site.toml" in done.err
    assert written(site) is None


BAD = {
    "an unknown area": "2号楼,2024-01-01,5",
    "no value": "食堂,2024-01-01,",
    "a negative value": "食堂,2024-01-01,-5",
    "a begin that is none": "食堂,neulich,5",
    "a begin that stands twice": "1号楼,2024-01-01,5",
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_row_is_named_and_left_out(site: CaseSite, kind: str) -> None:
    lines = ["区域,起始日期,用能人数", "1号楼,2024-01-01,200", BAD[kind], "1号楼,2024-06-01,210"]
    file = site.file("people.csv", lines)
    done = site.run("import", "headcount", file)
    assert done.code == 1
    assert re.search(r"people\.csv:3:", done.err)
    assert written(site) is None
    assert site.run("import", "headcount", file, "--skip-bad").code == 0
    assert ("200.0" in (written(site) or "")) is ("twice" not in kind)
    assert "210.0" in (written(site) or "")


@pytest.mark.parametrize(
    "text",
    [
        '[[area]]\nid = "nowhere"\nheadcount = [{from = 2020-01-01, value = 5}]\n',
        '[[area]]\nid = "house"\nheadcount = [{from = 2018-01-01, value = 5}]\n',
        '[[area]]\nid = "house"\n[[area]]\nid = "house"\n',
        '[[area]]\nid = "house"\nhaedcount = []\n',
    ],
)
def test_a_wrong_file_is_a_mistake_of_the_site(site: CaseSite, text: str) -> None:
    (site.folder / "denominators.toml").write_text(text, encoding="utf-8")
    done = site.run("check")
    assert done.code == 1
    assert "denominators.toml:" in done.out + done.err


def test_a_dry_run_of_headcounts_writes_nothing(site: CaseSite) -> None:
    file = site.file("people.csv", ["area,from,headcount", "house,2024-01-01,200"])
    assert site.run("import", "headcount", file, "--dry-run").code == 0
    assert written(site) is None
