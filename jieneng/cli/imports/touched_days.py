"""Compute the consumption of the days that an import or an undo has changed."""

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from jieneng.cli.options import tr
from jieneng.clock import SystemClock

if TYPE_CHECKING:  # imported when a command runs, so that `--help` is quick
    from jieneng.site_folder import SiteFolder


async def compute_touched(folder: "SiteFolder", touched_ms: tuple[int, int]) -> None:
    """Compute the days of an import, and the days before and after them.

    A first or last reading exactly at midnight also affects the day before or after it.
    """
    from analytics import app
    from analytics.settings import AnalyticsSettings
    from jieneng.cli.progress import share_progress
    from jieneng.site_folder import read_settings

    settings = read_settings(folder.path / "analytics.toml", AnalyticsSettings)
    first, last = (_day(folder, time_ms) for time_ms in touched_ms)
    with share_progress(tr("Consumption by day")) as progress:
        await app.backfill(
            folder,
            settings,
            first - timedelta(days=1),
            last + timedelta(days=1),
            SystemClock(),
            progress,
        )


def _day(folder: "SiteFolder", time_ms: int) -> date:
    return datetime.fromtimestamp(time_ms / 1000, folder.site.zone).date()
