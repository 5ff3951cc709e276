"""Find the meter that a name in a file means. Pure.

A name means, in this order: the meter to which a person maps it; the meter with this id or name; or
the only main meter of the area with this name. A word such as 用电量 after the name states the
medium. Such a word alone means the only main meter of the site for this medium.

Laws:

1. If a name can mean several meters, none is chosen; the name is reported with these meters.
2. The medium in a name is binding: 2号楼用气量 never means an electricity meter, even if 2号楼
   has no other meter.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from ingest.importing.forms.column_words import plain, role_of, split_unit
from ingest.importing.forms.quantity_words import medium_of
from jieneng.metering.quantities import MEDIA, Medium
from jieneng.metering.site import Meter, Site

#: All media; used if the medium of a name is unknown.
ALL_MEDIA: Final[frozenset[Medium]] = frozenset(MEDIA)
#: Words that may follow a meter's name in a header: 总表用电量, A楼 读数.
_ENDINGS: Final = re.compile(
    r"[-_:,、]*(?:总|日|月|年)?(?:[用耗]?[电水气热]量?|能耗|用量|读数|示数|表码|数值|累计值|累计[电水气]量"
    r"|[电水气热]表|燃气表?|天然气)$"
)


class FoundMeter(msgspec.Struct, frozen=True):
    """The meter that a name means.

    Attributes:
        meter: the meter; None if there is none or the name can mean several.
        candidates: ids of the meters that the name can mean, if there are several.
        unit: unit after the name, as it is written; "" if there is none.
    """

    meter: Meter | None
    candidates: tuple[str, ...] = ()
    unit: str = ""


class MeterFinder:
    """Finds the meters of a site by their names in files.

    Args:
        site: the site.
        mapped: meter ids by name, as stated by a person; "" for a name that is not a meter.
    """

    def __init__(self, site: Site, mapped: Mapping[str, str]) -> None:
        self._site = site
        self._mapped = {plain(name): meter for name, meter in mapped.items()}
        self._mains: list[Meter] = []
        self._named: dict[str, list[Meter]] = defaultdict(list)
        self._of_area: dict[str, list[Meter]] = defaultdict(list)
        areas = {area.id: area for area in site.area}
        for meter in site.read_meters.values():
            for name in {plain(meter.id), plain(meter.name)}:
                self._named[name].append(meter)
            area = areas.get(meter.last_area)
            if meter.parent is not None or meter.item is not None:
                continue
            self._mains.append(meter)
            if area is not None:
                for name in {plain(area.id), plain(area.name)}:
                    self._of_area[name].append(meter)

    def is_left_out(self, name: str) -> bool:
        """Return True if a person has stated that a column is not a meter."""
        return self._mapped_id(name) == ""

    def is_named(self, name: str) -> bool:
        """Return True if a person maps the name to a meter, or a meter or area has this name."""
        names = {plain(name), plain(split_unit(name)[0])}
        known = self._named.keys() | self._of_area.keys()
        return bool(self._mapped_id(name)) or bool(names & known)

    def find(
        self,
        name: str,
        media: frozenset[Medium] = ALL_MEDIA,
        *,
        is_medium_stated: bool = False,
        is_medium_in_title: bool = False,
    ) -> FoundMeter:
        """Return the meter that a name means.

        Args:
            name: text of a header or cell.
            media: possible media, to choose between the meters of an area.
            is_medium_stated: True if a word next to the name states the medium. Then all meters of
                other media are excluded.
            is_medium_in_title: True if a title states the medium. Then an area's meters of other
                media are excluded.
        """
        mapped = self._mapped_id(name)
        if mapped is not None:
            return FoundMeter(self._site.read_meters.get(mapped), unit=split_unit(name)[1])
        bare, unit = split_unit(name)
        found = (
            self._by_name(
                plain(name), media, is_medium_stated, is_medium_stated or is_medium_in_title
            )
            or self._by_name(
                plain(bare), media, is_medium_stated, is_medium_stated or is_medium_in_title
            )
            or self._by_medium(name)
        )
        return FoundMeter(
            found[0] if len(found) == 1 else None,
            tuple(meter.id for meter in found) if len(found) > 1 else (),
            unit,
        )

    def _by_medium(self, name: str) -> Sequence[Meter]:
        """Return the main meters of the medium that a word such as 用电量 means."""
        medium = medium_of(split_unit(name)[0]) if role_of(name) == "value" else None
        return [meter for meter in self._mains if meter.medium == medium]

    def _mapped_id(self, name: str) -> str | None:
        mapped = self._mapped.get(plain(name))
        return self._mapped.get(plain(split_unit(name)[0])) if mapped is None else mapped

    def _by_name(
        self,
        name: str,
        media: frozenset[Medium],
        is_medium_stated: bool,
        is_area_medium_stated: bool,
    ) -> Sequence[Meter]:
        """Return the meters that a plain name can mean."""
        if name in self._named:
            return _of_media(self._named[name], media, is_medium_stated)
        if name in self._of_area:
            return _of_media(self._of_area[name], media, is_area_medium_stated)
        shorter = _ENDINGS.sub("", name)
        if not shorter or shorter == name:
            return ()
        medium = medium_of(name[len(shorter) :])
        if medium:
            return self._by_name(shorter, frozenset({medium}), True, True)
        return self._by_name(shorter, media, is_medium_stated, is_area_medium_stated)


def _of_media(
    meters: Sequence[Meter], media: frozenset[Medium], is_medium_stated: bool
) -> Sequence[Meter]:
    """Return the meters of the given media.

    A single meter of another medium stays if no medium is stated.
    """
    if len(meters) == 1 and not is_medium_stated:
        return meters
    return [meter for meter in meters if meter.medium in media]
