"""Build the simulated meters of a site, with their loads and devices. Pure.

Law: the load of a meter with sub-meters is the sum of the sub-meters' loads and a remainder that
none of them measures.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Final

import msgspec
import numpy as np

from jieneng.metering.catalog.meter_model import Model
from jieneng.metering.errors import Problem
from jieneng.metering.site import Area, DatedValue, Meter, Site, children_of, descendants
from simulators.load.altered_load import AlteredLoad
from simulators.load.constant_load import ConstantLoad
from simulators.load.load import Load, LoadPart
from simulators.load.load_recipes import FALLBACK, Basis, DailyBasis, LoadFactory, LoadRecipes
from simulators.load.seeded_noise import Floats
from simulators.load.simulated_days import FIRST_DAY, PresenceFile, SimulatedDays, simulate_days
from simulators.load.summed_load import SummedLoad
from simulators.protocols import PROTOCOLS
from simulators.registers.device_history import device_periods, midnight_ms
from simulators.registers.simulated_meter import SimulatedMeter
from simulators.settings import LoadRow, SimulatorSettings

SETTINGS_FILE: Final = "simulator.toml"
_TREND_FROM: Final = date(2020, 1, 1)
_UNKNOWN_NAMEPLATE: Final = 10.0  # assumed for a meter without rated_max [kW or m3/h]


class SimulatedSite(msgspec.Struct, frozen=True):
    """A site with its simulated meters and their loads.

    Attributes:
        site: the site, without its virtual meters.
        meters: simulated meters that have a model, by id.
        loads: load of every meter, by id. Leaks are applied to these.
        own_loads: load that a meter measures and none of its sub-meters does, by the meter's id.
            Power cuts are applied to these.
    """

    site: Site
    meters: Mapping[str, SimulatedMeter]
    loads: Mapping[str, AlteredLoad]
    own_loads: Mapping[str, AlteredLoad]


def build(
    site: Site,
    models: Mapping[str, Model],
    settings: SimulatorSettings,
    presence: PresenceFile,
    recipes: LoadRecipes,
    replays: Mapping[str, Load],
) -> SimulatedSite:
    """Build the simulated site.

    Args:
        site: a site that was checked.
        models: models by id; a meter is simulated if its protocol is in `PROTOCOLS`.
        settings: trends and settings of single meters, already checked.
        presence: periods in which fewer people came to the offices than on usual days.
        recipes: recipes of loads.
        replays: loads from measured files, by meter.
    """
    site = _without_virtual_meters(site)
    all_days = simulate_days(presence, settings.last_year, settings.seed, site.id)
    builder = _LoadBuilder(site, settings, recipes, all_days)
    loads: dict[str, AlteredLoad] = {}
    children = children_of({meter.id: meter.parent for meter in site.meter})
    mains = [meter.id for meter in site.meter if meter.parent is None]
    for meter_id in reversed(list(descendants(children, mains))):  # sub-meters first
        loads[meter_id] = AlteredLoad(
            builder.add_own_load(meter_id, replays[meter_id])
            if meter_id in replays
            else builder.load(site.meters[meter_id], loads)
        )
    return SimulatedSite(
        site,
        {
            meter.id: SimulatedMeter(
                meter.id,
                meter.medium,
                loads[meter.id],
                device_periods(site, models, meter, loads[meter.id], replayed=meter.id in replays),
            )
            for meter in site.meter
            if _is_simulated(meter, models)
        },
        loads,
        builder.own_loads,
    )


def _without_virtual_meters(site: Site) -> Site:
    """Return a site with the meters that are read; a virtual meter has no load of its own."""
    read = site.read_meters
    if len(read) == len(site.meter):
        return site
    meters = (
        msgspec.structs.replace(meter, parent=meter.parent if meter.parent in read else None)
        for meter in read.values()
    )
    return msgspec.structs.replace(site, meter=tuple(meters))


def _is_simulated(meter: Meter, models: Mapping[str, Model]) -> bool:
    """Return True if all devices of a meter have a model whose protocol is simulated."""
    ids = [meter.model or "", *(row.model or meter.model or "" for row in meter.replaced)]
    return all(name in models and models[name].protocol in PROTOCOLS for name in ids)


class _LoadBuilder:
    """Builds the loads of meters, and holds the data that the loads share.

    Attributes:
        own_loads: see `SimulatedSite`.
    """

    def __init__(
        self, site: Site, settings: SimulatorSettings, recipes: LoadRecipes, all_days: SimulatedDays
    ) -> None:
        self._site = site
        self._settings = settings
        self._recipes = recipes
        self._days = all_days
        self._factory = LoadFactory(recipes, all_days)
        self._rows = {row.meter: row for row in settings.load}
        self.own_loads: dict[str, AlteredLoad] = {}
        self._children: dict[str, list[str]] = {}
        for meter in site.meter:
            if meter.parent is not None:
                self._children.setdefault(meter.parent, []).append(meter.id)
        # Meters with the same default recipe in the same area share the area's size.
        self._sharing = Counter(
            (meter.last_area, self._default_recipe(meter))
            for meter in site.meter
            if self._uses_default_recipe(meter)
        )
        self._trends = {row.area: row for row in settings.trend}
        self._origin_ms = midnight_ms(site, FIRST_DAY)
        self._years = np.maximum(
            (all_days.dates - np.datetime64(_TREND_FROM)).astype(np.float64) / 365.25, 0.0
        )
        # Thousands of meters share these arrays, which have a number for each day.
        self._ones = np.ones(len(all_days.dates))
        self._sizes: dict[tuple[str, ...], Floats] = {}  # by attribute and ids of areas
        self._trend_factors: dict[float, Floats] = {}  # by percent a year

    def load(self, meter: Meter, loads: Mapping[str, Load]) -> Load:
        """Return the load of a meter; `loads` must contain the loads of its sub-meters."""
        row = self._row(meter)
        own = self._own(meter, row)
        children = [loads[child] for child in self._children.get(meter.id, ())]
        if own is not None:
            parts = [LoadPart(1.0, load) for load in (*children, own)]
            return SummedLoad(parts) if children else own
        percent = self._settings.remainder_pct if row.remainder_pct is None else row.remainder_pct
        return SummedLoad([LoadPart(1.0 + percent / 100.0, child) for child in children])

    def _own(self, meter: Meter, row: LoadRow) -> AlteredLoad | None:
        """Return the load that the meter measures and none of its sub-meters does.

        For a meter without sub-meters this is its whole load. For a meter with sub-meters it is the
        load in the meter's `[[load]]`; None if that has neither a recipe nor a steady load.
        """
        if row.steady is not None:
            return self.add_own_load(meter.id, ConstantLoad(row.steady, self._origin_ms))
        if row.recipe is not None:
            return self._recipe_load(meter, row.recipe, row.scale)
        if meter.id in self._children:
            return None
        default_recipe = self._default_recipe(meter)
        return self._recipe_load(
            meter, default_recipe, row.scale, self._sharing[meter.last_area, default_recipe]
        )

    def _row(self, meter: Meter) -> LoadRow:
        return self._rows.get(meter.id) or LoadRow(meter=meter.id)

    def _uses_default_recipe(self, meter: Meter) -> bool:
        row = self._row(meter)
        return meter.id not in self._children and row.recipe is None and row.steady is None

    def _default_recipe(self, meter: Meter) -> str:
        return self._recipes.default_recipe(
            meter.medium, self._site.areas[meter.last_area].kind, meter.item
        )

    def add_own_load(self, meter_id: str, load: Load) -> AlteredLoad:
        """Record a load in `own_loads`, so that power cuts can be applied to it, and return it."""
        self.own_loads[meter_id] = AlteredLoad(load)
        return self.own_loads[meter_id]

    def _recipe_load(self, meter: Meter, name: str, scale: float, sharing: int = 1) -> AlteredLoad:
        """Return the load of a recipe. The area's size is divided among `sharing` meters."""
        bases = self._bases(meter, scale, sharing)
        recipe = self._recipes.by_name(name)
        if not any(bases[term.basis].size.any() for term in recipe.term):
            recipe = self._recipes.by_name(FALLBACK)
        load = self._factory.load(
            recipe,
            bases,
            trend=self._trend_by_day(meter),
            origin_ms=self._origin_ms,
            noise_name=f"{self._settings.seed} {self._site.id} {meter.id}",
        )
        return self.add_own_load(meter.id, load)

    def _bases(self, meter: Meter, scale: float, sharing: int) -> Mapping[Basis, DailyBasis]:
        rated = meter.rated_max or _UNKNOWN_NAMEPLATE
        return {
            "m2": DailyBasis(scale / sharing, self._size_by_day(meter, "floor_area_m2")),
            "person": DailyBasis(scale / sharing, self._size_by_day(meter, "headcount")),
            "rated": DailyBasis(scale * rated, self._ones),
        }

    def _size_by_day(self, meter: Meter, attribute: str) -> Floats:
        """Return the daily floor area or headcount of the meter's area, or else of the site."""
        area = self._site.areas[meter.last_area]
        areas = [area] if getattr(area, attribute) else _top_areas(self._site)
        cache_key = (attribute, *(one.id for one in areas))
        if cache_key not in self._sizes:
            total = np.zeros(len(self._days.dates))
            for one in areas:
                total += _by_day(getattr(one, attribute), self._days)
            self._sizes[cache_key] = total
        return self._sizes[cache_key]

    def _trend_by_day(self, meter: Meter) -> Floats:
        area: Area | None = self._site.areas[meter.last_area]
        while area is not None and area.id not in self._trends:
            area = self._site.areas.get(area.parent or "")
        if area is None:
            return self._ones
        row = self._trends[area.id]
        percent = row.water_pct_per_year if meter.medium == "water" else row.energy_pct_per_year
        if percent not in self._trend_factors:
            self._trend_factors[percent] = (1.0 + percent / 100.0) ** self._years
        return self._trend_factors[percent]


