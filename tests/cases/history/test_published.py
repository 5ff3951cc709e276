"""Figures that were published, and are computed with other data since."""

from datetime import datetime
from pathlib import Path

import pytest

from tests.cases.case_site import CaseSite, codes

MONTHS = [datetime(2025, month, 1) for month in range(1, 13)] + [datetime(2026, 1, 1)]


def readings(site: CaseSite, last: float, name: str) -> Path:
    shown = [*(5_000.0 + 1_000 * place for place in range(12)), last]
    return site.readings(zip(MONTHS, shown, strict=True), name=name)


def test_a_correction_after_the_publication_is_told(tmp_path: Path) -> None:
    """Indicators and report showed 12,300 kWh without a word of the 12,000 that were signed."""
    site = CaseSite(tmp_path)
    site.load(readings(site, 17_000.0, "first.csv"))
    assert site.run("publish", 2025, "--by", "张三").code == 0
    assert "published_otherwise" not in codes(site.figure("electricity"))
    site.load(readings(site, 17_300.0, "corrected.csv"), "--replace")
    figure = site.figure("electricity")
    assert figure["value"] == pytest.approx(12_300.0)
    [told] = [one for one in figure["findings"] if one["code"] == "published_otherwise"]
    assert "张三" in told["text"]
    assert "12000" in told["text"]
    assert site.run("report", "--period", 2025, "--out", tmp_path / "out").code == 0
    assert "张三 已发布" in (tmp_path / "out" / "huaian-2025.html").read_text(encoding="utf-8")
    assert site.run("publish", 2025, "--restate", "--by", "李四", "--reason", "补正").code == 0
    assert "published_otherwise" not in codes(site.figure("electricity"))
