"""The warnings of `jieneng check` for a site that would give wrong figures."""

from datetime import datetime
from pathlib import Path

from tests.cases.case_site import CaseSite, meter

MONTHS = [datetime(2025, month, 1) for month in range(1, 13)] + [datetime(2026, 1, 1)]


def monthly(amount: float) -> list[tuple[datetime, float | str]]:
    return [(month, 5000 + amount * at) for at, month in enumerate(MONTHS)]


def test_a_sub_item_beside_a_main_is_warned_of(tmp_path: Path) -> None:
    """4,000 of the main's 10,000 kWh a month counted twice, and no problem was found."""
    lighting = meter("e-b", 'item = "lighting"', "rated_max = 100.0")
    site = CaseSite(tmp_path, meter("e-a", "rated_max = 400.0") + lighting)
    done = site.run("check")
    assert done.code == 0
    assert "提示：分项表 e-b 未填写上级表，而本区域另有总表 e-a" in done.out
    assert 'parent = "e-a"' in done.out
    mended = lighting.replace('item = "', 'parent = "e-a"\nitem = "')
    site = CaseSite(tmp_path, meter("e-a", "rated_max = 400.0") + mended)
    assert "提示：分项表" not in site.run("check").out
    site.load(site.readings(monthly(10_000)))
    site.load(site.readings(monthly(4_000), "e-b", "lighting.csv"))
    assert site.figure("electricity")["value"] == 120_000


def test_a_meter_without_a_nameplate_is_a_mistake_and_its_figures_go_on(tmp_path: Path) -> None:
    site = CaseSite(tmp_path, meter("e-a"))
    done = site.run("check")
    assert done.code == 1
    assert "表计 e-a 没有 rated_max" in done.err
    site.load(site.readings(monthly(10_000)))
    assert site.figure("electricity")["value"] == 120_000
    acknowledged = CaseSite(tmp_path, meter("e-a", 'rated_max_unknown = "painted over"'))
    assert acknowledged.run("check").code == 0


def test_two_stores_are_warned_of(tmp_path: Path) -> None:
    """Imported into one file, computed from another: all was unknown, and check was content."""
    site = CaseSite(tmp_path)
    site.file("ingest.toml", ["[store]", 'path = "data/store.sqlite"'])
    done = site.run("check")
    assert done.code == 0
    assert "ingest.toml" in done.out
    assert "data/store.sqlite" in done.out
    site.file("analytics.toml", ["[store]", 'path = "./data/store.sqlite"'])
    assert "data/store.sqlite" not in site.run("check").out
