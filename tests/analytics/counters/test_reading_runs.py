"""Runs of readings and the best-scoring path through them."""

import numpy as np
import pytest

from analytics.counters.meter_devices import HOUR_MS, Device
from analytics.counters.reading_runs import Readings, best_path, split_runs
from analytics.counters.stray_readings import without_stray_readings


def hourly(values: list[float], rate_per_hour: float = 100.0) -> Readings:
    count = len(values)
    register = np.array(values, dtype=np.float64)
    return Readings(
        Device(),
        np.arange(count) * HOUR_MS,
        register,
        np.ones(count),
        register,
        np.zeros(count),
        np.full(count, rate_per_hour / HOUR_MS),
        np.arange(count),
    )


def test_the_example_of_the_module() -> None:
    """The zero is dropped, the spike is a run that the best path leaves out."""
    readings = hourly([5000, 5010, 5020, 0, 5040, 9999, 5060, 5070, 5080, 5090])
    candidates = without_stray_readings(readings)
    runs = list(split_runs(candidates))
    assert [candidates.register[run.first : run.end].tolist() for run in runs] == [
        [5000.0, 5010.0, 5020.0, 5040.0],
        [9999.0],
        [5060.0, 5070.0, 5080.0, 5090.0],
    ]
    assert [run.score for run in runs] == pytest.approx([2 / 3, 0.0, 0.5], abs=1e-5)
    assert best_path(candidates, runs) == [(runs[0], "follows"), (runs[2], "follows")]


@pytest.mark.parametrize(("hours", "believed"), [(6, False), (8, True)])
def test_a_reset_is_believed_after_six_hours(hours: int, believed: bool) -> None:
    readings = hourly([*range(5000, 5030), *range(1, hours + 1)])
    runs = list(split_runs(readings))
    path = best_path(readings, runs)
    assert ("reset" in [continuation for _, continuation in path]) is believed
