"""Check that ingest and analytics use the same store."""

from pathlib import Path

from jieneng.metering.errors import ConfigError, Problem
from jieneng.storage import StoreSettings, embedded_file


def store_warnings(site_dir: Path) -> list[Problem]:
    """Return a warning if `ingest.toml` and `analytics.toml` name different stores.

    Readings would be written to one of them, and figures computed from the other one.
    """
    from analytics.settings import AnalyticsSettings
    from ingest.settings import IngestSettings
    from jieneng.site_folder import read_settings

    try:
        ingest = read_settings(site_dir / "ingest.toml", IngestSettings).store
        analytics = read_settings(site_dir / "analytics.toml", AnalyticsSettings).store
    except ConfigError:  # reported with the problems of the files
        return []
    if _place(ingest, site_dir) == _place(analytics, site_dir):
        return []
    return [
        Problem(
            text="the store of ingest.toml ({ingest}) is not that of analytics.toml ({analytics}):"
            " what is stored or imported does not appear in figures.",
            fix="Write the same table [store] into both files.",
            values={
                "ingest": " ".join(_place(ingest, site_dir)),
                "analytics": " ".join(_place(analytics, site_dir)),
            },
            file=str(site_dir / "analytics.toml"),
        )
    ]


def _place(settings: StoreSettings, site_dir: Path) -> tuple[str, ...]:
    """Return what identifies a store. Of a server, host names may be spelled differently."""
    file = embedded_file(settings, site_dir)
    return settings.kind, str(file.resolve()) if file else settings.database
