"""The rules that hold between the parts of a site. Pure: a site and its models in, problems out.

Law: every problem is found in one pass, and each names its place and its mend.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from difflib import get_close_matches
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec.structs import replace

from jieneng.metering.catalog.meter_model import Model
from jieneng.metering.catalog.model_check import MOST_PACES
from jieneng.metering.catalog.model_forms import form_of, protocol_of
from jieneng.metering.errors import Problem
from jieneng.metering.quantities import CONSUMPTION
from jieneng.metering.read_plan import cadences
from jieneng.metering.site import Dated, Meter, Site, cycle

_YEARS: Final = range(1900, 2200)  # that a person can mean who writes of a meter
Path = tuple[str | int, ...]
Found = Iterator[Problem]


def check(site: Site, models: Mapping[str, Model]) -> list[Problem]:
    """Everything that is wrong with a site."""
    rules: tuple[Callable[[Site, Mapping[str, Model]], Found], ...] = (
        _time_zone,
        _unique_ids,
        _references,
        _cycles,
        _dates,
        _buses,
        _addresses,
        _media,
        _paces,
        _replacements,
    )
    return [problem for rule in rules for problem in rule(site, models)]


def _time_zone(site: Site, _: Mapping[str, Model]) -> Found:
    try:
        ZoneInfo(site.site.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder, or far too long
        yield Problem(
            text="{timezone} is no time zone.",
            fix='Write one of the IANA names, such as "Asia/Shanghai".',
            values={"timezone": site.site.timezone},
            path=("site", "timezone"),
        )


def _unique_ids(site: Site, _: Mapping[str, Model]) -> Found:
    tables = ("institution", "area", "bus", "meter")
    for table in tables:
        counts = Counter(row.id for row in getattr(site, table))
        for number, row in enumerate(getattr(site, table)):
            if counts[row.id] > 1:
                counts[row.id] = 0  # said once
                yield Problem(
                    text="the id {id} stands more than once among {table}.",
                    fix="Give each its own id.",
                    values={"id": row.id, "table": table},
                    path=(table, number, "id"),
                )
    scopes = Counter([site.id, *site.areas, *(one.id for one in site.institution)])
    for scope, count in scopes.items():
        if count > 1 and [*site.areas].count(scope) <= 1:
            yield Problem(
                text="{id} names two of: the site, an area, an institution.",
                fix="Figures are asked for by this id, so give each its own.",
                values={"id": scope},
                path=("site", "id"),
            )


def _references(site: Site, models: Mapping[str, Model]) -> Found:
    institutions = {one.id for one in site.institution}
    for number, area in enumerate(site.area):
        yield from _refers("area", number, "parent", area.parent, site.areas)
        for institution in area.institutions:
            yield from _refers("area", number, "institutions", institution, institutions)
    for number, meter in enumerate(site.meter):
        yield from _refers("meter", number, "area", meter.area, site.areas)
        yield from _refers("meter", number, "parent", meter.parent, site.meters)
        yield from _refers("meter", number, "bus", meter.bus, site.buses)
        yield from _refers("meter", number, "model", meter.model, models)
        if meter.bus is not None and meter.model is None:
            yield Problem(
                text="meter {meter} has a bus but no model.",
                fix="Add model = ..., so that its registers are known.",
                values={"meter": meter.id},
                path=("meter", number),
            )


def _refers(
    table: str, number: int, key: str, target: str | None, known: Mapping[str, object] | set[str]
) -> Found:
    if target is None or target in known:
        return
    close = get_close_matches(target, known, 1)
    yield Problem(
        text="{key} = {target} refers to nothing.",
        fix="Did you mean {close}?" if close else "Define it, or correct the name.",
        values={"key": key, "target": target, "close": "".join(close)},
        path=(table, number, key),
    )


def _cycles(site: Site, _: Mapping[str, Model]) -> Found:
    told: set[str] = set()
    for table, parents in (
        ("area", {area.id: area.parent for area in site.area}),
        ("meter", {meter.id: meter.parent for meter in site.meter}),
    ):
        for number, node in enumerate(parents):
            way = cycle(parents, node)
            if way and not told.intersection(way):
                told.update(way)
                yield Problem(
                    text="{table} parents go in a circle: {way}.",
                    fix="One of them has no parent: remove it there.",
                    values={"table": table, "way": " > ".join(way)},
                    path=(table, number, "parent"),
                )


def _dates(site: Site, _: Mapping[str, Model]) -> Found:
    for number, area in enumerate(site.area):
        yield from _dated("area", number, "floor_area_m2", area.floor_area_m2)
        yield from _dated("area", number, "headcount", area.headcount)
    for number, meter in enumerate(site.meter):
        yield from _dated("meter", number, "ct", meter.ct)
        yield from _dated("meter", number, "pt", meter.pt)
        installed = () if meter.installed is None else (meter.installed,)
        yield from _meant("meter", number, "installed", installed)
        yield from _meant("meter", number, "replaced", [row.at.date() for row in meter.replaced])
        for key, rows in (("ct", meter.ct), ("pt", meter.pt)):
            if any(row.value == 0 for row in rows):
                yield Problem(
                    text="{key} of meter {meter} is 0, which would make its energy 0.",
                    fix="Write the transformer's ratio; 1.0 where there is none.",
                    values={"key": key, "meter": meter.id},
                    path=("meter", number, key),
                )


def _meant(table: str, number: int, key: str, days: Sequence[date]) -> Found:
    """What lies at the ends of the calendar has no time of its own in UTC."""
    for day in days:
        if day.year not in _YEARS:
            yield Problem(
                text="{key}: {day} is no day of {first} to {last}.",
                fix="Write the day from which it holds.",
                values={"key": key, "day": day, "first": _YEARS[0], "last": _YEARS[-1]},
                path=(table, number, key),
            )


def _dated(table: str, number: int, key: str, rows: Sequence[Dated]) -> Found:
    yield from _meant(table, number, key, [row.from_ for row in rows])
    for earlier, later in pairwise(rows):
        if later.from_ <= earlier.from_:
            yield Problem(
                text="{key}: {later} does not come after {earlier}: two values would hold at once.",
                fix="Sort the rows by `from`, each date once.",
                values={"key": key, "later": later.from_, "earlier": earlier.from_},
                path=(table, number, key),
            )


def _buses(site: Site, _: Mapping[str, Model]) -> Found:
    for number, bus in enumerate(site.bus):
        needed = "device" if bus.link == "rtu" else "host"
        if getattr(bus, needed) is None:
            yield Problem(
                text='bus {bus} with link = "{link}" needs {needed}.',
                fix="Add {needed} = ... to it.",
                values={"bus": bus.id, "link": bus.link, "needed": needed},
                path=("bus", number),
            )


def _addresses(site: Site, models: Mapping[str, Model]) -> Found:
    taken: dict[tuple[str, str, int | str | None], Meter] = {}
    for number, meter in enumerate(site.meter):
        bus = site.buses.get(meter.bus or "")
        if meter.bus is None:
            continue
        model = models.get(meter.model or "")
        protocol, form = protocol_of(model), form_of(model)
        path = ("meter", number)
        if bus is not None:
            for problem in form.address_problems(meter, bus):
                yield replace(problem, path=(*path, *problem.path))
            if model is not None and bus.link not in form.links:
                yield Problem(
                    text="meter {meter} speaks {protocol}, which is not spoken on bus {bus} with "
                    'link = "{link}".',
                    fix="Correct the model of the meter or the link of the bus; the protocol is "
                    "spoken on: {links}.",
                    values={
                        "meter": meter.id,
                        "protocol": protocol,
                        "bus": bus.id,
                        "link": bus.link,
                        "links": ", ".join(sorted(form.links)),
                    },
                    path=(*path, "bus"),
                )
        if (meter.address is None) is not (form.address_key == "unit"):
            yield Problem(
                text="meter {meter} needs its {key} on bus {bus}.",
                fix="Write {key} = ... as the device's display shows it, and no other address.",
                values={"meter": meter.id, "key": form.address_key, "bus": meter.bus},
                path=path,
            )
            continue
        address = meter.unit if form.address_key == "unit" else meter.address
        other = taken.setdefault((meter.bus, protocol, address), meter)
        if other is not meter:
            yield Problem(
                text="meters {other} and {meter} are both {key} {address} on bus {bus}.",
                fix="Each meter on a bus has a {key} of its own: look at the device's display.",
                values={
                    "other": other.id,
                    "meter": meter.id,
                    "key": form.address_key,
                    "address": address,
                    "bus": meter.bus,
                },
                path=(*path, form.address_key),
            )


def _media(site: Site, models: Mapping[str, Model]) -> Found:
    for number, meter in enumerate(site.meter):
        model = models.get(meter.model or "")
        if model is not None and model.model.medium != meter.medium:
            yield Problem(
                text="meter {meter} measures {medium}, but model {model} is for {other}.",
                fix="Correct medium or model.",
                values={
                    "meter": meter.id,
                    "medium": meter.medium,
                    "model": model.id,
                    "other": model.model.medium,
                },
                path=("meter", number, "medium"),
            )
        parent = site.meters.get(meter.parent or "")
        if parent is not None and parent.medium != meter.medium:
            yield Problem(
                text="meter {meter} measures {medium}, but its parent {parent} measures {other}.",
                fix="A sub-meter lies below a meter of the same medium.",
                values={
                    "meter": meter.id,
                    "medium": meter.medium,
                    "parent": parent.id,
                    "other": parent.medium,
                },
                path=("meter", number, "parent"),
            )


def _paces(site: Site, models: Mapping[str, Model]) -> Found:
    for number, meter in enumerate(site.meter):
        path = ("meter", number, "every")
        counter = CONSUMPTION[meter.medium]
        if meter.every.get(counter, 1) > 1:
            yield Problem(
                text="{quantity} is the consumption of meter {meter} and must be in every poll.",
                fix="Remove it from every; interval_s says how often the meter is polled.",
                values={"quantity": counter, "meter": meter.id},
                path=path,
            )
        model = models.get(meter.model or "")
        known = {row.quantity for row in model.point} if model else meter.every.keys()
        for name in sorted(meter.every.keys() - known):
            near = get_close_matches(name, known, n=1)
            yield Problem(
                text="every of meter {meter} names {quantity}, which its model does not have.",
                fix="Did you mean {near}?" if near else "Correct or remove the name.",
                values={"meter": meter.id, "quantity": name, "near": near[0] if near else ""},
                path=path,
            )
        if model and len({1, *cadences(model, meter.every).values()}) > MOST_PACES:
            yield Problem(
                text="meter {meter} has more than {most} different values of every, with those of "
                "its model.",
                fix="Let quantities that may be read together share one.",
                values={"meter": meter.id, "most": MOST_PACES},
                path=path,
            )


def _replacements(site: Site, models: Mapping[str, Model]) -> Found:
    for number, meter in enumerate(site.meter):
        for row, replacement in enumerate(meter.replaced):
            yield from _refers("meter", number, "replaced", replacement.model, models)
            if replacement.at.tzinfo is None:
                yield Problem(
                    text="the replacement of meter {meter} at {at} has no offset from UTC.",
                    fix="Write it with one, such as 2022-05-10T09:30:00+08:00.",
                    values={"meter": meter.id, "at": replacement.at},
                    path=("meter", number, "replaced"),
                )
            elif (
                row
                and meter.replaced[row - 1].at.tzinfo
                and meter.replaced[row - 1].at >= replacement.at
            ):
                yield Problem(
                    text="the replacements of meter {meter} are not in the order of time.",
                    fix="Sort the rows by `at`, each moment once.",
                    values={"meter": meter.id},
                    path=("meter", number, "replaced"),
                )
