"""Build the simulated meters of a site, with their loads and devices. Pure.

Law: the load of a meter with sub-meters is the sum of theirs and a remainder of its own, so
balances hold.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Final

import msgspec
import numpy as np

from jieneng.metering.catalog.modbus_points import ModbusModel
from jieneng.metering.errors import Problem
from jieneng.metering.site import Area, Dated, Meter, Site, below
from simulators.load.altered_load import AlteredLoad
from simulators.load.constant_load import ConstantLoad
from simulators.load.load import Load, Part
from simulators.load.load_recipes import FALLBACK, Basis, DailyBasis, LoadFactory, LoadRecipes
from simulators.load.seeded_noise import Floats
from simulators.load.simulated_days import FIRST_DAY, PresenceFile, SimulatedDays, days
from simulators.load.summed_load import SummedLoad
from simulators.registers import simulated_meter as metered
from simulators.registers.device_history import device_periods, midnight_ms
from simulators.settings import LoadRow, SimulatorSettings

SETTINGS_FILE: Final = "simulator.toml"
_TREND_FROM: Final = date(2020, 1, 1)
_UNKNOWN_NAMEPLATE: Final = 10.0  # kW or m3/h, of a meter without rated_max


class SimulatedSite(msgspec.Struct, frozen=True):
    """A site with its simulated meters and their loads.

    Attributes:
        site: the site.
        meters: simulated meters that have a model, by id.
        flows: load of every meter, by id; leaks are applied to these.
        leaves: load that no sub-meter measures, by the id of the meter that measures it; power
            cuts are applied to these.
    """

    site: Site
    meters: Mapping[str, metered.Meter]
    flows: Mapping[str, AlteredLoad]
    leaves: Mapping[str, AlteredLoad]


def build(
    site: Site,
    models: Mapping[str, ModbusModel],
    settings: SimulatorSettings,
    presence: PresenceFile,
    book: LoadRecipes,
    replays: Mapping[str, Load],
) -> SimulatedSite:
    """Build the simulated site.

    Args:
        site: a site that was checked.
        models: Modbus models by id; a meter of another protocol is not simulated.
        settings: trends and settings of single meters, already checked.
        presence: when fewer people came than the calendar says.
        book: recipes.
        replays: loads from measured files, by meter.
    """
    maker = _Loads(site, settings, book, days(presence, settings.last_year, settings.seed, site.id))
    loads: dict[str, AlteredLoad] = {}
    parents = {one.id: one.parent for one in site.meter}
    tops = [one.id for one in site.meter if one.parent is None]
    for name in reversed(list(below(parents, tops))):  # sub-meters first
        loads[name] = AlteredLoad(
            maker.leaf(name, replays[name])
            if name in replays
            else maker.load(site.meters[name], loads)
        )
    return SimulatedSite(
        site,
        {
            one.id: metered.Meter(
                one.id,
                one.medium,
                loads[one.id],
                device_periods(site, models, one, loads[one.id], replayed=one.id in replays),
            )
            for one in site.meter
            if one.model in models
        },
        loads,
        maker.leaves,
    )


class _Loads:
    """Build the loads of meters, and keep the data that they share.

    Attributes:
        leaves: see `SimulatedSite`.
    """

    def __init__(
        self, site: Site, settings: SimulatorSettings, book: LoadRecipes, all_days: SimulatedDays
    ) -> None:
        self._site = site
        self._settings = settings
        self._book = book
        self._days = all_days
        self._makings = LoadFactory(book, all_days)
        self._rows = {row.meter: row for row in settings.load}
        self.leaves: dict[str, AlteredLoad] = {}
        self._children: dict[str, list[str]] = {}
        for one in site.meter:
            if one.parent is not None:
                self._children.setdefault(one.parent, []).append(one.id)
        # Meters with the same default recipe in the same area share the area's size.
        self._alike = Counter(
            (one.area, self._usual(one)) for one in site.meter if self._guessed(one)
        )
        self._trends = {row.area: row for row in settings.trend}
        self._origin_ms = midnight_ms(site, FIRST_DAY)
        self._years = np.maximum(
            (all_days.dates - np.datetime64(_TREND_FROM)).astype(np.float64) / 365.25, 0.0
        )
        # Arrays of a number for each day are kept once, because thousands of meters share them.
        self._ones = np.ones(len(all_days.dates))
        self._sizes: dict[tuple[str, ...], Floats] = {}  # by what, and of which areas
        self._courses: dict[float, Floats] = {}  # by percent a year

    def load(self, one: Meter, loads: Mapping[str, Load]) -> Load:
        """Return the load of a meter; the loads of its sub-meters must be in `loads`."""
        row = self._row(one)
        own = self._own(one, row)
        children = [loads[child] for child in self._children.get(one.id, ())]
        if own is not None:
            return SummedLoad([Part(1.0, each) for each in (*children, own)]) if children else own
        percent = self._settings.remainder_pct if row.remainder_pct is None else row.remainder_pct
        return SummedLoad([Part(1.0 + percent / 100.0, child) for child in children])

    def _own(self, one: Meter, row: LoadRow) -> AlteredLoad | None:
        """Return the load that no sub-meter measures.

        For a meter without sub-meters this is its whole load. For a meter with sub-meters it is the
        load that the meter's row names; None if the row names none.
        """
        if row.steady is not None:
            return self.leaf(one.id, ConstantLoad(row.steady, self._origin_ms))
        if row.recipe is not None:
            return self._leaf(one, row.recipe, row.scale)
        if one.id in self._children:
            return None
        usual = self._usual(one)
        return self._leaf(one, usual, row.scale, self._alike[one.area, usual])

    def _row(self, one: Meter) -> LoadRow:
        return self._rows.get(one.id) or LoadRow(meter=one.id)

    def _guessed(self, one: Meter) -> bool:
        row = self._row(one)
        return one.id not in self._children and row.recipe is None and row.steady is None

    def _usual(self, one: Meter) -> str:
        return self._book.usual(one.medium, self._site.areas[one.area].kind, one.item)

    def leaf(self, meter: str, load: Load) -> AlteredLoad:
        """Register a load that no sub-meter measures, and return it."""
        self.leaves[meter] = AlteredLoad(load)
        return self.leaves[meter]

    def _leaf(self, one: Meter, name: str, scale: float, alike: int = 1) -> AlteredLoad:
        """Return the load of a recipe; `alike` meters share the size of the area."""
        bases = self._bases(one, scale, alike)
        recipe = self._book.named(name)
        if not any(bases[term.basis].size.any() for term in recipe.term):
            recipe = self._book.named(FALLBACK)
        load = self._makings.load(
            recipe,
            bases,
            trend=self._trend(one),
            origin_ms=self._origin_ms,
            of=f"{self._settings.seed} {self._site.id} {one.id}",
        )
        return self.leaf(one.id, load)

    def _bases(self, one: Meter, scale: float, alike: int) -> Mapping[Basis, DailyBasis]:
        rated = one.rated_max or _UNKNOWN_NAMEPLATE
        return {
            "m2": DailyBasis(scale / alike, self._size(one, "floor_area_m2")),
            "person": DailyBasis(scale / alike, self._size(one, "headcount")),
            "rated": DailyBasis(scale * rated, self._ones),
        }

    def _size(self, one: Meter, what: str) -> Floats:
        """Return a dated number of the meter's area by day; the site's if the area has none."""
        area = self._site.areas[one.area]
        areas = [area] if getattr(area, what) else _tops(self._site)
        which = (what, *(each.id for each in areas))
        if which not in self._sizes:
            total = np.zeros(len(self._days.dates))
            for each in areas:
                total += _by_day(getattr(each, what), self._days)
            self._sizes[which] = total
        return self._sizes[which]

    def _trend(self, one: Meter) -> Floats:
        area: Area | None = self._site.areas[one.area]
        while area is not None and area.id not in self._trends:
            area = self._site.areas.get(area.parent or "")
        if area is None:
            return self._ones
        row = self._trends[area.id]
        percent = row.water_pct_per_year if one.medium == "water" else row.energy_pct_per_year
        if percent not in self._courses:
            self._courses[percent] = (1.0 + percent / 100.0) ** self._years
        return self._courses[percent]


def _tops(site: Site) -> list[Area]:
    return [area for area in site.area if area.parent is None]


def _by_day(rows: Sequence[Dated], all_days: SimulatedDays) -> Floats:
    """Return a dated number for each day; before the first row, the first row's value."""
    if not rows:
        return np.zeros(len(all_days.dates))
    begins = np.asarray([np.datetime64(row.from_) for row in rows])
    at = np.searchsorted(begins, all_days.dates, side="right") - 1
    return np.asarray([row.value for row in rows])[np.maximum(at, 0)]


