"""Check the rows `[[tariff]]` and `[[reference_price]]` of `tariffs.toml`.

Pure: rows in, problems out.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from analytics.tariffs.tariff import ReferencePrice, Schedule, Tariff
from jieneng.metering.errors import Msgid, Problem
from jieneng.metering.quantities import CONSUMPTION, QUANTITIES, Medium


def price_unit(medium: Medium) -> str:
    """Return the unit of the prices of a medium, such as `yuan/kWh`."""
    return f"yuan/{QUANTITIES[CONSUMPTION[medium]].unit}"


def check_tariffs(
    rows: Sequence[Tariff], schedules: Mapping[str, Schedule]
) -> Iterator[tuple[int, Problem]]:
    """Yield (row index, problem) for each mistake in tariffs."""
    for index, row in enumerate(rows):
        for problem in _tariff_problems(row, schedules):
            yield index, problem


def _tariff_problems(row: Tariff, schedules: Mapping[str, Schedule]) -> Iterator[Problem]:
    if row.unit != price_unit(row.medium):
        yield _wrong_unit("tariff", row.id, row.unit, row.medium)
    if row.schedule is not None and row.schedule not in schedules:
        yield Problem(
            text="tariff {id}: {schedule} is no schedule.",
            fix="Use one of: {known}.",
            values={"id": row.id, "schedule": row.schedule, "known": ", ".join(schedules)},
            path=("schedule",),
        )
    has_shares = row.peak_share is not None, row.valley_share is not None
    if has_shares[0] != has_shares[1] or (any(has_shares) and row.schedule is None):
        yield Problem(
            text="tariff {id}: peak_share and valley_share are needed together, and only with a"
            " schedule.",
            fix="Write both and schedule = ..., or remove them.",
            values={"id": row.id},
            path=("peak_share",) if has_shares[0] else ("valley_share",),
        )
    if row.schedule is not None and row.resets is not None:
        yield Problem(
            text="tariff {id} has a schedule and steps, but a price varies by time or by amount.",
            fix="Remove schedule or resets.",
            values={"id": row.id},
            path=("resets",),
        )
    if (row.from_ or date.min) > (row.to or date.max):
        yield ends_early("tariff {id} ends before it begins.", row.id)


def check_references(rows: Sequence[ReferencePrice]) -> Iterator[tuple[int, Problem]]:
    """Yield (row index, problem) for each mistake in reference prices."""
    for index, row in enumerate(rows):
        if row.unit != price_unit(row.medium):
            yield index, _wrong_unit("reference price", row.id, row.unit, row.medium)
        if row.least > row.greatest:
            yield (
                index,
                Problem(
                    text="reference price {id}: least is above greatest.",
                    fix="Exchange them.",
                    values={"id": row.id},
                    path=("least",),
                ),
            )


def _wrong_unit(table: str, row_id: str, unit: str, medium: Medium) -> Problem:
    return Problem(
        text="{table} {id} is in {unit}; it must be in {expected}.",
        fix="Convert the prices, and write that unit.",
        values={"table": table, "id": row_id, "unit": unit, "expected": price_unit(medium)},
        path=("unit",),
    )


def ends_early(text: Msgid, row_id: str) -> Problem:
    """Return the problem that a row ends before it begins."""
    return Problem(text=text, fix="Correct from or to.", values={"id": row_id}, path=("to",))
