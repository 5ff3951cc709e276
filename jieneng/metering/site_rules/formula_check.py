"""Check the formulas of virtual meters. Pure: site and models in, problems out.

Laws:

1. A formula adds and deducts meters of the medium of the virtual meter, and never the virtual meter
   itself, neither directly nor through the formulas of other meters.
2. A virtual meter is not a device: it has no bus, model, register or nameplate, and its consumption
   is neither generation nor export.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from jieneng.metering.catalog.meter_model import Model
from jieneng.metering.errors import Problem, UnreadKeys
from jieneng.metering.formulas.meter_formula import FormulaError, FormulaTerm
from jieneng.metering.site import Meter, Site
from jieneng.metering.spelling import nearest

#: Keys of a meter that a virtual meter may have. All others describe a device.
_VIRTUAL_KEYS: Final = frozenset(
    {"id", "name", "medium", "area", "formula", "parent", "item", "supply", "counts", "account"}
    | {"removed"}
)


def formula_problems(site: Site, _: Mapping[str, Model], unread: UnreadKeys) -> Iterator[Problem]:
    """Yield a problem for each formula that can't be computed, and each key of a device."""
    for number, meter in enumerate(site.meter):
        if meter.formula is None or unread.covers("meter", number, "formula"):
            continue
        yield from _device_keys(number, meter, unread)
        try:
            terms = meter.terms
        except FormulaError as error:
            yield Problem(
                text='the formula of meter {meter} can\'t be read from "{rest}" on.',
                fix="Write a sum of meters, each with a constant factor at most, for example: "
                'formula = "main - canteen - 0.5 * chiller"',
                values={"meter": meter.id, **error.values},
                path=("meter", number, "formula"),
            )
            continue
        yield from _operand_problems(site, number, terms, unread)
    yield from _circles(site, unread)


def _device_keys(number: int, meter: Meter, unread: UnreadKeys) -> Iterator[Problem]:
    for field in msgspec.structs.fields(Meter):
        default = {} if field.default is msgspec.NODEFAULT else field.default
        if (
            field.name not in _VIRTUAL_KEYS
            and getattr(meter, field.name) != default
            and not unread.covers("meter", number, field.name)
        ):
            yield Problem(
                text="meter {meter} has a formula, so it is not a device and can't have the key"
                " {key}.",
                fix="Remove {key}, or remove formula.",
                values={"meter": meter.id, "key": field.encode_name},
                path=("meter", number, field.encode_name),
            )


def _operand_problems(
    site: Site, number: int, terms: tuple[FormulaTerm, ...], unread: UnreadKeys
) -> Iterator[Problem]:
    """Yield a problem for each meter of a formula that does not exist or has another medium."""
    meter = site.meter[number]
    for term in terms:
        operand = site.meters.get(term.meter)
        values = {"meter": meter.id, "operand": term.meter}
        if operand is None:
            if not unread.hides_ids("meter"):
                close = nearest(term.meter, list(site.meters))
                yield Problem(
                    text="the formula of meter {meter} names {operand}, which is not a meter.",
                    fix="Did you mean {close}?"
                    if close
                    else "Define it, or correct the name. Write a space before a minus between"
                    " two meters.",
                    values={**values, "close": close},
                    path=("meter", number, "formula"),
                )
        elif operand.medium != meter.medium and not _is_medium_unread(site, unread, meter, operand):
            yield Problem(
                text="meter {meter} measures {medium}, but its formula names {operand}, which"
                " measures {other}.",
                fix="A formula contains meters of one medium.",
                values={**values, "medium": meter.medium, "other": operand.medium},
                path=("meter", number, "formula"),
            )


def _is_medium_unread(site: Site, unread: UnreadKeys, *meters: Meter) -> bool:
    return any(
        unread.covers("meter", number, "medium")
        for number, meter in enumerate(site.meter)
        if meter in meters
    )


def _circles(site: Site, unread: UnreadKeys) -> Iterator[Problem]:
    """Yield a problem for each circle of formulas, once."""
    reported: set[str] = set()
    for number, meter in enumerate(site.meter):
        way = () if unread.covers_row("meter", number, "id", "formula") else _circle(site, meter.id)
        if way and not reported.intersection(way):
            reported.update(way)
            yield Problem(
                text="the formulas of meters form a circle: {way}.",
                fix="A meter can't be computed from itself: correct one of the formulas.",
                values={"way": " > ".join(way)},
                path=("meter", number, "formula"),
            )


def _circle(site: Site, start: str) -> tuple[str, ...]:
    """Return the meters of a circle of formulas from `start` on; empty if there is none."""
    ways: list[tuple[str, ...]] = [(start,)]
    seen: set[str] = set()
    while ways:
        way = ways.pop()
        for operand in _operands(site, way[-1]):
            if operand == start:
                return (*way, start)
            if operand not in seen:
                seen.add(operand)
                ways.append((*way, operand))
    return ()


def _operands(site: Site, meter_id: str) -> list[str]:
    """Return the meters in a meter's formula; empty if it has none, or can't be read."""
    meter = site.meters.get(meter_id)
    try:
        return [] if meter is None else [term.meter for term in meter.terms]
    except FormulaError:
        return []
