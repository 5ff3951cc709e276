"""Compare published figures with later figures, and list the differences.

Pure: structs in, structs out.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

import msgspec

from analytics.publications.publication import Publication

#: Fields of a figure that are compared. Texts and definitions may be worded differently.
COMPARED: Final = (
    "value",
    "baseline",
    "change_pct",
    "target",
    "target_pct",
    "status",
    "coverage",
    "estimated",
)
#: Inputs of figures.
Input = Literal["consumption", "site", "rules", "version"]
INPUTS: Final[tuple[Input, ...]] = ("consumption", "site", "rules", "version")


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A number or verdict that differs from the published one.

    Attributes:
        scope: id of the scope.
        indicator: id of the indicator.
        series: series of the carbon factors; None if the figure has no carbon factors.
        field: name of the field, a member of `COMPARED`.
        published: the published value; None if there is none.
        as_published: value that the published site and rules give with the consumption of today.
        now: value that the site and rules of today give.
    """

    scope: str
    indicator: str
    series: str | None
    field: str
    published: float | str | None
    as_published: float | str | None
    now: float | str | None


def changed_inputs(published: Publication, now: Publication) -> tuple[Input, ...]:
    """Return the names of the inputs that differ from the published inputs."""
    return tuple(name for name in INPUTS if getattr(published, name) != getattr(now, name))


def differences(
    published: Publication, as_published: Iterable[Mapping[str, Any]], now: Publication
) -> list[Difference]:
    """Return the differences from a publication in its order, then the figures that are new.

    Args:
        published: the publication.
        as_published: figures of the published site and rules, with the consumption of today.
        now: the figures of today.
    """
    tables = [_by_key(figures) for figures in (published.figures, as_published, now.figures)]
    keys = dict.fromkeys(key for table in tables for key in table)
    return [
        Difference(
            scope=key[0],
            indicator=key[1],
            series=key[2],
            field=field,
            published=values[0],
            as_published=values[1],
            now=values[2],
        )
        for key in keys
        for field in COMPARED
        if len(set(values := [table.get(key, {}).get(field) for table in tables])) > 1
    ]


def _by_key(
    figures: Iterable[Mapping[str, Any]],
) -> dict[tuple[str, str, str | None], Mapping[str, Any]]:
    return {(one["scope"], one["indicator"], one["factor_series"]): one for one in figures}
