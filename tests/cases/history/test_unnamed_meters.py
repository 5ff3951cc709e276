"""Readings in the store that `site.toml` no longer names."""

from datetime import datetime
from pathlib import Path

from tests.cases.case_site import CaseSite, codes, meter

DAYS = [datetime(2025, month, 1) for month in range(1, 13)] + [datetime(2026, 1, 1)]
MAIN = meter("e-a", "rated_max = 400.0")
ANNEX = meter("e-b", "rated_max = 100.0")


def load_both(site: CaseSite) -> None:
    for name, amount in (("e-a", 1000.0), ("e-b", 500.0)):
        rows = [(day, 5000 + amount * place) for place, day in enumerate(DAYS)]
        site.load(site.readings(rows, name, f"{name}.csv"))


def test_the_readings_of_a_deleted_meter_are_told(tmp_path: Path) -> None:
    """6,000 of 18,000 kWh left the year without a word."""
    site = CaseSite(tmp_path, MAIN + ANNEX)
    load_both(site)
    assert "unnamed_meter" not in codes(site.figure("electricity", scope="huaian"))
    text = site.folder / "site.toml"
    text.write_text(text.read_text(encoding="utf-8").replace(ANNEX, ""), encoding="utf-8")
    figure = site.figure("electricity", scope="huaian")
    assert figure["value"] == 12_000.0
    [told] = [one for one in figure["findings"] if one["code"] == "unnamed_meter"]
    assert told["subject"] == "e-b"
    assert "unnamed_meter" not in codes(site.figure("electricity", 2023, scope="huaian"))


def test_another_id_of_the_site_is_told(tmp_path: Path) -> None:
    """The store was said to be empty."""
    site = CaseSite(tmp_path, MAIN + ANNEX)
    load_both(site)
    text = site.folder / "site.toml"
    text.write_text(
        text.read_text(encoding="utf-8").replace('id = "huaian"', 'id = "huaian-2"'),
        encoding="utf-8",
    )
    done = site.run("report", "--period", 2025, "--out", tmp_path / "out")
    assert done.code == 1
    assert "只有 huaian 的" in done.err
