"""The packaged rules can be watched at any site, from its first hour on."""

from pathlib import Path

import numpy as np
import pytest

from analytics.alerts.alert_files import load_alert_rules
from analytics.calendar.working_calendar import WorkingCalendar
from analytics.pipeline.signals.signal_reader import SignalReader
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store
from tests.analytics.pipeline.signals.stored_messages import at, meter_row, site_folder

WATER = meter_row("w", medium="water", model="tuf-2000m-water")


@pytest.mark.parametrize("is_example", [True, False])
async def test_each_packaged_rule_is_read_and_replayed_without_any_data(
    tmp_path: Path, store: Store, example: SiteFolder, is_example: bool
) -> None:
    """The example centre, and a site with a water meter only: most rules have no subject there."""
    folder = example if is_example else site_folder(tmp_path, WATER)
    rules = load_alert_rules(tmp_path, folder.site)
    calendar = WorkingCalendar(rules.hours, folder.site.zone)
    live = SignalReader(folder, store, rules, calendar)
    for seconds in (0, 10, 20, 3700):
        found = await live.read(at(seconds))
        while live.is_behind:
            found |= await live.read(at(seconds))
        for values in found.values():
            assert values.values.shape == (len(values.subjects), len(values.times_ms))
            assert np.isnan(values.values).all()
    for rule in rules.rules:
        async for values in live.replay(rule, at(0), at(2 * 86_400), 900.0):
            assert values.values.shape == (len(values.subjects), len(values.times_ms))
            assert np.isnan(values.values).all()
