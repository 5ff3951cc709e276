"""A site -> meters that behave: each gets its load, and the devices that hung there. Pure.

Law: a meter with sub-meters sees the sum of them and a remainder of its own, so balances hold.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Final

import msgspec
import numpy as np

from jieneng.metering.catalog import Model
from jieneng.metering.errors import Problem
from jieneng.metering.site import Area, Dated, Meter, Site, below
from simulators import meter as metered
from simulators.config import LoadRow, SimulatorSettings
from simulators.days import FIRST, Days, Holidays, days
from simulators.devices import midnight_ms, stretches
from simulators.load import Load, Part, Sum
from simulators.noise import Floats
from simulators.recipes import FALLBACK, Basis, Book, shaped

SETTINGS_FILE: Final = "simulator.toml"
_TREND_FROM: Final = date(2020, 1, 1)
_UNKNOWN_NAMEPLATE: Final = 10.0  # kW or m3/h, of a meter without rated_max


class Campus(msgspec.Struct, frozen=True):
    """A simulated site.

    Attributes:
        site: the site.
        meters: by id, those that have a model.
        holidays: the calendar that its loads follow.
    """

    site: Site
    meters: Mapping[str, metered.Meter]
    holidays: Holidays


def build(
    site: Site,
    models: Mapping[str, Model],
    settings: SimulatorSettings,
    holidays: Holidays,
    book: Book,
    replays: Mapping[str, Load],
) -> Campus:
    """The campus of a site.

    Args:
        site: a site that was checked.
        models: by id.
        settings: trends, and what is special about some meters; checked.
        holidays: the calendar.
        book: recipes.
        replays: loads that are given already, by meter.
    """
    maker = _Loads(site, settings, book, days(holidays, settings.last_year, settings.seed, site.id))
    loads: dict[str, Load] = {}
    parents = {one.id: one.parent for one in site.meter}
    tops = [one.id for one in site.meter if one.parent is None]
    for name in reversed(list(below(parents, tops))):  # sub-meters first
        loads[name] = replays.get(name) or maker.load(site.meters[name], loads)
    return Campus(
        site,
        {
            one.id: metered.Meter(
                one.id,
                one.medium,
                loads[one.id],
                stretches(site, models, one, loads[one.id], replayed=one.id in replays),
            )
            for one in site.meter
            if one.model is not None
        },
        holidays,
    )


class _Loads:
    """Makes the loads of meters; holds what they have in common."""

    def __init__(self, site: Site, settings: SimulatorSettings, book: Book, all_days: Days) -> None:
        self._site = site
        self._settings = settings
        self._book = book
        self._days = all_days
        self._rows = {row.meter: row for row in settings.load}
        self._children: dict[str, list[str]] = {}
        for one in site.meter:
            if one.parent is not None:
                self._children.setdefault(one.parent, []).append(one.id)
        # Meters that are guessed to measure the same share what there is.
        self._alike = Counter(
            (one.area, self._usual(one))
            for one in site.meter
            if one.id not in self._children and self._named(one) is None
        )
        self._trends = {row.area: row for row in settings.trend}
        self._origin_ms = midnight_ms(site, FIRST)
        self._years = np.maximum(
            (all_days.dates - np.datetime64(_TREND_FROM)).astype(np.float64) / 365.25, 0.0
        )

    def load(self, one: Meter, loads: Mapping[str, Load]) -> Load:
        """The load of a meter whose sub-meters have theirs."""
        row = self._rows.get(one.id) or LoadRow(meter=one.id)
        named, usual = self._named(one), self._usual(one)
        if one.id not in self._children and named is None:
            return self._leaf(one, usual, row.scale, self._alike[one.area, usual])
        children = [loads[child] for child in self._children.get(one.id, ())]
        if named is not None:
            own = self._leaf(one, named, row.scale)
            return Sum([Part(1.0, each) for each in (*children, own)]) if children else own
        percent = self._settings.remainder_pct if row.remainder_pct is None else row.remainder_pct
        return Sum([Part(1.0 + percent / 100.0, child) for child in children])

    def _named(self, one: Meter) -> str | None:
        return self._rows[one.id].recipe if one.id in self._rows else None

    def _usual(self, one: Meter) -> str:
        return self._book.usual(one.medium, self._site.areas[one.area].kind, one.item)

    def _leaf(self, one: Meter, name: str, scale: float, alike: int = 1) -> Load:
        """A recipe's load; `alike` meters share its area."""
        bases = self._bases(one, scale, alike)
        recipe = self._book.named(name)
        if not any(bases[term.basis].any() for term in recipe.term):
            recipe = self._book.named(FALLBACK)
        return shaped(
            self._book,
            recipe,
            self._days,
            bases,
            trend=self._trend(one),
            origin_ms=self._origin_ms,
            of=f"{self._settings.seed} {self._site.id} {one.id}",
        )

    def _bases(self, one: Meter, scale: float, alike: int) -> Mapping[Basis, Floats]:
        rated = one.rated_max or _UNKNOWN_NAMEPLATE
        return {
            "m2": scale / alike * self._dated(one, "floor_area_m2"),
            "person": scale / alike * self._dated(one, "headcount"),
            "rated": np.full(len(self._days.dates), scale * rated),
        }

    def _dated(self, one: Meter, what: str) -> Floats:
        """A dated number of the meter's area by day, or of the site where the area has none."""
        area = self._site.areas[one.area]
        areas = [area] if getattr(area, what) else _tops(self._site)
        total = np.zeros(len(self._days.dates))
        for each in areas:
            total += _by_day(getattr(each, what), self._days)
        return total

    def _trend(self, one: Meter) -> Floats:
        area: Area | None = self._site.areas[one.area]
        while area is not None and area.id not in self._trends:
            area = self._site.areas.get(area.parent or "")
        if area is None:
            return np.ones(len(self._years))
        row = self._trends[area.id]
        percent = row.water_pct_per_year if one.medium == "water" else row.energy_pct_per_year
        return np.asarray((1.0 + percent / 100.0) ** self._years)


def _tops(site: Site) -> list[Area]:
    return [area for area in site.area if area.parent is None]


def _by_day(rows: Sequence[Dated], all_days: Days) -> Floats:
    """A dated number for each day; before the first row, what the first row says."""
    if not rows:
        return np.zeros(len(all_days.dates))
    begins = np.asarray([np.datetime64(row.from_) for row in rows])
    at = np.searchsorted(begins, all_days.dates, side="right") - 1
    return np.asarray([row.value for row in rows])[np.maximum(at, 0)]


def check(site: Site, settings: SimulatorSettings, book: Book) -> list[Problem]:
    """The settings that name a meter, an area, a bus or a recipe that is not there."""
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
    ]
    return [
        Problem(
            text="{table}: {key} = {name} refers to nothing.",
            mend="Known are: {known}.",
            values={"table": table, "key": key, "name": name, "known": ", ".join(sorted(there))},
            path=(table, number, key),
            file=SETTINGS_FILE,
        )
        for table, number, key, name, there in wanted
        if name not in there
    ]
