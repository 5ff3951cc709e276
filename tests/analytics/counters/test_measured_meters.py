"""Years of measured consumption: no step is unusual, and standstills are missing data."""

import csv
import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.counters.own_past.day_history import DAY_MS, DayHistory
from analytics.counters.own_past.rising_amounts import rising_amounts
from analytics.counters.own_past.standstills import standstills
from analytics.counters.own_past.unusual_steps import unusual_steps

#: Cambridge Estates Building Energy Archive (EECi, MIT), whose missing hours are stored as 0, and
#: OpenGrid (opengridcc, Apache-2.0). Standstills that are known, by meter and first day.
FILES = {
    "cambridge/electricity_hourly_kwh.csv.gz": {
        ("b118", "2021-03-08"),
        ("b64", "2022-10-25"),
        ("b78", "2018-09-15"),
    },
    "cambridge/gas_hourly_kwh.csv.gz": {
        ("b109", "2021-07-03"),
        ("b118", "2020-03-13"),
        ("b40", "2018-05-11"),
    },
    "opengrid/electricity_2016_hour.csv.gz": set(),
    "opengrid/gas_2016_hour.csv.gz": set(),
    "opengrid/water_2016_hour.csv.gz": set(),
}


def histories(path: Path) -> Iterator[tuple[str, DayHistory]]:
    """Yield the days of each meter of a file."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        head, *rows = list(csv.reader(file))
    moments = [datetime.fromisoformat(row[0]) for row in rows]
    utc = [each if each.tzinfo else each.replace(tzinfo=UTC) for each in moments]
    number = np.array([round(each.timestamp() * 1000) for each in utc], dtype=np.int64) // DAY_MS
    first = int(number[0])
    edges = np.arange(first, int(number.max()) + 2, dtype=np.int64) * DAY_MS
    for column, meter in enumerate(head[1:], 1):
        amount: NDArray[np.float64] = np.array(
            [float(row[column]) if row[column] else np.nan for row in rows]
        )
        known = np.isfinite(amount)
        counts = np.bincount(number[known] - first, minlength=len(edges) - 1)
        total = np.bincount(number[known] - first, amount[known], len(edges) - 1)
        yield (
            meter,
            DayHistory(
                edges,
                np.where(counts > 0, total, np.nan),
                np.ones(len(counts)),
                np.zeros(len(counts)),
            ),
        )


@pytest.mark.parametrize("name", FILES)
def test_measured_consumption_is_usual(measured: Path, name: str) -> None:
    seasonal = "gas" in name
    found = set()
    for meter, history in histories(measured / name):
        assert not list(unusual_steps(meter, history, seasonal=seasonal))
        assert not list(rising_amounts(meter, history))
        for one in standstills(meter, history, seasonal=seasonal):
            found.add((meter, f"{datetime.fromtimestamp(one.first_ms / 1000, UTC):%Y-%m-%d}"))
    assert found == FILES[name]
