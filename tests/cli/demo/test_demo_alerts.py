"""The demo's faults are in its past, its rules are valid, and no notice is sent."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from analytics.alerts.alert_files import load_alert_rules
from jieneng.cli.demo import demo_alerts, demo_folder
from jieneng.site_folder import load, read_settings
from simulators.serving import site_server
from simulators.settings import SimulatorSettings

_NOW_MS = round(datetime(2026, 11, 30, 10, tzinfo=UTC).timestamp() * 1000)  # 18:00 in Huai'an


def test_the_pipe_has_burst_in_the_night_before_the_last_midnight(tmp_path: Path) -> None:
    demo_folder.copy_example(tmp_path)
    folder = load(tmp_path)
    demo_alerts.write_alerts(tmp_path, folder.site, _NOW_MS)
    settings = read_settings(tmp_path / "simulator.toml", SimulatorSettings)
    simulated = site_server.simulate_site(folder, settings)
    demo_alerts.place_faults(simulated, tmp_path, settings.seed, _NOW_MS)
    nights = [datetime(2026, 11, day, 18, tzinfo=UTC) for day in (27, 28)]  # 02:00 on 28 and 29
    hours = [round(night.timestamp() * 1000) + h * 3_600_000 for night in nights for h in (0, 1)]
    times_ms = np.array(hours)
    register = simulated.meters[demo_alerts.BURST_METER].readings(times_ms)["volume_m3"]
    before, during = np.diff(register)[[0, 2]]
    assert before < 0.5
    assert during == pytest.approx(before + 3.6, abs=0.3)


def test_no_receiver_is_named_and_a_kept_folder_keeps_its_burst(tmp_path: Path) -> None:
    demo_folder.copy_example(tmp_path)
    site = load(tmp_path).site
    demo_alerts.write_alerts(tmp_path, site, _NOW_MS)
    rules = load_alert_rules(tmp_path, site)
    assert rules.receivers == ()
    assert next(rule.limit for rule in rules.rules if rule.id == "meter-silent") < 60
    first = (tmp_path / "faults.toml").read_text()
    demo_alerts.write_alerts(tmp_path, site, _NOW_MS + 86_400_000)
    assert (tmp_path / "faults.toml").read_text() == first
