"""`jieneng simulate score`: compare a store with the truth of a simulated run."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from jieneng.cli.options import config_option, examples, format_option, run_once, site_option, tr
from jieneng.cli.simulate import score_output
from jieneng.metering import schema
from jieneng.metering.errors import UsageError

if TYPE_CHECKING:  # imported when a command runs, so that `--help` is quick
    from numpy import float64, int64
    from numpy.typing import NDArray

    from jieneng.site_folder import SiteFolder
    from jieneng.storage import Store, StoreSettings
    from simulators.scoring.consumption_comparison import IntervalAmounts
    from simulators.scoring.reading_pairs import ScoringRules
    from simulators.scoring.score import MeterData, Score
    from simulators.scoring.truth_reader import Truth

#: Stored interval by which consumption is compared, and its length [s].
_INTERVAL: Final = "15min"
_INTERVAL_S: Final = 900
#: Answers within this time before the end of the run need not be stored yet [real s].
_GRACE_S: Final = 10.0


@click.command(
    help=tr(
        "Compare the store with the true values of a simulated run: which readings are lost,"
        " invented, wrong or late, and the error of each day's consumption. The exit code is"
        " 1 if a reading is not right."
    ),
    epilog=examples(
        "jieneng simulate score --site my-site --truth run-1",
        "jieneng simulate score --site my-site --truth run-1 --tolerance 5 --format json",
    ),
)
@site_option
@config_option("analytics.toml")
@click.option(
    "--truth",
    "truth_dir",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar=tr("DIR"),
    help=tr("The folder that the run wrote."),
)
@click.option(
    "--tolerance",
    "tolerance_s",
    type=click.FloatRange(min=0),
    metavar=tr("SECONDS"),
    help=tr(
        "Allowed difference between the time of a stored reading and the time of the"
        " simulator's answer; if omitted, 1, or a twentieth of the run's speed if greater."
    ),
)
@click.option(
    "--peer",
    "peers",
    multiple=True,
    metavar="HOST[:PORT]",
    help=tr(
        "Address of a master that belongs to the pipeline, if other masters polled too; may"
        " be given several times. If omitted, all answers count."
    ),
)
@format_option("table", "json", "csv")
def score(
    site_dir: Path,
    config_file: Path,
    truth_dir: Path,
    tolerance_s: float | None,
    peers: tuple[str, ...],
    form: str,
) -> None:
    from analytics.settings import AnalyticsSettings
    from jieneng.site_folder import load, read_settings
    from simulators.scoring.truth_reader import read_truth

    folder = load(site_dir)
    settings = read_settings(site_dir / config_file, AnalyticsSettings)
    truth = read_truth(truth_dir)
    if truth.run.site != folder.site.id:
        raise UsageError(
            "the truth in {folder} belongs to site {site}, not to {other}: name that site's "
            "folder with --site.",
            folder=truth_dir,
            site=truth.run.site,
            other=folder.site.id,
        )
    rules = _rules(truth, tolerance_s)
    _require_store(folder, settings.store)
    answers = {meter: rows.required_of(peers) for meter, rows in truth.answers.items()}
    truth = msgspec.structs.replace(truth, answers=answers)
    result = run_once(_score_store(folder, settings.store, truth, rules))
    if form == "json":
        score_output.print_json(result, truth, rules)
    elif form == "csv":
        score_output.print_csv(result)
    else:
        score_output.print_tables(result, truth, rules)
    _print_not_compared(result, truth)
    sys.exit(1 if result.counts.mistakes else 0)


def _require_store(folder: "SiteFolder", settings: "StoreSettings") -> None:
    """Raise UsageError if there is no embedded store; opening it would create an empty one."""
    from jieneng.storage import embedded_file

    file = embedded_file(settings, folder.path)
    if file is not None and not file.exists():
        raise UsageError(
            "there is no store at {file}: name the folder of the site whose services ran.",
            file=file,
        )


def _rules(truth: "Truth", tolerance_s: float | None) -> "ScoringRules":
    from zoneinfo import ZoneInfo

    from simulators.scoring.reading_pairs import ScoringRules

    speed = truth.run.speed
    if tolerance_s is None:
        tolerance_s = max(1.0, 0.05 * speed)
    return ScoringRules(
        begin_ms=truth.begin_ms,
        end_ms=truth.end_ms,
        zone=ZoneInfo(truth.run.timezone),
        tolerance_ms=round(1000 * tolerance_s),
        grace_ms=round(1000 * _GRACE_S * max(1.0, speed)),
    )


# --- the store ------------------------------------------------------------------------------------


async def _score_store(
    folder: "SiteFolder", settings: "StoreSettings", truth: "Truth", rules: "ScoringRules"
) -> "Score":
    from jieneng.storage import open_store
    from simulators.scoring.score import score as score_meters

    store = open_store(settings, folder.path)
    try:
        await store.prepare()
        meters = [await _meter_data(store, truth, meter) for meter in truth.run.meters]
    finally:
        await store.close()
    return score_meters(meters, rules)


async def _meter_data(store: "Store", truth: "Truth", meter: str) -> "MeterData":
    """Return a meter's truth and the store's data of it."""
    import numpy as np

    from simulators.scoring.consumption_comparison import IntervalAmounts, values_at
    from simulators.scoring.reading_pairs import Readings
    from simulators.scoring.score import MeterData

    row = truth.run.meters[meter]
    tags = {"site": truth.run.site, "meter": meter}
    times, values = await _read(store, truth, row.medium, row.quantity, tags)
    quality = await _read(store, truth, row.medium, schema.QUALITY, tags)
    consumption_tags = {
        "site": truth.run.site,
        "kind": "meter",
        "scope": meter,
        "interval": _INTERVAL,
    }
    stored = IntervalAmounts(
        *await _read(store, truth, schema.CONSUMPTION, row.quantity, consumption_tags)
    )
    flowed, computed = _to_common_length(truth.consumption[meter], truth.run.interval_s, stored)
    return MeterData(
        meter=meter,
        quantity=row.quantity,
        step=row.step,
        answers=truth.answers[meter],
        readings=Readings(
            times, values, np.nan_to_num(values_at(times, *quality)).astype(np.int64)
        ),
        flowed=flowed,
        computed=computed,
    )


def _fits(length_s: int) -> bool:
    return _INTERVAL_S % length_s == 0 or length_s % _INTERVAL_S == 0


def _to_common_length(
    flowed: "IntervalAmounts", length_s: int, stored: "IntervalAmounts"
) -> "tuple[IntervalAmounts, IntervalAmounts]":
    """Return both series with the longer of the two intervals.

    The store's series is empty if neither interval is a multiple of the other.
    """
    from simulators.scoring.consumption_comparison import IntervalAmounts, sum_intervals

    if not _fits(length_s):
        return flowed, IntervalAmounts(stored.starts_ms[:0], stored.values[:0])
    if length_s <= _INTERVAL_S:
        return sum_intervals(flowed, 1000 * length_s, 1000 * _INTERVAL_S), stored
    return flowed, sum_intervals(stored, 1000 * _INTERVAL_S, 1000 * length_s)


async def _read(
    store: "Store", truth: "Truth", measurement: str, field: str, where: Mapping[str, str]
) -> "tuple[NDArray[int64], NDArray[float64]]":
    """Return times and values of the series with these tags; empty arrays if there is none."""
    import numpy as np

    found = await store.read(
        measurement, field, where=where, start_ms=truth.begin_ms, end_ms=truth.end_ms + 1
    )
    if not found:
        return np.zeros(0, np.int64), np.zeros(0)
    return found[0].times_ms, found[0].values


def _print_not_compared(result: "Score", truth: "Truth") -> None:
    """Print on stderr which data could not be compared: incomplete lines, unequal intervals."""
    for file in truth.torn:
        text = tr(
            "{file}: the last line is incomplete, because the run was killed. It is left out."
        )
        click.echo(text.format(file=file), err=True)
    if not _fits(truth.run.interval_s):
        text = tr(
            "Consumption is not compared: the interval of the true values ({length} s) and"
            " the interval of the store ({stored} s) are not multiples of each other."
        )
        click.echo(text.format(length=truth.run.interval_s, stored=_INTERVAL_S), err=True)
    elif result.days and not any(day.coverage for day in result.days):
        text = tr(
            "The store has no consumption of this run: compute it with jieneng analytics once."
        )
        click.echo(text, err=True)
