"""Read `import.toml`, which states how the files of a site are read.

A row `[[file]]` applies to files whose names match its pattern. If several rows match a file, the
first one is used.
"""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from ingest.importing.cells.notation import DecimalSign, EpochUnit
from ingest.importing.forms.column_units import CalorificValue, is_known_unit
from ingest.importing.forms.import_options import (
    ImportKind,
    ImportOptions,
    IntervalName,
    LayoutName,
    Side,
    Stamp,
)
from jieneng import config_file
from jieneng.metering.errors import ConfigError, KeyPath, Problem, UsageError
from jieneng.metering.quantities import QUANTITIES
from jieneng.metering.site import Site
from jieneng.metering.spelling import nearest

MAPPING_FILE: Final = "import.toml"
#: Value of `date_order` that swaps day and month if the day is 12 or less.
SWAPPED: Final = "ydm"


class FileMapping(msgspec.Struct, frozen=True, kw_only=True):
    """A row `[[file]]`. If a key is omitted, its value is detected in each file.

    Attributes:
        match: pattern of file names, with * and ?; upper and lower case are equal.
        kind: readings of a register, or consumption of intervals.
        layout: a row for each value; or a column for each meter, part of the day, or month.
        stamp: meaning of the time of an interval: start or end.
        side: values of meters with transformers: as displayed, or multiplied by the ratio.
        interval: length of intervals in the calendar.
        interval_s: length of intervals [s].
        quantity: quantity of the values.
        unit: unit of all values.
        units: units by name of column or meter.
        columns: meters by name of column, or by name in the column of meters; "" for no meter.
        calorific_value: calorific value of gas that is stated in kWh or MJ.
        meter: meter of files that do not name their only meter.
        year: year of months without a year.
        zone: time zone of times without an offset.
        time_column: header of the column of times.
        date_order: order of year, month and day; `ydm` swaps day and month if the day is 12 or
            less.
        epoch: unit of times that are numbers since 1970.
        encoding: encoding of text files.
        delimiter: sign between the cells of text files.
        decimal: decimal sign.
        header_line: line of the header.
        sheets: sheets of an XLSX file, read as one table.
        missing: texts that mean a missing value.
    """

    match: str = "*"
    kind: ImportKind | None = None
    layout: LayoutName | None = None
    stamp: Stamp | None = None
    side: Side | None = None
    interval: IntervalName | None = None
    interval_s: Annotated[float, Meta(ge=1, examples=[900.0])] | None = None
    quantity: str | None = None
    unit: str | None = None
    units: dict[str, str] = {}
    columns: dict[str, str] = {}
    calorific_value: str | None = None
    meter: str | None = None
    year: Annotated[int, Meta(ge=2000, le=2099, examples=[2024])] | None = None
    zone: str | None = None
    time_column: str | None = None
    date_order: Literal["ymd", "mdy", "dmy", "ydm"] | None = None
    epoch: EpochUnit | None = None
    encoding: str | None = None
    delimiter: Annotated[str, Meta(min_length=1, max_length=1, examples=[";"])] | None = None
    decimal: DecimalSign | None = None
    header_line: Annotated[int, Meta(ge=1, examples=[3])] | None = None
    sheets: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


class MappingFile(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `import.toml`.

    Attributes:
        file: the rows, in the order in which they are tried.
    """

    file: tuple[FileMapping, ...] = ()


def read_mapping(path: Path, site: Site) -> MappingFile:
    """Read a mapping.

    Args:
        path: the file.
        site: the site; its meters are used to check names.

    Raises:
        ConfigError: lists every unknown key and wrong value.
    """
    document = config_file.read(path)
    draft = config_file.decode_draft(document, MappingFile)
    problems = [*draft.problems]
    problems += map(document.locate, _problems(draft.settings, site))
    if problems:
        raise ConfigError(problems)
    return draft.settings


def row_for(mapping: MappingFile, name: str) -> FileMapping:
    """Return the first row that matches a file's name; an empty one if none does."""
    folded = name.casefold()
    matching = (row for row in mapping.file if fnmatchcase(folded, row.match.casefold()))
    return next(matching, FileMapping())


def with_mapping(options: ImportOptions, row: FileMapping) -> ImportOptions:
    """Return the options of a command; options that it does not give are taken from a mapping."""
    said = msgspec.structs.asdict(row)
    of_row = {name: said[name] for name in _PASSED if said[name] not in (None, ())}
    usual = ImportOptions()
    chosen = {
        name: value
        for name, value in of_row.items()
        if getattr(options, name) == getattr(usual, name)
    }
    if row.date_order is not None and options.date_order is None and not options.swap_days:
        swaps = row.date_order == SWAPPED
        chosen |= {"swap_days": swaps, "date_order": None if swaps else row.date_order}
    if row.zone is not None and options.zone is None:
        chosen["zone"] = ZoneInfo(row.zone)
    return msgspec.structs.replace(
        options,
        **chosen,
        columns={**row.columns, **options.columns},
        units={**row.units, **options.units},
    )


#: Keys that are copied to the options with the same names.
_PASSED: Final = tuple(
    field.name
    for field in msgspec.structs.fields(FileMapping)
    if field.name not in {"match", "columns", "units", "zone", "date_order"}
)


def _problems(mapping: MappingFile, site: Site) -> Iterator[Problem]:
    """Yield the problems of a mapping's values, as far as they could be read."""
    for number, row in enumerate(mapping.file):
        at: KeyPath = ("file", number)
        yield from _problems_of_names(row, at, site)
        yield from _problems_of_values(row, at)


def _problems_of_names(row: FileMapping, at: KeyPath, site: Site) -> Iterator[Problem]:
    named: Mapping[KeyPath, str] = {
        **{("columns", name): meter for name, meter in row.columns.items() if meter},
        **({("meter",): row.meter} if row.meter is not None else {}),
    }
    for path, meter in named.items():
        if meter not in site.read_meters:
            yield _unknown(meter, site.read_meters, (*at, *path))
    if row.quantity is not None and row.quantity not in QUANTITIES:
        yield _unknown(row.quantity, QUANTITIES, (*at, "quantity"))
    units: Mapping[KeyPath, str] = {
        **{("units", name): unit for name, unit in row.units.items()},
        **({("unit",): row.unit} if row.unit is not None else {}),
    }
    for path, unit in units.items():
        if not is_known_unit(unit):
            yield Problem(
                text="{unit} is not a unit of energy or volume.",
                fix="Write one such as kWh, 万kWh, MWh, t, L or m3.",
                values={"unit": unit},
                path=(*at, *path),
            )


def _problems_of_values(row: FileMapping, at: KeyPath) -> Iterator[Problem]:
    if row.calorific_value is not None:
        try:
            CalorificValue.parse(row.calorific_value)
        except UsageError:
            yield Problem(
                text="{value} is not a calorific value.",
                fix="Write it with its unit, such as 38.93MJ/m3 or 10.81kWh/m3.",
                values={"value": row.calorific_value},
                path=(*at, "calorific_value"),
            )
    if row.zone is not None:
        try:
            ZoneInfo(row.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            yield Problem(
                text="{zone} is not a time zone.",
                fix="Write an IANA name such as Asia/Shanghai.",
                values={"zone": row.zone},
                path=(*at, "zone"),
            )


def _unknown(name: str, known: Mapping[str, object], path: KeyPath) -> Problem:
    close = nearest(name, known)
    return Problem(
        text="there is no {name}.",
        fix="Did you mean {close}?" if close else "Known are: {known}.",
        values={"name": name, "close": close, "known": ", ".join(sorted(known))[:300]},
        path=path,
    )
