"""Check the rows `[[price]]` of `tariffs.toml`.

Laws:

1. A tariff has at most one price on each day: a row with `to` must end before the next row begins.
2. A contract states prices for peak and valley hours if its schedule has such hours. Prices for
   sharp and deep valley hours may be left out.
3. A price is refused if it is at least ten times the greatest usual price (`[[reference_price]]`).
   It is probably in another unit, such as fen. A flat price or a price of a step is also refused if
   it is above 0 and at most a tenth of the least usual price. Other prices have no lower limit,
   because valley hours may be cheap.

Pure: rows in, problems out.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

import msgspec

from analytics.tariffs.period_prices import period_prices
from analytics.tariffs.price_periods import period_counts
from analytics.tariffs.tariff import Price, ReferencePrice, Schedule, Tariff
from analytics.tariffs.tariff_check import ends_early
from jieneng.metering.errors import Msgid, Problem
from jieneng.metering.quantities import PRICE_PERIODS, PricePeriod

_STEPS_EXAMPLE: Final = "[{above = 0, price = 3.1}, {above = 1200, price = 3.7}]"
#: Keys of prices that a contract states.
_STATED: Final[tuple[PricePeriod, ...]] = ("sharp", "peak", "valley", "deep_valley")
#: Factor by which a price in a wrong unit differs at least from the usual prices.
_OTHER_UNIT: Final = 10.0


class PriceContext(msgspec.Struct, frozen=True):
    """The rows by which prices are checked.

    Attributes:
        tariffs: tariffs by id.
        schedules: schedules by id.
        references: usual prices.
    """

    tariffs: Mapping[str, Tariff]
    schedules: Mapping[str, Schedule]
    references: Sequence[ReferencePrice]


def check_prices(rows: Sequence[Price], context: PriceContext) -> Iterator[tuple[int, Problem]]:
    """Yield (row index, problem) for each mistake in prices."""
    for index, row in enumerate(rows):
        tariff = context.tariffs.get(row.tariff)
        if tariff is None:
            yield (
                index,
                Problem(
                    text="{tariff} is no tariff.",
                    fix="Use one of: {known}.",
                    values={"tariff": row.tariff, "known": ", ".join(context.tariffs)},
                    path=("tariff",),
                ),
            )
            continue
        for problem in (
            *_form_problems(row, tariff),
            *_contract_problems(row, tariff, context.schedules),
            *_level_problems(row, tariff, context.references),
        ):
            yield index, problem
    yield from _overlaps(rows)


def _overlaps(rows: Sequence[Price]) -> Iterator[tuple[int, Problem]]:
    """Yield a problem for each price that is still in force when the next one begins (law 1)."""
    ordered = sorted(range(len(rows)), key=lambda one: (rows[one].tariff, rows[one].from_))
    for index, following in pairwise(ordered):
        row, later = rows[index], rows[following]
        if row.tariff != later.tariff or row.to is None or row.to < later.from_:
            continue
        yield (
            index,
            Problem(
                text="the price of {tariff} from {from} is in force until {to}, but the next one"
                " begins on {next}.",
                fix="Correct to or from: on a day, a tariff has one price.",
                values={
                    "tariff": row.tariff,
                    "from": row.from_,
                    "to": row.to,
                    "next": later.from_,
                },
                path=("to",),
            ),
        )


def _form_problems(row: Price, tariff: Tariff) -> Iterator[Problem]:
    """Yield a problem for each key that is missing, or contradicts another key."""
    if row.to is not None and row.to < row.from_:
        yield ends_early("the price of {id} ends before it begins.", tariff.id)
    if (row.flat is None) == (not row.steps):
        yield _problem(
            row,
            "the price of {tariff} from {from} needs either flat or steps.",
            "Write the published price as flat = ..., or a price by amount as steps = [...].",
            "flat" if row.flat is not None else "tariff",
        )
    if row.steps and tariff.resets is None:
        yield _problem(
            row,
            "the price of {tariff} from {from} has steps, but the tariff does not say when they"
            " are reset.",
            'Write resets = "yearly" or resets = "monthly" into the tariff.',
            "steps",
        )
    amounts = [step.above for step in row.steps]
    if row.steps and (amounts[0] != 0 or any(one >= other for one, other in pairwise(amounts))):
        yield _problem(
            row,
            "the steps of {tariff} from {from} do not begin at 0, or do not ascend.",
            "Write them like {steps}",
            "steps",
        )
    if row.purchase is not None and tariff.peak_share is None:
        yield _problem(
            row,
            "the price of {tariff} from {from} has a purchase price component, but the tariff has"
            " no peak_share and valley_share.",
            "Write both into the tariff, or remove purchase.",
            "purchase",
        )


def _contract_problems(
    row: Price, tariff: Tariff, schedules: Mapping[str, Schedule]
) -> Iterator[Problem]:
    """Yield a problem for a contract's missing (law 2), unexpected or exchanged prices."""
    own = [name for name in _STATED if getattr(row, name) is not None]
    if own and (row.purchase is not None or tariff.schedule is None):
        yield _problem(
            row,
            "the price of {tariff} from {from} has the key {key}, which only prices of a contract"
            " may have.",
            "Remove the key; or remove purchase, and use a tariff with a schedule.",
            own[0],
        )
    schedule = schedules.get(tariff.schedule or "")
    lacks = [
        name
        for name in ("peak", "valley")
        if schedule is not None and name not in own and period_counts(schedule, name).any()
    ]
    if lacks and row.purchase is None:
        yield _problem(
            row,
            "the price of {tariff} from {from} lacks prices for peak and valley hours.",
            "Write purchase = ..., the component that was published with the flat price; or the"
            " prices of the contract, peak = ... and valley = ...",
            "tariff",
        )
    if row.peak is not None and row.valley is not None and row.peak < row.valley:
        yield _problem(
            row,
            "the price of {tariff} from {from} is higher in valley than in peak hours.",
            "Exchange peak and valley.",
            "peak",
        )


