"""Define the rows of `tariffs.toml`: schedules, tariffs, prices, accounts and reference prices.

A tariff says how prices are formed: which hours are peak hours, and how the prices of the other
hours follow from the published flat price. A price is what was published for some months. An
account is billed by the supplier: it has meters and a tariff.

Pure: no clock, no file.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from analytics.calendar.working_hours import ClockSpan
from analytics.periods import months_later
from jieneng.metering.quantities import Medium
from jieneng.metering.site import Id, NotNegative, Positive

DayType = Literal["workday", "weekend", "holiday"]
DAY_TYPES: Final[tuple[DayType, ...]] = ("workday", "weekend", "holiday")

#: Ways to charge for demand: by transformer capacity, contract demand, or greatest demand measured.
DemandBasis = Literal["capacity", "contract", "actual"]

_Month = Annotated[int, Meta(ge=1, le=12)]
_Confidence = Literal["published", "reported"]
_Source = Annotated[str, Meta(min_length=8, examples=["苏发改价格发〔2025〕426号"])]
_Share = Annotated[float, Meta(gt=0, le=1)]
_Yuan = Annotated[float, Meta(ge=0)]


class Season(msgspec.Struct, frozen=True, kw_only=True):
    """A row `[[schedule.season]]`: the hours of some months and types of days.

    Attributes:
        months: months, 1 to 12; all if empty.
        days: types of days; all if empty. A holiday is a public holiday; a weekend is any other day
            off.
        sharp: sharp hours (尖峰). They take precedence over peak, flat and valley hours.
        peak: peak hours (峰).
        flat: flat hours (平).
        valley: valley hours (谷).
        deep_valley: deep valley hours (深谷). They take precedence over peak, flat and valley
            hours.
    """

    months: tuple[_Month, ...] = ()
    days: tuple[DayType, ...] = ()
    sharp: tuple[ClockSpan, ...] = ()
    peak: tuple[ClockSpan, ...] = ()
    flat: tuple[ClockSpan, ...] = ()
    valley: tuple[ClockSpan, ...] = ()
    deep_valley: tuple[ClockSpan, ...] = ()


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """A row `[[schedule]]`: which hours are peak, flat and valley hours.

    Attributes:
        season: rows `[[schedule.season]]`. In each month, on each type of day, they must give each
            half hour exactly one of peak, flat and valley.
        source: document of the hours.
        confidence: `published` if the document's own text was read, `reported` if only reports
            about it were.
    """

    id: Id
    season: tuple[Season, ...]
    source: _Source
    confidence: _Confidence = "published"


class Tariff(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """A row `[[tariff]]`: how the prices of a class of customers are formed.

    Attributes:
        name: name for people; if it is empty, the id is shown.
        medium: medium of the meters.
        unit: unit of the prices, `yuan/kWh`, `yuan/m3` or `yuan/GJ`; that of the medium.
        schedule: id of the schedule; omitted for a tariff without time of use.
        peak_share: share of the purchase price component that is added to the flat price in peak
            hours.
        valley_share: share of the component that is deducted from it in valley hours.
        sharp_factor: price of sharp hours, as a multiple of the peak price.
        deep_valley_factor: price of deep valley hours, as a multiple of the valley price.
        monthly: true if prices are published for each month. A price without `to` then ends with
            the month in which it begins, so that a month whose price was not entered has none.
        resets: time at which the steps of the price are reset; omitted without steps.
        least_contract_share: least contract demand, as a share of the transformer capacity.
        contract_margin: multiple of the contract demand up to which only the contract demand is
            charged. excess_factor: number of times that demand above the margin is charged.
        from_: first local day on which the tariff is in force; omitted if there is no lower limit.
        to: last local day; omitted if there is no upper limit.
        source: document of the rules.
        confidence: `published` if the document's own text was read, `reported` if only reports
            about it were.
    """

    id: Id
    name: str = ""
    medium: Medium
    unit: str
    schedule: Id | None = None
    peak_share: _Share | None = None
    valley_share: _Share | None = None
    sharp_factor: Annotated[float, Meta(ge=1, le=5)] = 1.0
    deep_valley_factor: _Share = 1.0
    monthly: bool = False
    resets: Literal["monthly", "yearly"] | None = None
    least_contract_share: Annotated[float, Meta(ge=0, le=1)] = 0.4
    contract_margin: Annotated[float, Meta(ge=1, le=2)] = 1.05
    excess_factor: Annotated[float, Meta(ge=1, le=10)] = 2.0
    from_: date | None = None
    to: date | None = None
    source: _Source
    confidence: _Confidence = "published"


class PriceStep(msgspec.Struct, frozen=True):
    """A step of a price: the price of each unit above an amount.

    Attributes:
        above: amount since the last reset, above which the step applies [kWh, m3 or GJ].
        price: price of a unit.
    """

    above: NotNegative
    price: _Yuan


class Price(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """A row `[[price]]`: prices of a tariff on some days, in the tariff's unit.

    Attributes:
        tariff: id of the tariff.
        from_: first local day.
        to: last local day; if omitted, the price is in force until a later row of the tariff
            begins, or, if prices are published monthly, until the end of the month of `from`.
        flat: published price of flat hours; of all hours if the tariff has no schedule.
        purchase: purchase price component (购电价格) of the published price, from which peak and
            valley prices follow.
        sharp: price of sharp hours, of a contract that states its own.
        peak: price of peak hours, of a contract that states its own.
        valley: price of valley hours, of a contract that states its own.
        deep_valley: price of deep valley hours, of a contract that states its own.
        steps: prices by amount instead of `flat`, the first one above 0.
        capacity: price of transformer capacity [yuan per kVA and month].
        demand: price of contract demand or greatest demand [yuan per kW and month].
        source: document of the prices.
    """

    tariff: Id
    from_: date
    to: date | None = None
    flat: _Yuan | None = None
    purchase: _Yuan | None = None
    sharp: _Yuan | None = None
    peak: _Yuan | None = None
    valley: _Yuan | None = None
    deep_valley: _Yuan | None = None
    steps: tuple[PriceStep, ...] = ()
    capacity: _Yuan | None = None
    demand: _Yuan | None = None
    source: str = ""

    @property
    def id(self) -> str:
        """Key of the row: a tariff has one row for a first day."""
        return f"{self.tariff} {self.from_}"


class DatedTariff(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """The tariff of an account from the start of a local day, until the next dated tariff."""

    from_: date
    value: Id


class DatedDemand(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """The charge for demand of an account from the first day of a month, until the next row.

    Attributes:
        basis: transformer capacity, contract demand, or the greatest demand of 15 min.
        capacity_kva: capacity of the transformers.
        contract_kw: contract demand, of the basis `contract`.
    """

    from_: date
    basis: DemandBasis
    capacity_kva: Positive | None = None
    contract_kw: Positive | None = None


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A row `[[account]]`: an account of a supplier (用电户号), its meters and its tariff.

    Attributes:
        id: number of the account, as on the bill.
        name: name for people; if it is empty, the id is shown.
        meters: ids of the meters that the supplier bills; if empty, the meter of `site.toml` that
            has the account.
        tariff: tariffs of the account, by date.
        demand: charges for demand, by date; empty for a single-rate tariff.
        amount_tolerance: largest share by which the amount of a bill may differ from the meters'.
        cost_tolerance: largest share by which the cost of a bill may differ from the computed one.
    """

    id: Annotated[
        str,
        Meta(
            pattern=r"^[0-9A-Za-z][0-9A-Za-z-]{0,31}\Z",
            description="Write the number of the account in quotes, at most 32 digits and letters,"
            " for example: {example}",
            examples=["3208001234567"],
        ),
    ]
    name: str = ""
    meters: tuple[Id, ...] = ()
    tariff: Annotated[
        tuple[DatedTariff, ...],
        Meta(min_length=1, examples=[[{"from": date(2025, 6, 1), "value": "jiangsu-two-part"}]]),
    ]
    demand: tuple[DatedDemand, ...] = ()
    amount_tolerance: _Share = 0.02
    cost_tolerance: _Share = 0.05


