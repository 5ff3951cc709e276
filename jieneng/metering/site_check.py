"""Check the rules that hold between the parts of a site. Pure: site and models in, problems out.

Laws:

1. All problems are found in one pass, and each names its place and how to correct it.
2. A rule that needs a value which could not be read is not applied (`UnreadKeys`): a mistake is
   reported where it stands, and not a second time where it has consequences.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import UNSET
from msgspec.structs import replace

from jieneng.metering.catalog.meter_model import Model, Ratio
from jieneng.metering.catalog.model_check import MAX_CADENCES
from jieneng.metering.catalog.model_forms import form_of, protocol_of
from jieneng.metering.errors import KeyPath, Problem, UnreadKeys
from jieneng.metering.quantities import CONSUMPTION
from jieneng.metering.read_plan import cadences
from jieneng.metering.site import Bus, DatedValue, Meter, Site
from jieneng.metering.site_rules.reference_check import (
    dangling_references,
    duplicate_ids,
    missing_models,
    parent_cycles,
)
from jieneng.metering.spelling import nearest

_YEARS: Final = range(1900, 2200)  # years of which a person who describes a meter can speak
_RATIOS: Final[tuple[Ratio, ...]] = ("ct", "pt")
_BUS_EXAMPLES: Final = {"host": '"192.0.2.11"', "device": '"/dev/ttyS1"'}
_ALL_READ: Final = UnreadKeys()
_Rule = Callable[[Site, Mapping[str, Model], UnreadKeys], Iterator[Problem]]


def check(site: Site, models: Mapping[str, Model], unread: UnreadKeys = _ALL_READ) -> list[Problem]:
    """Return everything that is wrong with a site.

    Args:
        site: the site; what could not be read is `msgspec.UNSET` or the key's default.
        models: the meter models, by id.
        unread: places of `site.toml` that could not be read; `("model", id)` for the file of a
            model, and `("model",)` for a file of which not even the id could be.
    """
    rules: tuple[_Rule, ...] = (
        _time_zone,
        duplicate_ids,
        dangling_references,
        missing_models,
        parent_cycles,
        _dates,
        _ratios,
        _buses,
        _addresses,
        _model_media,
        _parent_media,
        _cadences,
        _replacements,
    )
    return [_named(problem) for rule in rules for problem in rule(site, models, unread)]


def _named(problem: Problem) -> Problem:
    """Return a problem whose sentence shows an id that could not be read as `?`."""
    shown = {key: "?" if value is UNSET else value for key, value in problem.values.items()}
    return replace(problem, values=shown)


def _time_zone(site: Site, _: Mapping[str, Model], unread: UnreadKeys) -> Iterator[Problem]:
    if unread.covers("site", "timezone"):
        return
    try:
        ZoneInfo(site.site.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder, or far too long
        yield Problem(
            text="{timezone} is no time zone.",
            fix='Write one of the IANA names, such as "Asia/Shanghai".',
            values={"timezone": site.site.timezone},
            path=("site", "timezone"),
        )


def _dates(site: Site, _: Mapping[str, Model], unread: UnreadKeys) -> Iterator[Problem]:
    dated: list[tuple[KeyPath, Sequence[DatedValue]]] = []
    for number, area in enumerate(site.area):
        dated.append((("area", number, "floor_area_m2"), area.floor_area_m2))
        dated.append((("area", number, "headcount"), area.headcount))
    for number, meter in enumerate(site.meter):
        dated.append((("meter", number, "ct"), meter.ct))
        dated.append((("meter", number, "pt"), meter.pt))
        if meter.installed is not None:
            yield from _impossible_years(("meter", number, "installed"), [meter.installed])
        if not unread.covers("meter", number, "replaced"):
            days = [row.at.date() for row in meter.replaced]
            yield from _impossible_years(("meter", number, "replaced"), days)
    for path, rows in dated:
        if not unread.covers(*path):
            yield from _impossible_years(path, [row.from_ for row in rows])
            yield from _unordered(path, rows)


def _impossible_years(path: KeyPath, days: Sequence[date]) -> Iterator[Problem]:
    """Yield a problem for each day at an end of the calendar, which has no moment in UTC."""
    for day in days:
        if day.year not in _YEARS:
            yield Problem(
                text="{key}: {day} is no day of {first} to {last}.",
                fix="Write the day from which it holds.",
                values={"key": path[-1], "day": day, "first": _YEARS[0], "last": _YEARS[-1]},
                path=path,
            )


def _unordered(path: KeyPath, rows: Sequence[DatedValue]) -> Iterator[Problem]:
    for earlier, later in pairwise(rows):
        if later.from_ <= earlier.from_:
            yield Problem(
                text="{key}: {later} does not come after {earlier}: two values would hold at once.",
                fix="Sort the rows by `from`, each date once.",
                values={"key": path[-1], "later": later.from_, "earlier": earlier.from_},
                path=path,
            )


def _ratios(site: Site, models: Mapping[str, Model], unread: UnreadKeys) -> Iterator[Problem]:
    for number, meter in enumerate(site.meter):
        for key in _RATIOS:
            rows: Sequence[DatedValue] = getattr(meter, key)
            if unread.covers("meter", number, key):
                continue
            if any(row.value == 0 for row in rows):
                yield Problem(
                    text="{key} of meter {meter} is 0, which would make its energy 0.",
                    fix="Write the transformer's ratio; 1.0 where there is none.",
                    values={"key": key, "meter": meter.id},
                    path=("meter", number, key),
                )
            devices = _device_models(meter, models)
            if (
                any(row.value != 1 for row in rows)
                and devices
                and not unread.covers_row("meter", number, "model", "replaced")
                and not any(key in point.ratio for model in devices for point in model.point)
            ):
                yield Problem(
                    text="meter {meter} has {key}, but none of its values is multiplied by it: "
                    "no point of model {model} names {key} in its ratio.",
                    fix="Remove {key}. If the device's own numbers lack this ratio, write "
                    'ratio = ["{key}"] at the points of the model\'s file.',
                    values={"meter": meter.id, "key": key, "model": meter.model},
                    path=("meter", number, key),
                )


def _device_models(meter: Meter, models: Mapping[str, Model]) -> list[Model]:
    """Return the models of a meter's devices, past and present; none if any is not known."""
    names = [meter.model, *(row.model for row in meter.replaced if row.model is not None)]
    devices = [models[name] for name in names if name is not None and name in models]
    return devices if len(devices) == len(names) else []


