"""Define the quotas of a site as boards show them: names, units and the limited indicators."""

import msgspec


class LevelQuota(msgspec.Struct, frozen=True, kw_only=True):
    """A row `[[quota]]` of `quotas.toml`, by which buildings are ranked.

    Attributes:
        id: id of the quota.
        name: name for people.
        unit: unit of the intensity, such as `kgce/m2`.
    """

    id: str
    name: str
    unit: str


class BoardQuotas(msgspec.Struct, frozen=True, kw_only=True):
    """The quotas of a site.

    Attributes:
        levels: quotas by which buildings are ranked.
        limited: ids of the indicators that annual quotas and caps limit.
        scopes: ids of the scopes that have annual quotas or caps.
    """

    levels: tuple[LevelQuota, ...] = ()
    limited: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
