"""Read floor areas and headcounts: area, begin, value. Pure: rows in, dated values out.

Laws:

1. An area is given by its id or its name in `site.toml`.
2. A value is valid from the beginning of a local day. A month or a year means its first day.
3. Two values of an area that begin on the same day are reported with both lines.
"""

from collections.abc import Iterable
from datetime import date, datetime
from types import MappingProxyType
from typing import Final

import msgspec

from ingest.importing.cells.cell import Row
from ingest.importing.forms.column_words import plain, split_unit
from ingest.importing.forms.import_options import ImportOptions
from ingest.importing.judging.problem_list import ProblemList
from ingest.importing.reading.file_form import FileForm
from ingest.importing.records.record_table import RecordTable, RoleWords
from jieneng.metering.errors import Problem
from jieneng.metering.site import Area, Site
from jieneng.metering.site_rules.denominators import DenominatorKey
from jieneng.metering.spelling import nearest

_SHARED_WORDS: Final[RoleWords] = MappingProxyType(
    {
        "area": "区域 area 楼栋 楼宇 楼 建筑 建筑物 建筑名称 楼名 楼号 building 区域名称 单位名称 "
        "单位 部门 名称 name id",
        "from": "起始日期 from 生效日期 起始 开始日期 起始时间 变更日期 日期 时间 年月 月份 年份 "
        "年度 年 date since start month year",
    }
)
#: Words in the names of columns, by role, for each key.
DENOMINATOR_WORDS: Final[MappingProxyType[DenominatorKey, RoleWords]] = MappingProxyType(
    {
        "headcount": {
            **_SHARED_WORDS,
            "value": "用能人数 headcount 人数 用能总人数 在编人数 persons people 值 数值 value",
        },
        "floor_area_m2": {
            **_SHARED_WORDS,
            "value": "建筑面积 floor_area_m2 floorarea floor_area 总建筑面积 面积 值 数值 value",
        },
    }
)
#: Factor to square metres or persons, by the unit after a column's name.
_UNITS: Final = MappingProxyType(
    {
        **dict.fromkeys(("", "m2", "m²", "㎡", "平方米", "平米", "人", "persons"), 1.0),
        **dict.fromkeys(("万m2", "万m²", "万㎡", "万平方米", "万平米", "万人"), 10_000.0),
    }
)


class AreaValue(msgspec.Struct, frozen=True, kw_only=True):
    """A floor area [m2] or headcount of an area, from a local day on.

    Attributes:
        line: line in the file.
        area: id of the area.
        day: first day on which the value is valid.
        value: the value.
    """

    line: int
    area: str
    day: date
    value: float


def read_denominators(
    key: DenominatorKey,
    form: FileForm,
    rows: Iterable[tuple[int, Row]],
    site: Site,
    options: ImportOptions,
    problems: ProblemList,
) -> list[AreaValue]:
    """Return the values of a table, sorted by area and day, and report problems."""
    words = DENOMINATOR_WORDS[key]
    table = RecordTable(form, words, site, options, problems)
    if not table.require(words, "area", "from", "value"):
        return []
    factor = _factor(table, problems)
    found = [
        value for line, row in rows if (value := _value(table, line, row, site, factor)) is not None
    ]
    first: dict[tuple[str, date], int] = {}
    for value in found:
        earlier = first.setdefault((value.area, value.day), value.line)
        if earlier != value.line:
            problems.add_of_rows(_repeated(value, earlier), value.line, earlier)
    good = [value for value in found if value.line not in problems.lines]
    return sorted(good, key=lambda value: (value.area, value.day))


def _factor(table: RecordTable, problems: ProblemList) -> float:
    column = table.column("value")
    unit = plain(split_unit(column.name)[1] or column.unit)
    known = {plain(name): factor for name, factor in _UNITS.items()}
    if unit not in known:
        problems.add(
            Problem(
                text="column {column}: {unit} is not a unit of a floor area or headcount.",
                fix="Write m², 万m², 人 or no unit.",
                values={"column": column.name, "unit": unit},
            )
        )
    return known.get(unit, 1.0)


def _value(table: RecordTable, line: int, row: Row, site: Site, factor: float) -> AreaValue | None:
    """Return the value of a row; None after a problem was reported."""
    area = _area(table, line, row, site)
    span = table.span(line, row, "from")
    value = table.number(line, row, "value")
    if area is None or span is None:
        return None
    if value is None or value < 0:
        table.report_row(
            line, "this line has no value of 0 or more.", "Correct it, or remove the line."
        )
        return None
    day = datetime.fromtimestamp(span.start_ms / 1000, site.zone).date()
    return AreaValue(line=line, area=area.id, day=day, value=value * factor)


def _area(table: RecordTable, line: int, row: Row, site: Site) -> Area | None:
    name = table.text(row, "area")
    found = [area for area in site.area if plain(name) in (plain(area.id), plain(area.name))]
    if len(found) == 1:
        return found[0]
    names = [area.name for area in site.area]
    close = nearest(name, [*site.areas, *names])
    table.report_row(
        line,
        "{name} is not an area in site.toml.",
        "Did you mean {close}?" if close else "Known are: {known}.",
        name=name,
        close=close,
        known=", ".join(names)[:300],
    )
    return None


def _repeated(value: AreaValue, earlier: int) -> Problem:
    return Problem(
        text="{area} has two values from {day} on; the other one is in line {earlier}.",
        fix="Remove one of them.",
        values={"area": value.area, "day": value.day, "earlier": earlier},
        line=value.line,
    )
