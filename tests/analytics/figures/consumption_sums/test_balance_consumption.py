"""Sub-items and rests: each kilowatt-hour counts once, and an unknown consumption has no rest."""

from datetime import date

import msgspec
import numpy as np

from analytics import periods
from analytics.counters.consumption import Consumption
from analytics.figures.boundary.flows import flows_of
from analytics.figures.boundary.site_structure import SiteStructure
from analytics.figures.consumption_sums.balance_consumption import balance_consumption
from analytics.periods import Interval
from jieneng.metering.site import Area, Item, Meter, Site, SiteInfo

NAN = float("nan")


def meter(name: str, parent: str | None = None, item: Item | None = None) -> Meter:
    return Meter(id=name, name=name, medium="electricity", area="house", parent=parent, item=item)


#: A main with lighting, air conditioning, and a computer room whose cooling is measured below it.
METERS = (
    meter("main"),
    meter("light", "main", "lighting"),
    meter("hvac", "main", "hvac"),
    meter("room", "main", "special"),
    meter("servers", "room", "special"),
    meter("cooling", "room", "hvac"),
)
AMOUNTS = {
    "main": 100.0,
    "light": 20.0,
    "hvac": 30.0,
    "room": 40.0,
    "servers": 25.0,
    "cooling": 10.0,
}


def balances(
    amounts: dict[str, float], meters: tuple[Meter, ...] = METERS
) -> dict[tuple[str, str], float]:
    """Return the sums of one day by kind and id."""
    site = Site(
        site=SiteInfo(id="centre", name="centre"),
        area=(Area(id="house", name="house"),),
        meter=meters,
    )
    grid = periods.edges_ms(date(2025, 3, 1), date(2025, 3, 2), "day", site.zone)
    rows: list[dict[Interval, Consumption]] = [{"day": measured(amounts[one.id])} for one in meters]
    flows = flows_of(meters, ())
    begins = {(flow.series, flow.meter.id): date(2020, 1, 1) for flow in flows}
    found = balance_consumption(SiteStructure(site), flows, rows, {"day": grid}, begins)
    return {(tags["kind"], tags["scope"]): float(sums["day"].amount[0]) for tags, sums in found}


def measured(amount: float) -> Consumption:
    known = np.array([float(np.isfinite(amount))])
    nothing = np.zeros(1)
    return Consumption(np.array([amount]), known, nothing, known, nothing, nothing)


def test_each_kilowatt_hour_is_in_one_sub_item() -> None:
    found = balances(AMOUNTS)
    items = {name: value for (kind, name), value in found.items() if kind == "item"}
    assert items == {"lighting": 20.0, "hvac": 40.0, "special": 30.0}
    assert sum(items.values()) == 20 + 30 + 40


def test_the_rest_is_what_no_meter_directly_below_measures() -> None:
    found = balances(AMOUNTS)
    rests = {name: value for (kind, name), value in found.items() if kind == "rest"}
    assert rests == {"main": 10.0, "room": 5.0}


def test_a_rest_is_unknown_while_a_sub_meter_is() -> None:
    found = balances({**AMOUNTS, "light": NAN})
    assert np.isnan(found["rest", "main"])
    assert found["rest", "room"] == 5.0
    assert found["item", "hvac"] == 40.0


def test_what_hung_below_a_removed_meter_hangs_higher() -> None:
    gone = msgspec.structs.replace(METERS[3], removed=date(2024, 12, 31))
    removed = (*METERS[:3], gone, *METERS[4:])
    found = balances({**AMOUNTS, "room": NAN}, removed)
    assert found["rest", "main"] == 100 - 20 - 30 - 25 - 10
    assert ("rest", "room") not in found
    assert found["item", "special"] == 25.0


def test_a_roof_that_feeds_in_behind_the_main_adds_to_it() -> None:
    roof = msgspec.structs.replace(meter("roof", "main"), role="generation")
    found = balances({**AMOUNTS, "roof": 15.0}, (*METERS, roof))
    assert found["rest", "main"] == 25.0