def _buses(site: Site, _: Mapping[str, Model], unread: UnreadKeys) -> Iterator[Problem]:
    for number, bus in enumerate(site.bus):
        needed = "device" if bus.link == "rtu" else "host"
        if getattr(bus, needed) is None and not unread.covers_row("bus", number, "link", needed):
            yield Problem(
                text='bus {bus} with link = "{link}" needs {needed}.',
                fix="Add a line to it, for example: {needed} = {example}",
                values={
                    "bus": bus.id,
                    "link": bus.link,
                    "needed": needed,
                    "example": _BUS_EXAMPLES[needed],
                },
                path=("bus", number),
            )


def _addresses(site: Site, models: Mapping[str, Model], unread: UnreadKeys) -> Iterator[Problem]:
    taken: dict[tuple[str, str, int | str | None], Meter] = {}
    bus_numbers = {bus.id: number for number, bus in enumerate(site.bus)}
    for number, meter in enumerate(site.meter):
        if meter.bus is None or unread.covers_row("meter", number, "unit", "address", "model"):
            continue
        model = models.get(meter.model or "")
        form, path = form_of(model), ("meter", number)
        bus = site.buses.get(meter.bus)
        if bus is not None and not unread.covers("bus", bus_numbers[bus.id], "link"):
            yield from _spoken_addresses(meter, model, bus, path)
        if (meter.address is None) is not (form.address_key == "unit"):
            if meter.model is None or model is not None:  # an unknown model may have addresses
                yield Problem(
                    text="meter {meter} needs its {key} on bus {bus}.",
                    fix="Write {key} = ... as the device's display shows it, and no other address.",
                    values={"meter": meter.id, "key": form.address_key, "bus": meter.bus},
                    path=path,
                )
            continue
        address = meter.unit if form.address_key == "unit" else meter.address
        other = taken.setdefault((meter.bus, protocol_of(model), address), meter)
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