def _top_areas(site: Site) -> list[Area]:
    return [area for area in site.area if area.parent is None]


def _by_day(rows: Sequence[DatedValue], all_days: SimulatedDays) -> Floats:
    """Return the value valid on each day; before the first row, the first row's value."""
    if not rows:
        return np.zeros(len(all_days.dates))
    begins = np.asarray([np.datetime64(row.from_) for row in rows])
    at = np.searchsorted(begins, all_days.dates, side="right") - 1
    return np.asarray([row.value for row in rows])[np.maximum(at, 0)]


def check(site: Site, settings: SimulatorSettings, recipes: LoadRecipes) -> list[Problem]:
    """Return the problems of the settings: unknown names, and meters with two loads."""
    recipe_names = {row.name for row in recipes.recipe}
    wanted: list[tuple[str, int, str, str, Collection[str]]] = [
        *(("trend", n, "area", row.area, site.areas) for n, row in enumerate(settings.trend)),
        *(("load", n, "meter", row.meter, site.meters) for n, row in enumerate(settings.load)),
        *(
            ("load", n, "recipe", row.recipe, recipe_names)
            for n, row in enumerate(settings.load)
            if row.recipe is not None
        ),
        *(("replay", n, "meter", row.meter, site.meters) for n, row in enumerate(settings.replay)),
        *(("ports", 0, bus, bus, site.buses) for bus in settings.ports),
        *(("devices", 0, bus, bus, site.buses) for bus in settings.devices),
    ]
    given_twice = [
        Problem(
            text="{table}: meter {key} has both steady and recipe.",
            fix="Keep steady or recipe.",
            values={"table": "load", "key": row.meter},
            path=("load", n, "steady"),
            file=SETTINGS_FILE,
        )
        for n, row in enumerate(settings.load)
        if row.steady is not None and row.recipe is not None
    ]
    return given_twice + [
        Problem(
            text="{table}: {key} = {name}, but {name} is not defined.",
            fix="Known are: {known}.",
            values={"table": table, "key": key, "name": name, "known": ", ".join(sorted(known))},
            path=(table, number, key),
            file=SETTINGS_FILE,
        )
        for table, number, key, name, known in wanted
        if name not in known
    ]