class ReferencePrice(msgspec.Struct, frozen=True, kw_only=True):
    """A row `[[reference_price]]`: usual prices of a medium, by which bills are checked.

    Attributes:
        id: id of the row.
        medium: medium of the bills.
        unit: unit of the prices; that of the medium.
        least: least usual price.
        greatest: greatest usual price.
        source: document or practice that the prices are from.
    """

    id: Id
    medium: Medium
    unit: str
    least: NotNegative
    greatest: Positive
    source: _Source


class TariffsFile(msgspec.Struct, frozen=True):
    """The content of `tariffs.toml`."""

    schedule: tuple[Schedule, ...] = ()
    tariff: tuple[Tariff, ...] = ()
    price: tuple[Price, ...] = ()
    account: tuple[Account, ...] = ()
    reference_price: tuple[ReferencePrice, ...] = ()


class Tariffs(msgspec.Struct, frozen=True):
    """The tariffs of a site: packaged rows, overridden by those of the site.

    Attributes:
        schedules: schedules by id.
        tariffs: tariffs by id.
        prices: prices of each tariff in order of time, by the tariff's id.
        accounts: accounts, each with its meters.
        references: reference prices.
    """

    schedules: Mapping[str, Schedule]
    tariffs: Mapping[str, Tariff]
    prices: Mapping[str, Sequence[Price]]
    accounts: tuple[Account, ...]
    references: tuple[ReferencePrice, ...]

    def account_tariff(self, account: Account, day: date) -> Tariff | None:
        """Return the tariff of an account that is in force on a local day; None if none is."""
        begun = [row.value for row in account.tariff if row.from_ <= day]
        tariff = self.tariffs[begun[-1]] if begun else None
        if tariff is None or not (tariff.from_ or day) <= day <= (tariff.to or day):
            return None
        return tariff

    def price_on(self, tariff: Tariff, day: date) -> Price | None:
        """Return the price of a tariff that is in force on a local day; None if none is."""
        begun = [row for row in self.prices.get(tariff.id, ()) if row.from_ <= day]
        if not begun:
            return None
        latest = begun[-1]
        if latest.to is not None:
            return latest if day <= latest.to else None
        is_over = tariff.monthly and day >= months_later(latest.from_, 1)
        return None if is_over else latest