def _spoken_addresses(
    meter: Meter, model: Model | None, bus: Bus, path: KeyPath
) -> Iterator[Problem]:
    """Yield what keeps a meter from being asked on its bus: its address, or the bus's link."""
    form = form_of(model)
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
                "protocol": model.protocol,
                "bus": bus.id,
                "link": bus.link,
                "links": ", ".join(sorted(form.links)),
            },
            path=(*path, "bus"),
        )


def _model_media(site: Site, models: Mapping[str, Model], unread: UnreadKeys) -> Iterator[Problem]:
    for number, meter in enumerate(site.meter):
        model = models.get(meter.model or "")
        if (
            model is not None
            and model.model.medium != meter.medium
            and not unread.covers_row("meter", number, "medium", "model")
        ):
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


def _parent_media(site: Site, _: Mapping[str, Model], unread: UnreadKeys) -> Iterator[Problem]:
    unread_media = {
        meter.id
        for number, meter in enumerate(site.meter)
        if unread.covers("meter", number, "medium")
    }
    for number, meter in enumerate(site.meter):
        parent = site.meters.get(meter.parent or "")
        if (
            parent is not None
            and parent.medium != meter.medium
            and not unread_media.intersection((meter.id, parent.id))
        ):
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


def _cadences(site: Site, models: Mapping[str, Model], unread: UnreadKeys) -> Iterator[Problem]:
    """Yield what is wrong with `every`: how often a quantity is asked for."""
    for number, meter in enumerate(site.meter):
        if unread.covers_row("meter", number, "every", "medium", "model"):
            continue
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
        known = {point.quantity for point in model.point} if model else meter.every.keys()
        for name in sorted(meter.every.keys() - known):
            close = nearest(name, sorted(known))
            yield Problem(
                text="every of meter {meter} names {quantity}, which its model does not have.",
                fix="Did you mean {close}?" if close else "Correct or remove the name.",
                values={"meter": meter.id, "quantity": name, "close": close},
                path=path,
            )
        if model and len({1, *cadences(model, meter.every).values()}) > MAX_CADENCES:
            yield Problem(
                text="meter {meter} has more than {most} different values of every, with those of "
                "its model.",
                fix="Let quantities that may be read together share one.",
                values={"meter": meter.id, "most": MAX_CADENCES},
                path=path,
            )


def _replacements(site: Site, _: Mapping[str, Model], unread: UnreadKeys) -> Iterator[Problem]:
    for number, meter in enumerate(site.meter):
        if unread.covers("meter", number, "replaced"):
            continue
        path = ("meter", number, "replaced")
        moments = [replacement.at for replacement in meter.replaced]
        for moment in moments:
            if moment.tzinfo is None:
                yield Problem(
                    text="the replacement of meter {meter} at {at} has no offset from UTC.",
                    fix="Write it with one, such as 2022-05-10T09:30:00+08:00.",
                    values={"meter": meter.id, "at": moment},
                    path=path,
                )
        for earlier, later in pairwise(moments):
            if earlier.tzinfo and later.tzinfo and earlier >= later:
                yield Problem(
                    text="the replacements of meter {meter} are not in the order of time.",
                    fix="Sort the rows by `at`, each moment once.",
                    values={"meter": meter.id},
                    path=path,
                )
