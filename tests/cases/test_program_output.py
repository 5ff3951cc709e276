"""Output of commands for other programs."""

from datetime import datetime
from pathlib import Path

from tests.cases.case_site import CaseSite


def test_the_output_for_programs_has_no_logs_in_it(tmp_path: Path) -> None:
    """A register that does not fit is logged while `indicators` computes its days."""
    site = CaseSite(tmp_path)
    register = [(datetime(2025, 1, 1), 0), (datetime(2025, 6, 1), 9e6), (datetime(2026, 1, 1), 9e4)]
    site.load(site.readings(register), "--no-backfill")
    assert site.figures(2025)
