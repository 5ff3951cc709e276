"""A site of any number of meters, with readings each quarter of an hour in the embedded store.

A building has a hundred meters and six areas: itself, four further floors, and a shop that is let
out. Electricity, water and gas have mains. Below the main of electricity, each floor has a meter
with fifteen sub-items, two of which state no meter above. One meter of a building generates, and
one is virtual. Five buildings belong to one institution.

Registers grow less at night and at weekends, and are rounded as meters show them. A meter measures
more than the meters below it together, so balances agree.
"""

from collections.abc import Iterator
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics import periods
from jieneng.metering import schema
from jieneng.metering.quantities import CONSUMPTION
from jieneng.metering.site import Site
from jieneng.site_folder import SiteFolder, load
from jieneng.storage import SeriesColumns, Store

SITE: Final = "bench"
STEP_MS: Final = 900_000
METERS_OF_BUILDING: Final = 100
_BUILDINGS_OF_INSTITUTION: Final = 5
_FLOORS: Final = 5
_ITEMS: Final = ("lighting", "hvac", "power", "special")
#: Sub-items of a floor with the floor's meter above them, and without a stated meter above.
_SUB_ITEMS: Final = 13
_LONE_SUB_ITEMS: Final = 2
#: Consumption of a meter, divided by that of the meters directly below it.
_WITH_REST: Final = 1.1