def check(site: Site, settings: SimulatorSettings, book: LoadRecipes) -> list[Problem]:
    """Return the problems of the settings: unknown names, and loads given twice."""
    known = {row.name for row in book.recipe}
    wanted: list[tuple[str, int, str, str, Collection[str]]] = [
        *(("trend", n, "area", row.area, site.areas) for n, row in enumerate(settings.trend)),
        *(("load", n, "meter", row.meter, site.meters) for n, row in enumerate(settings.load)),
        *(
            ("load", n, "recipe", row.recipe, known)
            for n, row in enumerate(settings.load)
            if row.recipe is not None
        ),
        *(("replay", n, "meter", row.meter, site.meters) for n, row in enumerate(settings.replay)),
        *(("ports", 0, bus, bus, site.buses) for bus in settings.ports),
        *(("devices", 0, bus, bus, site.buses) for bus in settings.devices),
    ]
    twice = [
        Problem(
            text="{table}: {key} flows evenly, and by a recipe.",
            fix="Keep steady or recipe.",
            values={"table": "load", "key": row.meter},
            path=("load", n, "steady"),
            file=SETTINGS_FILE,
        )
        for n, row in enumerate(settings.load)
        if row.steady is not None and row.recipe is not None
    ]
    return twice + [
        Problem(
            text="{table}: {key} = {name} refers to nothing.",
            fix="Known are: {known}.",
            values={"table": table, "key": key, "name": name, "known": ", ".join(sorted(there))},
            path=(table, number, key),
            file=SETTINGS_FILE,
        )
        for table, number, key, name, there in wanted
        if name not in there
    ]
