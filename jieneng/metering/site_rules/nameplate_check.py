"""Check that each meter states its nameplate's maximum, or why that is not known. Pure.

Law: only `jieneng check` reports these problems; services run in spite of them. A person corrects
the problem with `rated_max`, or acknowledges it with `rated_max_unknown`.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from jieneng.metering.errors import Problem, UnreadKeys
from jieneng.metering.quantities import Medium
from jieneng.metering.site import Site

_ALL_READ: Final = UnreadKeys()

#: Unit of the maximum, by medium, and an example of one.
_MAXIMA: Final[Mapping[Medium, tuple[str, str]]] = {
    "electricity": ("kW", "400.0"),
    "heat": ("kW", "400.0"),
    "water": ("m³/h", "16.0"),
    "gas": ("m³/h", "16.0"),
}


def nameplate_problems(site: Site, unread: UnreadKeys = _ALL_READ) -> Iterator[Problem]:
    """Yield a problem for each meter that is read, with neither or both of the two keys.

    Args:
        site: the site; it may contain other mistakes.
        unread: keys of `site.toml` that could not be read.
    """
    for number, meter in enumerate(site.meter):
        path = ("meter", number)
        if meter.formula is not None or unread.covers_row(
            *path, "id", "medium", "formula", "rated_max", "rated_max_unknown"
        ):
            continue
        if meter.rated_max is not None and meter.rated_max_unknown is not None:
            yield Problem(
                text="meter {meter} has both rated_max and rated_max_unknown.",
                fix="Remove rated_max_unknown.",
                values={"meter": meter.id},
                path=(*path, "rated_max_unknown"),
            )
        if meter.rated_max is None and meter.rated_max_unknown is None:
            unit, example = _MAXIMA[meter.medium]
            yield Problem(
                text="meter {meter} has no rated_max, so a misread register can't be"
                " distinguished from consumption.",
                fix="Write the nameplate's maximum [{unit}], for example: rated_max = {example}; "
                'if nobody can read it, write why: rated_max_unknown = "..."',
                values={"meter": meter.id, "unit": unit, "example": example},
                path=path,
            )
