"""Check the rows `[[tariff]]`, `[[price]]` and `[[reference_price]]` of `tariffs.toml`.

Pure: rows in, problems out.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import Final

from analytics.tariffs.tariff import Price, ReferencePrice, Schedule, Tariff
from jieneng.metering.errors import Msgid, Problem
from jieneng.metering.quantities import CONSUMPTION, QUANTITIES, Medium

_STEPS_EXAMPLE: Final = "[{above = 0, price = 3.1}, {above = 1200, price = 3.7}]"


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
        yield _ends_early("tariff {id} ends before it begins.", row.id)


def check_prices(
    rows: Sequence[Price], tariffs: Mapping[str, Tariff]
) -> Iterator[tuple[int, Problem]]:
    """Yield (row index, problem) for each mistake in prices."""
    for index, row in enumerate(rows):
        tariff = tariffs.get(row.tariff)
        if tariff is None:
            yield (
                index,
                Problem(
                    text="{tariff} is no tariff.",
                    fix="Use one of: {known}.",
                    values={"tariff": row.tariff, "known": ", ".join(tariffs)},
                    path=("tariff",),
                ),
            )
            continue
        for problem in _price_problems(row, tariff):
            yield index, problem


def _price_problems(row: Price, tariff: Tariff) -> Iterator[Problem]:
    stated = {
        "sharp": row.sharp,
        "peak": row.peak,
        "valley": row.valley,
        "deep_valley": row.deep_valley,
    }
    own = [name for name, price in stated.items() if price is not None]

    def problem(text: Msgid, fix: Msgid, key: str) -> Problem:
        values = {"tariff": tariff.id, "from": row.from_, "key": key, "steps": _STEPS_EXAMPLE}
        return Problem(text=text, fix=fix, values=values, path=(key,))

    if row.to is not None and row.to < row.from_:
        yield _ends_early("the price of {id} ends before it begins.", tariff.id)
    if (row.flat is None) == (not row.steps):
        yield problem(
            "the price of {tariff} from {from} needs either flat or steps.",
            "Write the published price as flat = ..., or a price by amount as steps = [...].",
            "flat" if row.flat is not None else "tariff",
        )
    if row.steps and tariff.resets is None:
        yield problem(
            "the price of {tariff} from {from} has steps, but the tariff does not say when they"
            " are reset.",
            'Write resets = "yearly" or resets = "monthly" into the tariff.',
            "steps",
        )
    amounts = [step.above for step in row.steps]
    if row.steps and (amounts[0] != 0 or any(one >= other for one, other in pairwise(amounts))):
        yield problem(
            "the steps of {tariff} from {from} do not begin at 0, or do not ascend.",
            "Write them like {steps}",
            "steps",
        )
    if row.purchase is not None and tariff.peak_share is None:
        yield problem(
            "the price of {tariff} from {from} has a purchase price component, but the tariff has"
            " no peak_share and valley_share.",
            "Write both into the tariff, or remove purchase.",
            "purchase",
        )
    if own and (row.purchase is not None or tariff.schedule is None):
        yield problem(
            "the price of {tariff} from {from} has the key {key}, which only prices of a contract"
            " may have.",
            "Remove the key; or remove purchase, and use a tariff with a schedule.",
            own[0],
        )
    is_complete = row.purchase is not None or {"peak", "valley"} <= {*own}
    if tariff.schedule is not None and not is_complete:
        yield problem(
            "the price of {tariff} from {from} lacks prices for peak and valley hours.",
            "Write purchase = ..., the component that was published with the flat price; or the"
            " prices of the contract, peak = ... and valley = ...",
            "tariff",
        )


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


def _ends_early(text: Msgid, row_id: str) -> Problem:
    return Problem(text=text, fix="Correct from or to.", values={"id": row_id}, path=("to",))
