"""Check that a published year is the sum of its published months or quarters.

Law: only a year of which all parts are published is checked.
"""

from pathlib import Path

from analytics.publications import publication_files
from analytics.quality.consistency_checks import periods_not_annual
from jieneng.metering.findings import Finding


def sum_findings(site_folder: Path, year: int) -> tuple[Finding, ...]:
    """Return the findings about the published figures of a year; empty if it is not published.

    Raises:
        UsageError: a file is no publication, or was changed.
    """
    whole = publication_files.read(site_folder, f"{year}")
    if whole is None:
        return ()
    found: dict[tuple[str, tuple[tuple[str, object], ...]], Finding] = {}
    for parts in (
        [f"{year}-{month:02}" for month in range(1, 13)],
        [f"{year}-Q{quarter}" for quarter in range(1, 5)],
    ):
        published = [publication_files.read(site_folder, part) for part in parts]
        figures = [one.figures for one in published if one is not None]
        if len(figures) == len(parts):
            for finding in periods_not_annual(whole.figures, figures, f"{year}"):
                found.setdefault((finding.subject, finding.values), finding)
    return tuple(found.values())
