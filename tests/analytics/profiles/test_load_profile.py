"""Figures of a profile: floors of coverage, peaks of hours, and data rooms."""

from datetime import date, datetime

import numpy as np
import pytest

from analytics.counters.consumption import Consumption
from analytics.figures.roll_up import scopes
from analytics.periods import Period
from analytics.profiles.data_room import is_data_room, it_meters, pue
from analytics.profiles.load_profile import LoadProfile, ProfileInputs, Subject, load_profiles
from analytics.profiles.peak_loads import peak_loads
from jieneng.metering.quantities import Medium
from tests.analytics import sites
from tests.analytics.alerts.signals.made_hours import SHANGHAI, made_hours

NAN = float("nan")
WEEK = Period("week", date(2025, 3, 3), date(2025, 3, 10))


def load(moment: datetime) -> float:
    """Return the load of an office: 2 at night, 10 by day, of working days and of others."""
    return 10.0 if 8 <= moment.hour < 18 else 2.0


def profile(
    medium: Medium = "electricity",
    *,
    measured_days: int = 7,
    quarters: bool = True,
    without_it_meter: bool = False,
    nights_before: tuple[float, ...] = (),
) -> LoadProfile:
    """Return the profile of a week, of which the first days are measured.

    If `quarters`, each hour has one quarter with 40 % of its consumption.
    """

    def amount(moment: datetime) -> float:
        return load(moment) if (moment.date() - WEEK.start).days < measured_days else NAN

    hours = made_hours(WEEK.start, WEEK.end, amount)
    edges = hours.grid.edges_ms
    shares = np.array([0.2, 0.4, 0.2, 0.2]) if quarters else np.full(4, NAN)
    of_quarters = (hours.known[..., None] * shares).reshape(1, -1)
    inner = (edges[:-1, None] + np.arange(4) * 900_000).ravel()
    inputs = ProfileInputs(
        subjects=[Subject("area", "block")],
        medium=medium,
        period=WEEK,
        hours=hours,
        nights_before=np.array([nights_before]),
        quarter_peaks={"2025-03": peak_loads(np.append(inner, edges[-1]), of_quarters)}
        if medium != "water"
        else {},
        hour_peaks={"2025-03": peak_loads(edges, hours.known)},
        without_it_meter=frozenset({"block"} if without_it_meter else ()),
    )
    (found,) = load_profiles(inputs)
    return found


def test_each_figure_has_its_coverage() -> None:
    """10 kWh with 40 % in a quarter: 16 kW; mean (10 x 10 + 14 x 2) / 24 = 5.333 kW."""
    found = profile()
    values = {name: one.value for name, one in found.figures.items()}
    assert values["peak_demand"] == pytest.approx(16.0)
    assert values["load_factor"] == pytest.approx(5.333333 / 16, abs=1e-6)
    assert values["night_base_load"] == 2.0
    assert values["days_off_share"] == pytest.approx(2 / 7, abs=1e-6)
    assert set(values) == {"peak_demand", "load_factor", "night_base_load", "days_off_share"}
    assert {one.coverage for one in found.figures.values()} == {1.0}
    assert found.peaks["2025-03"].value == 16.0
    first = datetime(2025, 3, 3, 8, 15, tzinfo=SHANGHAI)
    assert found.figures["peak_demand"].time_ms == first.timestamp() * 1000
    assert found.findings == ()


def test_below_the_floor_there_is_no_peak_and_a_reason() -> None:
    """Of 7 days 4 are measured: too few for a peak, and enough for a median of nights."""
    found = profile(measured_days=4)
    assert found.figures["peak_demand"].value is None
    assert found.figures["load_factor"].value is None
    assert found.figures["days_off_share"].value is None
    assert found.peaks["2025-03"].value is None
    assert found.figures["night_base_load"].value == 2.0
    (reason,) = found.findings
    assert reason.code == "hours_not_measured"
    values = {"medium": "electricity", "share": pytest.approx(4 / 7), "floor": 0.95}
    assert dict(reason.values) == values


