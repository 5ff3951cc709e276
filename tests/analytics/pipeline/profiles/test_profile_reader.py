"""Load profiles from stored readings: of meters, of scopes, and of a data room."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from analytics.calendar.working_hours import Hours
from analytics.periods import Period
from analytics.pipeline.pipeline import Pipeline
from analytics.pipeline.profiles.profile_reader import ProfileReader
from analytics.profiles.load_profile import LoadProfile
from analytics.site_analytics import load_rules
from jieneng.metering.errors import UsageError
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store
from tests.analytics import sites
from tests.analytics.pipeline.signals.stored_messages import at, readings

#: Three weeks from a Sunday on, with 7 days off: Monday 2 June 2025 was a public holiday.
FIRST, DAYS = date(2025, 6, 1), 21
PERIOD = Period("three weeks", FIRST, FIRST + timedelta(days=DAYS))
FIRST_MS = at(-3 * 86_400 - 8 * 3600)
QUARTERS = DAYS * 96

AREAS = """
[[area]]
id = "house"
name = "house"

[[area]]
id = "room"
name = "room"
kind = "data_room"
parent = "house"
"""


def row(name: str, area: str = "house", **keys: str) -> str:
    more = "".join(f'{key} = "{value}"\n' for key, value in keys.items())
    removed = "removed = 2025-05-01\n" if name == "old" else ""
    return (
        f'[[meter]]\nid = "{name}"\nname = "{name}"\nmedium = "electricity"\narea = "{area}"\n'
        f"rated_max = 1000.0\ninstalled = 2020-01-01\n{removed}{more}\n"
    )


async def reader_of(path: Path, store: Store, *meters: str, computed: bool) -> ProfileReader:
    """Return a reader of a site whose meters are read by the quarter of an hour.

    In each hour, a meter counts 1, 1, 1 and 3 kWh; `it` half of it. `daily` is read each midnight.
    """
    folder: SiteFolder = sites.folder(path, AREAS + "".join(meters))
    hour = np.array([1.0, 1.0, 1.0, 3.0])
    register = np.concatenate([[0.0], np.cumsum(np.tile(hour, QUARTERS // 4))])
    times = 900.0 * np.arange(QUARTERS + 1) - 3 * 86_400 - 8 * 3600
    for meter in folder.site.meters:
        if meter in ("old", "rest"):  # removed, or computed
            continue
        step, share = (96 if meter == "daily" else 1), (0.5 if meter == "it" else 1.0)
        values = zip(times[::step].tolist(), (share * register[::step]).tolist(), strict=True)
        await store.write(readings(meter, values, "energy_kwh"))
    if computed:
        pipeline = Pipeline(folder, load_rules(folder.path), store, detail_days=3)
        await pipeline.backfill(FIRST, PERIOD.end, lambda _: None)
    return ProfileReader(folder, load_rules(folder.path), Hours(), store)


def figures(found: LoadProfile) -> dict[str, float | None]:
    return {name: value.value for name, value in found.figures.items()}


@pytest.mark.parametrize("computed", [True, False])
async def test_a_meter_and_its_house_have_the_same_profile(
    tmp_path: Path, store: Store, *, computed: bool
) -> None:
    """Days that are partly stored, or not at all; a meter that was removed enters into no hour."""
    reader = await reader_of(tmp_path, store, row("main"), row("old"), computed=computed)
    meter, house = await reader.profiles(PERIOD, [reader.meter("main"), reader.scope("house")])
    expected = {"peak_demand": 12.0, "load_factor": 0.5, "night_base_load": 6.0}
    assert figures(meter) == figures(house) == {**expected, "days_off_share": round(1 / 3, 6)}
    assert meter.figures["peak_demand"].interval == "15min"
    assert meter.figures["peak_demand"].time_ms == FIRST_MS + 45 * 60_000
    assert (meter.coverage, house.coverage) == (1.0, 1.0)
    assert list(meter.peaks) == ["2025-06"]
    assert meter.findings == house.findings == ()


async def test_a_meter_that_is_read_once_a_day_has_no_peak(tmp_path: Path, store: Store) -> None:
    """The house has none either, because the meter enters into its load."""
    reader = await reader_of(tmp_path, store, row("main"), row("daily"), computed=False)
    found = await reader.profiles(PERIOD, [reader.meter("daily"), reader.scope("house")])
    assert [set(figures(one).values()) for one in found] == [{None}, {None}]
    assert [one.findings[0].code for one in found] == ["hours_not_measured"] * 2


async def test_a_data_room_has_a_pue(tmp_path: Path, store: Store) -> None:
    meters = (row("total", "room"), row("it", "room", parent="total", item="special"))
    reader = await reader_of(tmp_path, store, *meters, computed=True)
    found = await reader.profiles(PERIOD, [reader.scope("room"), reader.scope("house")])
    assert [figures(one).get("pue") for one in found] == [pytest.approx(2.0), None]


async def test_a_virtual_meter_has_a_profile(tmp_path: Path, store: Store) -> None:
    """The other half of the total, measured where both operands are."""
    rest = row("rest", formula="total - it").replace("rated_max = 1000.0\n", "")
    meters = (row("total"), row("it", parent="total"), rest.replace("installed = 2020-01-01\n", ""))
    reader = await reader_of(tmp_path, store, *meters, computed=True)
    (found,) = await reader.profiles(PERIOD, [reader.meter("rest")])
    assert figures(found)["peak_demand"] == pytest.approx(6.0)
    assert found.coverage == 1.0


async def test_unknown_scopes_and_meters_are_said(tmp_path: Path, store: Store) -> None:
    reader = await reader_of(tmp_path, store, row("main"), computed=False)
    with pytest.raises(UsageError, match="attic"):
        reader.scope("attic")
    with pytest.raises(UsageError, match="no meter"):
        reader.meter("e-attic")
