"""Open a site's alerts for a command: rules, store, alerts and marks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from jieneng.clock import SystemClock

if TYPE_CHECKING:  # imported when a command runs, so that `--help` is quick
    from analytics.alerts.alert import AlertMark
    from analytics.alerts.alert_rule import AlertRules
    from analytics.pipeline.alerting.current_alerts import CurrentAlerts
    from analytics.settings import AnalyticsSettings
    from jieneng.locale import Translate
    from jieneng.locale.finding_text import Labels
    from jieneng.site_folder import SiteFolder
    from jieneng.storage import Store


class SiteAlerts(NamedTuple):
    """The alerts of a site, as its files define them.

    Attributes:
        folder: the site.
        settings: settings of the analytics.
        rules: the rules.
        labels: names of the site.
        tr: function that translates into the language of the site or the reader.
    """

    folder: "SiteFolder"
    settings: "AnalyticsSettings"
    rules: "AlertRules"
    labels: "Labels"
    tr: "Translate"


def load_site(site_dir: Path, config_file: Path) -> SiteAlerts:
    """Return the alerts of a site's folder.

    Raises:
        ConfigError: a file of the site has mistakes.
    """
    from analytics.alerts.alert_files import load_alert_rules
    from analytics.settings import AnalyticsSettings
    from jieneng.locale import preferred, translator
    from jieneng.locale.finding_text import labels
    from jieneng.site_folder import load, read_settings

    folder = load(site_dir)
    return SiteAlerts(
        folder,
        read_settings(site_dir / config_file, AnalyticsSettings),
        load_alert_rules(site_dir, folder.site),
        labels(folder.site),
        translator(preferred(folder.site.site.language)),
    )


@asynccontextmanager
async def open_site_store(site: SiteAlerts) -> "AsyncIterator[Store]":
    """Open the store of a site, and close it when the block is left."""
    from jieneng.storage import open_store

    store = open_store(site.settings.store, site.folder.path)
    try:
        await store.prepare()
        yield store
    finally:
        await store.close()


async def read_alerts(site: SiteAlerts, store: "Store", now_ms: int) -> "CurrentAlerts":
    """Return the alerts and marks of the store."""
    from analytics.pipeline.alerting.current_alerts import current_alerts

    return await current_alerts(site.folder.site, site.rules, store, now_ms)


async def write_marks(site: SiteAlerts, store: "Store", marks: "list[AlertMark]") -> None:
    """Write marks. The service reads them in its next round."""
    from analytics.pipeline.alerting.alert_store import AlertStore

    alert_store = AlertStore(site.folder.site.id, store)
    for mark in marks:
        await alert_store.write_mark(mark)


def now_ms() -> int:
    """Return the time [UTC, ms]."""
    return SystemClock().now_ms()
