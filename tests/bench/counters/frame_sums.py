"""Consumption by hour and day as plain differences and sums, with polars and with pandas.

A script for the Python of `frame_peers`: it imports nothing of the project. Each library is used in
its fastest way for meters with times of their own, on one long table. For polars there are three
ways. `group_by_dynamic`, and `group_by` with truncated times, give sums of hours, and days as sums
of hours. `join_asof` takes the last reading before each edge.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl

RUNS = 15


def least_cpu_s(work: Callable[[], object]) -> float:
    """Return the CPU time of the fastest of several runs."""
    work()
    taken = []
    for _ in range(RUNS):
        begin = time.process_time()
        work()
        taken.append(time.process_time() - begin)
    return min(taken)


def _polars_table(columns: Any) -> Any:
    table = pl.DataFrame({name: columns[name] for name in ("meter", "time_ms", "value")})
    return table.with_columns(pl.col("time_ms").cast(pl.Datetime("ms", "UTC")).alias("time"))


def with_polars(columns: Any, zone: str) -> Callable[[], object]:
    """Return the work on a table that is already there."""
    table = _polars_table(columns)

    def work() -> object:
        steps = table.with_columns(
            pl.col("value").diff().over("meter").alias("step"),
            pl.col("time").dt.convert_time_zone(zone),
        )
        of_hours = steps.group_by_dynamic("time", every="1h", group_by="meter")
        hours = of_hours.agg(pl.col("step").sum())
        of_days = hours.group_by_dynamic("time", every="1d", group_by="meter")
        return hours, of_days.agg(pl.col("step").sum())

    return work


def with_truncated_times(columns: Any, zone: str) -> Callable[[], object]:
    """Return the work on a table that is already there."""
    table = _polars_table(columns)

    def work() -> object:
        steps = table.with_columns(
            pl.col("value").diff().over("meter").alias("step"),
            pl.col("time").dt.convert_time_zone(zone),
        )
        hours = steps.group_by("meter", pl.col("time").dt.truncate("1h")).agg(pl.col("step").sum())
        return hours, hours.group_by("meter", pl.col("time").dt.truncate("1d")).agg(
            pl.col("step").sum()
        )

    return work


def with_asof_join(columns: Any, zone: str) -> Callable[[], object]:
    """Return the work on an existing table: the last reading before each edge."""
    table = _polars_table(columns)
    local = pl.col("time").dt.convert_time_zone(zone)
    ends = table.select(first=local.min(), last=local.max()).row(0)
    meters = table.select(pl.col("meter").unique())

    def work() -> object:
        found = []
        for every in ("1h", "1d"):
            edges = pl.select(
                pl.datetime_range(*ends, every, time_unit="ms", time_zone=zone)
                .dt.truncate(every)
                .dt.convert_time_zone("UTC")
                .alias("time")
            )
            at_edges = meters.join(edges, how="cross").join_asof(
                table, on="time", by="meter", check_sortedness=False
            )
            found.append(at_edges.with_columns(pl.col("value").diff().over("meter").alias("step")))
        return found

    return work


def with_pandas(columns: Any, zone: str) -> Callable[[], object]:
    """Return the work on a table that is already there."""
    times = pd.to_datetime(columns["time_ms"], unit="ms", utc=True)
    table = pd.DataFrame({"meter": columns["meter"], "time": times, "value": columns["value"]})

    def work() -> object:
        local = table["time"].dt.tz_convert(zone)
        steps = table.groupby("meter")["value"].diff()
        hours = steps.groupby([table["meter"], local.dt.floor("h")]).sum().reset_index()
        days = hours["value"].groupby([hours["meter"], hours["time"].dt.floor("D")]).sum()
        return hours, days

    return work


def main(file: str, zone: str) -> None:
    """Print the rates as JSON, in million values a CPU second."""
    columns = np.load(file)
    count = len(columns["value"])
    works = {
        f"polars-{pl.__version__}": with_polars(columns, zone),
        f"polars-{pl.__version__} group_by": with_truncated_times(columns, zone),
        f"polars-{pl.__version__} join_asof": with_asof_join(columns, zone),
        f"pandas-{pd.__version__}": with_pandas(columns, zone),
    }
    print(json.dumps({name: count / least_cpu_s(work) / 1e6 for name, work in works.items()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