def _level_problems(
    row: Price, tariff: Tariff, references: Sequence[ReferencePrice]
) -> Iterator[Problem]:
    """Yield a problem for each price that is probably in another unit (law 3)."""
    if row.flat is not None and row.purchase is not None and row.purchase > row.flat:
        yield _problem(
            row,
            "the price of {tariff} from {from} has a purchase price component that is greater than"
            " the flat price, of which it is a part.",
            "Exchange flat and purchase, or correct them.",
            "purchase",
        )
        return
    prices: dict[str, list[float | None]] = {
        "flat": [row.flat],
        "steps": [step.price for step in row.steps],
        **{name: [getattr(row, name)] for name in _STATED},
    }
    if row.purchase is not None:
        by_period = zip(PRICE_PERIODS, period_prices(tariff, row), strict=True)
        prices["purchase"] = [price for name, price in by_period if name in _STATED]
    for reference in references:
        if reference.medium != tariff.medium:
            continue
        least, greatest = reference.least / _OTHER_UNIT, reference.greatest * _OTHER_UNIT
        for key, found in prices.items():
            known = [price for price in found if price is not None]
            is_low = key in ("flat", "steps") and any(0 < price <= least for price in known)
            if is_low or any(price >= greatest for price in known):
                yield _unusual(row, key, reference)


def _unusual(row: Price, key: str, reference: ReferencePrice) -> Problem:
    return Problem(
        text="the price of {tariff} from {from}: {key} is far from usual prices, {least} to"
        " {greatest} {unit}.",
        fix="Write it in {unit}; or, if it is right, correct the reference price {reference}.",
        values={
            "tariff": row.tariff,
            "from": row.from_,
            "key": key,
            "least": reference.least,
            "greatest": reference.greatest,
            "unit": reference.unit,
            "reference": reference.id,
        },
        path=(key,),
    )


def _problem(row: Price, text: Msgid, fix: Msgid, key: str) -> Problem:
    values = {"tariff": row.tariff, "from": row.from_, "key": key, "steps": _STEPS_EXAMPLE}
    return Problem(text=text, fix=fix, values=values, path=(key,))