def metered_site(folder: Path, meters: int) -> SiteFolder:
    """Write and load a site of `meters` meters; the last building may have fewer than others.

    Each building has an annual quota.
    """
    buildings = -(-meters // METERS_OF_BUILDING)
    institutions = -(-buildings // _BUILDINGS_OF_INSTITUTION)
    text = [f'[site]\nid = "{SITE}"\nname = "bench"\n']
    text += [
        f'[[institution]]\nid = "office-{number}"\nname = "office"\n'
        for number in range(institutions)
    ]
    for building in range(buildings):
        text += _areas(building)
        text += islice(_meters(building), meters - building * METERS_OF_BUILDING)
    (folder / "site.toml").write_text("\n".join(text), encoding="utf-8")
    quotas = "\n".join(map(_quota, range(buildings)))
    (folder / "quotas.toml").write_text(quotas, encoding="utf-8")
    return load(folder)


def _areas(building: int) -> Iterator[str]:
    """Yield the building, its further floors, and its shop, in TOML."""
    house = f"b-{building}"
    yield (
        f'[[area]]\nid = "{house}"\nname = "house"\n'
        f'institutions = ["office-{building // _BUILDINGS_OF_INSTITUTION}"]\n'
        f"floor_area_m2 = [{{from = 2020-01-01, value = {5000 + 37 * building}.0}}]\n"
        f"headcount = [{{from = 2020-01-01, value = {200 + building}}}]\n"
    )
    for floor in range(1, _FLOORS):
        yield (
            f'[[area]]\nid = "{house}-{floor}"\nname = "floor"\nparent = "{house}"\n'
            f"floor_area_m2 = [{{from = 2020-01-01, value = 900.0}}]\n"
            f"headcount = [{{from = 2020-01-01, value = {30 + floor}}}]\n"
        )
    yield (
        f'[[area]]\nid = "{house}-shop"\nname = "shop"\nparent = "{house}-1"\ncounts = false\n'
        f"floor_area_m2 = [{{from = 2020-01-01, value = 80.0}}]\n"
    )


def _quota(building: int) -> str:
    """Return the annual quota of a building in TOML."""
    return (
        f'[[annual_quota]]\nid = "q-{building}"\nscope = "b-{building}"\n'
        'indicator = "electricity"\nvalue = 9000000.0\nunit = "kWh"\nby_month = "last_year"\n'
        'from = 2020\nsource = "made for this bench"\n'
    )


def _meters(building: int) -> Iterator[str]:
    """Yield the meters of a building in TOML, each after the meters above it."""
    main, house = f"e-{building}", f"b-{building}"
    for floor in range(_FLOORS):
        area = house if floor == 0 else f"{house}-{floor}"
        above = main if floor == 0 else f"{main}-{floor}"
        yield _meter(above, "electricity", area, "" if floor == 0 else f'parent = "{main}"')
        for number in range(_SUB_ITEMS + _LONE_SUB_ITEMS):
            parent = f'parent = "{above}"\n' if number < _SUB_ITEMS else ""
            item = f'item = "{_ITEMS[number % len(_ITEMS)]}"'
            yield _meter(f"{main}-{floor}-{number}", "electricity", area, parent + item)
        water = f"w-{building}"
        yield _meter(f"{water}-{floor}", "water", area, f'parent = "{water}-0"' if floor else "")
        for number in range(2):
            parent = f'parent = "{water}-{floor}"'
            yield _meter(f"{water}-{floor}-{number}", "water", area, parent)
        match floor:
            case 0:
                yield _meter(f"g-{building}", "gas", area)
            case 1:
                yield _meter(f"s-{building}", "electricity", f"{house}-shop", f'parent = "{above}"')
            case 2:
                more = f'role = "generation"\nparent = "{main}"'
                yield _meter(f"pv-{building}", "electricity", area, more)
            case 3:
                formula = f'formula = "{above} - {above}-0"'
                yield _meter(f"v-{building}", "electricity", area, formula)
            case _:
                yield _meter(f"h-{building}", "gas", area, f'parent = "g-{building}"')


def _meter(name: str, medium: str, area: str, more: str = "") -> str:
    read = "" if "formula" in more else "rated_max = 4000.0\ninstalled = 2020-01-01\n"
    return (
        f'[[meter]]\nid = "{name}"\nname = "{name}"\nmedium = "{medium}"\narea = "{area}"\n'
        f"{read}{more}\n"
    )


async def write_readings(
    folder: SiteFolder, store: Store, first: date, end: date, step_ms: int = STEP_MS
) -> int:
    """Write the registers of all meters from `first` up to `end`; return the number of values."""
    zone = folder.site.zone
    edges = periods.midnight_ms(first, zone), periods.midnight_ms(end, zone)
    times = np.arange(edges[0], edges[1] + 1, step_ms)
    loads = _loads(folder.site)
    for number, meter in enumerate(folder.site.read_meters.values()):
        values = {
            CONSUMPTION[meter.medium]: registers(number, loads[meter.id], times),
            schema.QUALITY: np.zeros(len(times)),
        }
        tags = {"site": SITE, "meter": meter.id}
        await store.write_columns(meter.medium, [SeriesColumns(tags, times, values)])
    return len(times) * len(folder.site.read_meters)


def _loads(site: Site) -> dict[str, float]:
    """Return the mean consumption of each meter in a quarter of an hour."""
    loads: dict[str, float] = {}
    below: dict[str, float] = {}
    for number, meter in reversed(list(enumerate(site.read_meters.values()))):
        loads[meter.id] = _WITH_REST * below.get(meter.id, 0.0) or 1.0 + number % 5
        if meter.parent is not None and meter.role == "consumption":
            below[meter.parent] = below.get(meter.parent, 0.0) + loads[meter.id]
    return loads


def registers(number: int, load: float, times: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the readings of a meter's register at equidistant times [UTC, ms].

    Args:
        number: number of the meter, for its chance.
        load: mean consumption in a quarter of an hour.
        times: the times, shape (n,).
    """
    chance = np.random.default_rng(number)
    quarter = (times - times[0]) // STEP_MS
    of_day = 1.0 + 0.8 * np.sin((quarter % 96 - 30) * 2 * np.pi / 96)
    of_week = np.where(quarter // 96 % 7 >= 5, 0.3, 1.0)
    growth = np.diff(quarter, prepend=-1)
    steps = load * growth * of_day * of_week * chance.uniform(0.8, 1.2, len(times))
    rounded: NDArray[np.float64] = (1000.0 * (number + 1) + np.cumsum(steps)).round(2)
    return rounded
