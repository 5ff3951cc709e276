"""Measure the evaluation of alert rules: live rounds of 1,000 meters, and replays of 90 days."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.alerts.live_rounds import live_times
from tests.bench.alerts.replays import replay_times
from tests.bench.result import Result


def results() -> Iterator[Result]:
    """Return the results, with the CPU time of the store's thread separate."""
    with tempfile.TemporaryDirectory() as folder:
        evaluation_s, store_s = asyncio.run(live_times(Path(folder)))
    yield Result(
        bench="alerts.evaluate_1000_meters_10_rules",
        value=evaluation_s,
        unit="CPU s a minute",
        bar="< 1",
    )
    yield Result(bench="alerts.read_1000_meters_10_rules", value=store_s, unit="CPU s a minute")
    with tempfile.TemporaryDirectory() as folder:
        for rule, seconds in asyncio.run(replay_times(Path(folder))).items():
            yield Result(bench=f"alerts.replay_90_days_100_meters.{rule}", value=seconds, unit="s")
