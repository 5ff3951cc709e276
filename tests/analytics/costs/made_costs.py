"""A small site whose consumption is known in every hour, and its tariffs."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from analytics import periods
from analytics.costs.account_days import AccountDays, account_days
from analytics.costs.account_members import account_members
from analytics.costs.period_amounts import period_amounts
from analytics.counters.consumption import Consumption
from analytics.figures.boundary.flows import Flow
from analytics.figures.boundary.site_structure import SiteStructure
from analytics.figures.interval_series import MeterIntervals
from analytics.periods import Interval
from analytics.tariffs.account_plan import account_plan
from analytics.tariffs.tariff import (
    Account,
    DatedDemand,
    DatedTariff,
    Price,
    PriceStep,
    Schedule,
    Season,
    Tariff,
    Tariffs,
)
from tests.analytics.sites import site

SITE = site(
    """
[[area]]
id = "plant"
name = "plant"
kind = "plant"

[[area]]
id = "block"
name = "block"
institutions = ["bureau"]

[[meter]]
id = "main"
name = "main"
medium = "electricity"
area = "plant"

[[meter]]
id = "branch"
name = "branch"
medium = "electricity"
area = "block"
parent = "main"

[[meter]]
id = "gas"
name = "gas"
medium = "gas"
area = "block"
"""
)
FIRST = date(2026, 6, 1)
#: Peak from 8 to 20 at 1.00 yuan, valley at 0.40 yuan.
DAY_AND_NIGHT = Schedule(
    id="day-and-night",
    season=(Season(peak=(("08:00", "20:00"),), valley=(("20:00", "08:00"),)),),
    source="an example",
)
TIME_OF_USE = Tariff(
    id="time-of-use",
    medium="electricity",
    unit="yuan/kWh",
    schedule="day-and-night",
    source="an example",
)
ONE_PRICE = Tariff(id="one-price", medium="electricity", unit="yuan/kWh", source="an example")
STEPPED = Tariff(id="stepped", medium="gas", unit="yuan/m3", resets="yearly", source="an example")
PRICE = Price(tariff="time-of-use", from_=date(2026, 1, 1), flat=0.7, peak=1.0, valley=0.4)
STEPS = Price(
    tariff="stepped",
    from_=date(2026, 1, 1),
    steps=(PriceStep(0, 3.0), PriceStep(1000, 4.0)),
)


def electricity(*demand: DatedDemand) -> Account:
    return Account(
        id="3208001",
        meters=("main",),
        tariff=(DatedTariff(date(2026, 1, 1), "time-of-use"),),
        demand=demand,
    )


GAS = Account(id="3208002", meters=("gas",), tariff=(DatedTariff(date(2026, 1, 1), "stepped"),))


def tariffs(*prices: Price) -> Tariffs:
    rows: dict[str, list[Price]] = {}
    for one in prices:
        rows.setdefault(one.tariff, []).append(one)
    known = {one.id: one for one in (TIME_OF_USE, ONE_PRICE, STEPPED)}
    return Tariffs({DAY_AND_NIGHT.id: DAY_AND_NIGHT}, known, rows, (), ())


def intervals(
    rows: Mapping[str, NDArray[np.float64]],
    interval: Interval,
    first: date,
    days: int,
    unmeasured: Sequence[str] = (),
    read_each: int = 1,
) -> MeterIntervals:
    """Return the consumption of meters; some are read only at midnight of some days."""
    edges = periods.edges_ms(first, first + timedelta(days=days), interval, SITE.zone)
    read = periods.edges_ms(first, first + timedelta(days=days), "day", SITE.zone)[::read_each]
    last = np.searchsorted(read, edges[:-1], side="right")
    longer = read[last - 1], np.append(read, edges[-1])[last]
    amount = np.array(list(rows.values()))
    known = np.isfinite(amount).astype(np.float64)
    nothing = np.zeros_like(amount)
    return MeterIntervals(
        edges,
        tuple(Flow(SITE.meters[meter]) for meter in rows),
        Consumption(amount, known, nothing, known, nothing, nothing),
        np.array([np.full(len(edges) - 1, meter not in unmeasured) for meter in rows]),
        np.array([longer[0] if meter in unmeasured else edges[:-1] for meter in rows]),
        np.array([longer[1] if meter in unmeasured else edges[1:] for meter in rows]),
    )


def costed(
    account: Account,
    rows: Mapping[str, NDArray[np.float64]],
    *prices: Price,
    first: date = FIRST,
    days: int = 30,
    unmeasured: Sequence[str] = (),
    read_each: int = 1,
) -> AccountDays:
    """Return the cost of an account by day, of which the consumption by interval is given."""
    every = periods.days(first, first + timedelta(days=days))
    plan = account_plan(account, tariffs(*(prices or (PRICE, STEPS))), every, lambda _: "workday")
    made = intervals(rows, plan.interval, first, days, unmeasured, read_each)
    members = account_members([account], SiteStructure(SITE), every)[account.id]
    return account_days(plan, members, [period_amounts(plan, members, made, SITE.zone)])


def hourly(by_day: float, by_night: float, days: int = 30) -> NDArray[np.float64]:
    """Return the consumption of each hour, in peak hours and in valley hours."""
    hours = np.arange(24 * days) % 24
    return np.where((hours >= 8) & (hours < 20), float(by_day), float(by_night))