def test_a_meter_that_is_read_every_hour_has_the_peak_of_hours() -> None:
    found = profile(quarters=False)
    assert found.figures["peak_demand"].value == 10.0
    assert found.figures["peak_demand"].interval == "hour"
    assert found.findings == ()


def test_water_has_a_leak_level_and_no_demand() -> None:
    """2 m3/h that run on are 17,520 m3 in 365 days."""
    found = profile("water")
    assert found.figures["leak_level"].value == 2.0
    assert found.figures["leak_yearly"].value == 17_520.0
    assert "peak_demand" not in found.figures
    assert found.peaks == {}
    np.testing.assert_equal(found.night_leak, [NAN] * 4 + [2.0] * 3)


def test_the_leak_level_of_the_first_days_needs_the_nights_before() -> None:
    """Of the seven nights up to the fifth day, two are 0: the level is 0.2 of the step to 2."""
    found = profile("water", nights_before=(0.0,) * 6)
    np.testing.assert_allclose(found.night_leak, [0.0] * 4 + [0.4, 2.0, 2.0])


def test_a_data_room_without_it_meter_says_so() -> None:
    assert [one.code for one in profile(without_it_meter=True).findings] == ["no_it_meter"]


ROOM = """
[[area]]
id = "block"
name = "block"

[[area]]
id = "room"
name = "room"
kind = "data_room"
parent = "block"
"""


def meter(name: str, parent: str | None = None, item: str | None = None, area: str = "room") -> str:
    """Return the text of an electricity meter."""
    more = "".join(
        f'{key} = "{value}"\n' for key, value in (("parent", parent), ("item", item)) if value
    )
    return (
        f'[[meter]]\nid = "{name}"\nname = "{name}"\nmedium = "electricity"\narea = "{area}"\n'
        f"rated_max = 100.0\ninstalled = 2020-01-01\n{more}\n"
    )


@pytest.mark.parametrize(
    ("meters", "expected"),
    [
        (meter("total", item="special"), []),
        (meter("total") + meter("it", "total", "special"), ["it"]),
        (
            meter("main", area="block")
            + meter("total", "main", "special")
            + meter("it", "total", "special")
            + meter("cool", "total", "hvac"),
            ["it"],
        ),
        (
            meter("total")
            + meter("ups", "total", "special")
            + meter("rack", "ups", "special")
            + meter("ups-2", "total", "special"),
            ["ups", "ups-2"],
        ),
        (meter("total") + meter("lamps", "total", "lighting"), []),
    ],
)
def test_it_meters_are_the_upper_ones_below_the_total(meters: str, expected: list[str]) -> None:
    site = sites.site(ROOM + meters)
    room = next(scope for scope in scopes(site) if is_data_room(scope))
    assert room.id == "room"
    assert [one.id for one in it_meters(room, date(2025, 1, 1))] == expected


def days(amount: list[float], bounded: list[float]) -> Consumption:
    nothing = np.zeros(len(amount))
    amounts = np.array(amount)
    return Consumption(amounts, nothing, nothing, np.array(bounded), nothing, nothing)


def test_pue_is_the_ratio_of_the_days_that_are_known_of_both() -> None:
    """(30 + 33) / (20 + 20) on two of four days."""
    total = days([30.0, 33.0, 500.0, NAN], [1.0, 1.0, 1.0, 0.0])
    equipment = days([20.0, 20.0, 1.0, 20.0], [1.0, 1.0, 0.5, 1.0])
    ratio, coverage = pue(total, equipment)
    assert ratio == pytest.approx(1.575)
    assert coverage == 0.5


@pytest.mark.parametrize("amount", [0.0, NAN])
def test_without_consumption_of_the_equipment_there_is_no_pue(amount: float) -> None:
    ratio, _ = pue(days([30.0], [1.0]), days([amount], [1.0]))
    assert np.isnan(ratio)
