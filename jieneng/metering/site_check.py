"""Check the rules that hold between the parts of a site. Pure: site and models in, problems out.

Laws:

1. All problems are found in one pass, and each names its place and how to correct it.
2. A rule is not applied if a value that it needs could not be read (`UnreadKeys`). So a mistake is
   reported once, at its own place, and not again at places that depend on it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import UNSET
from msgspec.structs import replace

from jieneng.metering.catalog.meter_model import Model, Ratio
from jieneng.metering.catalog.model_check import MAX_CADENCES
from jieneng.metering.errors import Problem, UnreadKeys
from jieneng.metering.quantities import CONSUMPTION
from jieneng.metering.read_plan import cadences
from jieneng.metering.site import DatedValue, Meter, Site
from jieneng.metering.site_rules.address_check import address_problems, missing_endpoints
from jieneng.metering.site_rules.confirmation_check import confirmation_problems
from jieneng.metering.site_rules.date_check import date_problems, replacement_problems
from jieneng.metering.site_rules.formula_check import formula_problems
from jieneng.metering.site_rules.lifetime_check import lifetime_problems, role_problems
from jieneng.metering.site_rules.reference_check import (
    dangling_references,
    duplicate_ids,
    missing_models,
    parent_cycles,
    shared_accounts,
)
from jieneng.metering.site_rules.register_check import register_problems
from jieneng.metering.spelling import nearest

_RATIOS: Final[tuple[Ratio, ...]] = ("ct", "pt")
_ALL_READ: Final = UnreadKeys()
_Rule = Callable[[Site, Mapping[str, Model], UnreadKeys], Iterator[Problem]]


def check(site: Site, models: Mapping[str, Model], unread: UnreadKeys = _ALL_READ) -> list[Problem]:
    """Return all problems of a site.

    Args:
        site: the site; a value that could not be read is `msgspec.UNSET` or the key's default.
        models: the meter models, by id.
        unread: places of `site.toml` that could not be read; `("model", id)` for the file of a
            model, and `("model",)` for a file whose id could not be read.
    """
    rules: tuple[_Rule, ...] = (
        _time_zone,
        duplicate_ids,
        dangling_references,
        missing_models,
        parent_cycles,
        date_problems,
        _ratios,
        missing_endpoints,
        address_problems,
        _model_media,
        _parent_media,
        _cadences,
        replacement_problems,
        lifetime_problems,
        role_problems,
        register_problems,
        formula_problems,
        confirmation_problems,
        shared_accounts,
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
            text="{timezone} is not a time zone.",
            fix='Write one of the IANA names, such as "Asia/Shanghai".',
            values={"timezone": site.site.timezone},
            path=("site", "timezone"),
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
                    fix="Write the transformer's ratio, or 1.0 if there is no transformer.",
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
    """Return the models of a meter's past and present devices; empty if one is unknown."""
    names = [meter.model, *(row.model for row in meter.replaced if row.model is not None)]
    devices = [models[name] for name in names if name is not None and name in models]
    return devices if len(devices) == len(names) else []


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
    """Yield the problems of `every`, the number of polls after which a quantity is read again."""
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
                text="meter {meter} and its model together have more than {most} different"
                " values of every.",
                fix="Give the same value to quantities that may be read together.",
                values={"meter": meter.id, "most": MAX_CADENCES},
                path=path,
            )
