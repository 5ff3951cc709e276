"""A site of any number of meters, with readings each quarter of an hour in the embedded store.

Houses have ten meters each: seven of electricity (a main and six sub-meters), two of water, one of
gas. Registers grow by less at night and at weekends, and are rounded as meters show them.
"""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics import periods
from jieneng.metering import schema
from jieneng.metering.quantities import CONSUMPTION
from jieneng.site_folder import SiteFolder, load
from jieneng.storage import SeriesColumns, Store

SITE: Final = "bench"
STEP_MS: Final = 900_000
_ITEMS: Final = ("lighting", "hvac", "power", "special")


def metered_site(folder: Path, meters: int) -> SiteFolder:
    """Write and load a site of `meters` meters, a multiple of ten."""
    text = [f'[site]\nid = "{SITE}"\nname = "bench"\n']
    for house in range(meters // 10):
        text += _house(house)
    (folder / "site.toml").write_text("\n".join(text), encoding="utf-8")
    return load(folder)


def _house(number: int) -> Iterator[str]:
    yield (
        f'[[institution]]\nid = "office-{number}"\nname = "office"\ncategory = "01"\n'
        f'[[area]]\nid = "house-{number}"\nname = "house"\ninstitutions = ["office-{number}"]\n'
        f"floor_area_m2 = [{{from = 2020-01-01, value = {5000 + 37 * number}.0}}]\n"
        f"headcount = [{{from = 2020-01-01, value = {200 + number}}}]\n"
    )

    def meter(name: str, medium: str, more: str = "") -> str:
        return (
            f'[[meter]]\nid = "{name}"\nname = "{name}"\nmedium = "{medium}"\n'
            f'area = "house-{number}"\nrated_max = 400.0\ninstalled = 2020-01-01\n{more}'
        )

    main = f"e-{number}"
    yield meter(main, "electricity")
    for sub in range(6):
        item = _ITEMS[sub % len(_ITEMS)]
        more = f'parent = "{main}"\nitem = "{item}"\n'
        yield meter(f"{main}-{sub}", "electricity", more)
    yield meter(f"w-{number}", "water")
    yield meter(f"w-{number}-0", "water", f'parent = "w-{number}"\n')
    yield meter(f"g-{number}", "gas")


async def write_readings(folder: SiteFolder, store: Store, first: date, end: date) -> int:
    """Write the registers of all meters from `first` up to `end`; return the number of values."""
    zone = folder.site.zone
    edges = periods.midnight_ms(first, zone), periods.midnight_ms(end, zone)
    times = np.arange(edges[0], edges[1] + 1, STEP_MS)
    for number, meter in enumerate(folder.site.meter):
        values = {
            CONSUMPTION[meter.medium]: registers(number, len(times)),
            schema.QUALITY: np.zeros(len(times)),
        }
        tags = {"site": SITE, "meter": meter.id}
        await store.write_columns(meter.medium, [SeriesColumns(tags, times, values)])
    return len(times) * len(folder.site.meter)


def registers(number: int, count: int) -> NDArray[np.float64]:
    """Return `count` readings of a meter's register, each a quarter of an hour after the other."""
    chance = np.random.default_rng(number)
    quarter = np.arange(count)
    of_day = 1.0 + 0.8 * np.sin((quarter % 96 - 30) * 2 * np.pi / 96)
    of_week = np.where(quarter // 96 % 7 >= 5, 0.3, 1.0)
    steps = (1 + number % 20) * of_day * of_week * chance.uniform(0.8, 1.2, count)
    rounded: NDArray[np.float64] = (1000.0 * (number + 1) + np.cumsum(steps)).round(2)
    return rounded
