"""A mapping in the site's folder states how files are read; its mistakes are reported."""

from pathlib import Path

import pytest

from tests.cases.case_site import CaseSite, meter
from tests.cases.stored_points import stored

METERS = meter("e-a", "rated_max = 400.0", name="甲") + meter("w-a", "rated_max = 16.0", name="乙")
ROWS = [f"{day:02}.02.2025;1.{day:03},5;{day}" for day in range(2, 30)]
LINES = ["Datum;Haus 1;Wasser;Notiz", *[f"{row};x" for row in ROWS]]
MAPPING = """\
[[file]]
match = "tage-*.csv"
kind = "interval"
stamp = "end"
date_order = "dmy"
decimal = ","
time_column = "Datum"
columns = {"Haus 1" = "e-a", "Wasser" = "w-a", "Notiz" = ""}
units = {"Wasser" = "L"}

[[file]]
kind = "register"
"""


@pytest.fixture
def site(tmp_path: Path) -> CaseSite:
    return CaseSite(tmp_path, METERS)


def test_the_mapping_of_the_folder_reads_its_files(site: CaseSite) -> None:
    site.file("import.toml", [MAPPING])
    site.load(site.file("tage-02.csv", LINES[:-1]), "--no-backfill")
    amounts = stored(site, "e-a", "interval")
    assert next(iter(amounts.items())) == ("2025-02-01 00:00", 1002.5)
    assert stored(site, "w-a", "interval")["2025-02-01 00:00"] == pytest.approx(0.002)


def test_an_option_precedes_the_mapping(site: CaseSite) -> None:
    site.file("import.toml", [MAPPING])
    file = site.file("tage-02.csv", LINES[:-1])
    site.load(file, "--no-backfill", "--stamp", "start", "--unit", "Wasser=m3")
    assert stored(site, "w-a", "interval")["2025-02-02 00:00"] == 2.0


def test_another_mapping_may_be_named(site: CaseSite) -> None:
    other = site.file("andere.toml", [MAPPING])
    site.load(site.file("tage-02.csv", LINES[:-1]), "--no-backfill", "--mapping", other)
    assert "2025-02-01 00:00" in stored(site, "e-a", "interval")


@pytest.mark.parametrize(
    ("lines", "options"),
    [
        (LINES[:-1], ["--kind", "interval", "--stamp", "end", "--time-column", "Datum"]),
        (["月份,1号楼用电量(万kWh),乙(吨)", "2025-02,1.5,20", "2025-03,1.2,30"], []),
        (["名称,2025年2月,2025年3月", "甲,1500,1300", "乙,50,60"], []),
        (["表号;时间;读数", "甲;2025/2/1;1000,5", "甲;2025/3/1;1500,5"], []),
    ],
)
def test_what_was_detected_can_be_kept(
    site: CaseSite, tmp_path: Path, lines: list[str], options: list[str]
) -> None:
    if options:
        options += ["--column", "Haus 1=e-a", "--column", "Wasser=w-a", "--column", "Notiz="]
    file = site.file("f.csv", lines)
    printed = site.run("import", "readings", file, "--write-mapping", *options)
    assert printed.code == 0, printed.err
    (tmp_path / "kept").mkdir()
    other = CaseSite(tmp_path / "kept", METERS)
    (other.folder / "import.toml").write_text(printed.out, encoding="utf-8")
    other.load(other.file("f.csv", lines), "--no-backfill")
    site.load(file, "--no-backfill", *options)
    for meter_id in ("e-a", "w-a"):
        for measurement in ("interval", "electricity"):
            assert stored(other, meter_id, measurement) == stored(site, meter_id, measurement)


MISTAKES = [
    ('kidn = "interval"', 2, "kind"),
    ('kind = "intervals"', 2, "interval"),
    ('columns = {"A" = "e-b"}', 2, "e-a"),
    ('meter = "w-b"', 2, "w-a"),
    ('unit = "kWhh"', 2, "kWhh"),
    ('units = {"A" = "斤"}', 2, "斤"),
    ('zone = "Asia/Shanghi"', 2, "Asia/Shanghai"),
    ('calorific_value = "38"', 2, "MJ/m3"),
    ('quantity = "energy_kw"', 2, "energy_kwh"),
    ("header_line = 0", 2, "1"),
]


@pytest.mark.parametrize(("line", "number", "said"), MISTAKES, ids=[row[0] for row in MISTAKES])
def test_a_mistake_is_named_with_its_line(
    site: CaseSite, line: str, number: int, said: str
) -> None:
    site.file("import.toml", ["[[file]]", line])
    done = site.run("import", "readings", site.file("f.csv", ["time,e-a", "2025-01-01,1"]))
    checked = site.run("check")
    for one in (done, checked):
        assert one.code == 1
        assert f"import.toml:{number}" in one.err
        assert said in one.err
