"""A sheet's rows -> readings. Pure: header and cells in, readings and problems out.

Two forms: long, with columns `time`, `meter`, `quantity` and `value`; wide, with a time column and
a column a meter. What is wrong is said with line, column and mend; a meter or column that is
wrong everywhere is said once.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Final, Literal, TypeAlias
from zoneinfo import ZoneInfo

import msgspec

from ingest.importing.cell_values import BadCell, Cell, Numbers, Times
from jieneng.metering import units
from jieneng.metering.errors import Problem
from jieneng.metering.quantities import CONSUMPTION, QUANTITIES, Medium
from jieneng.metering.site import Site
from jieneng.metering.spelling import nearest

Kind = Literal["register", "interval"]
Form = Literal["long", "wide"]
Row: TypeAlias = Sequence[Cell]

#: How a time column may be called; the first column may have no name at all.
TIME_NAMES: Final = ("time", "datetime", "timestamp", "date", "时间", "日期", "日期时间")


class ImportOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a file is to be read.

    Attributes:
        kind: what the values are: a register's readings, or consumptions of intervals whose start
            the time is.
        quantity: of a wide form, and of a long one without that column; the consumption quantity
            of each meter's medium where None.
        interval_s: of `interval`; the most common step of each meter where None [s].
        unit: of the values, a name of `units.py`; the quantity's canonical one where None.
        zone: of times without an offset; the site's where None.
        time_column: its name, where it is none of `TIME_NAMES`.
        columns: in the wide form, the column's name -> the meter's id; "" leaves the column out.
            A column that is not here is called as its meter.
        missing: texts that mean missing, beside the empty one.
        sheet: of an XLSX file; its first where None.
        skip_bad: write what is good, and list what is not.
        dry_run: say what would be done, and do nothing.
    """

    kind: Kind = "register"
    quantity: str | None = None
    interval_s: float | None = None
    unit: str | None = None
    zone: ZoneInfo | None = None
    time_column: str | None = None
    columns: Mapping[str, str] = {}
    missing: tuple[str, ...] = ()
    sheet: str | None = None
    skip_bad: bool = False
    dry_run: bool = False


class Target(msgspec.Struct, frozen=True):
    """One series that the file has values of.

    Attributes:
        scale: canonical units in one of the file's.
    """

    meter: str
    quantity: str
    medium: Medium
    scale: Fraction


#: Where the target of a value stands, what it is, when; None for a missing one.
Reading: TypeAlias = tuple[Target, int, float | None]
Say: TypeAlias = Callable[[Problem], None]


class Table:
    """The form of one file, made from its header.

    Args:
        header: the cells of its first line.
        site: whose meters they are.
        options: as the user gave them.
        say: told every problem.
    """

    def __init__(self, header: Row, site: Site, options: ImportOptions, say: Say) -> None:
        self._site = site
        self._options = options
        self._say = say
        self._times = Times(options.zone or site.zone)
        self._numbers = Numbers(options.missing)
        self._targets: dict[tuple[str, str], Target | None] = {}
        self._header = [str(cell if cell is not None else "").strip() for cell in header]
        self._places = {name.casefold(): i for i, name in reversed([*enumerate(self._header)])}
        self._time = self._time_place()
        self.form: Form = "long" if {"meter", "value"} <= self._places.keys() else "wide"
        self._wide = self._wide_columns() if self.form == "wide" and self._time is not None else ()
        self._nameless = tuple(
            place for place, name in enumerate(self._header) if not name and place != self._time
        )

    @property
    def usable(self) -> bool:
        """Whether any row can hold a reading."""
        return self._time is not None and (self.form == "long" or bool(self._wide))

    def readings(self, line: int, row: Row) -> Iterator[Reading]:
        """The readings of a row, missing ones included; bad ones are said and left out."""
        if self._time is None:
            return
        if len(row) != len(self._header):
            self._bad(
                line,
                "this line has {cells} cells, the header {expected}.",
                "Complete it, or remove it.",
                cells=len(row),
                expected=len(self._header),
            )
            return
        if any(row[place] not in (None, "") for place in self._nameless):
            self._bad(line, "there is a value below a column without a name.", "Name the column.")
        try:
            time_ms = self._times.read(row[self._time])
        except BadCell as error:
            self._bad_cell(line, self._header[self._time], error)
            return
        for place, target in self._wide or self._long(line, row):
            try:
                value = self._numbers.read(row[place])
            except BadCell as error:
                self._bad_cell(line, self._header[place], error)
            else:
                yield target, time_ms, None if value is None else _scaled(value, target.scale)

    # --- columns ------------------------------------------------------------------------------

    def _time_place(self) -> int | None:
        names = (self._options.time_column,) if self._options.time_column else TIME_NAMES
        for name in names:
            if name.casefold() in self._places:
                return self._places[name.casefold()]
        if self._header and not self._header[0] and not self._options.time_column:
            return 0
        self._bad(
            1,
            "there is no column {names} in this file; its first line is {header}.",
            "Name the column of the times.",
            names=" / ".join(names),
            header=", ".join(self._header)[:200],
        )
        return None

    def _wide_columns(self) -> tuple[tuple[int, Target], ...]:
        found: dict[Target, int] = {}
        for place, name in enumerate(self._header):
            meter = self._options.columns.get(name, name)
            if place == self._time or not meter:
                continue
            target = self._target(1, meter, "", name)
            if target is None:
                continue
            if target in found:
                self._bad(
                    1,
                    "columns {one} and {other} are both {quantity} of meter {meter}.",
                    "Remove one of them, or name it as left out.",
                    one=self._header[found[target]],
                    other=name,
                    quantity=target.quantity,
                    meter=meter,
                )
            found.setdefault(target, place)
        if not any(name for place, name in enumerate(self._header) if place != self._time):
            self._bad(1, "this file has times, but nothing beside them.", "Add a column a meter.")
        return tuple((place, target) for target, place in found.items())

    def _long(self, line: int, row: Row) -> Iterator[tuple[int, Target]]:
        place = self._places.get("quantity")
        meter = str(row[self._places["meter"]] or "").strip()
        quantity = str(row[place] or "").strip() if place is not None else ""
        key = (meter, quantity)
        if key not in self._targets:
            self._targets[key] = self._target(line, meter, quantity, "meter")
        if target := self._targets[key]:
            yield self._places["value"], target

    def _target(self, line: int, meter_id: str, quantity: str, column: str) -> Target | None:
        """The series, or None once it was said why there is none."""
        meter = self._site.meters.get(meter_id)
        if meter is None:
            self._unknown(
                line,
                "column {column}: {name} is no meter of the site.",
                meter_id,
                self._site.meters,
                column=column,
            )
            return None
        quantity = quantity or self._options.quantity or CONSUMPTION[meter.medium]
        fitting = [
            row.name
            for row in QUANTITIES.values()
            if meter.medium in row.media
            and (self._options.kind == "register" or row.kind == "counter")
        ]
        if quantity not in fitting:
            text = (
                "{name} is nothing that meter {meter} can count over an interval."
                if self._options.kind == "interval"
                else "{name} is no quantity of meter {meter}."
            )
            self._unknown(line, text, quantity, fitting, meter=meter.id)
            return None
        canonical = QUANTITIES[quantity].unit
        try:
            scale = units.factor(self._options.unit or canonical, canonical)
        except ValueError:
            self._bad(
                line,
                "{unit} is no unit of {quantity}, whose unit is {canonical}.",
                "Name the unit that the file's values have.",
                unit=self._options.unit,
                quantity=quantity,
                canonical=canonical,
            )
            return None
        return Target(meter.id, quantity, meter.medium, scale)

    # --- problems -----------------------------------------------------------------------------

    def _unknown(
        self,
        line: int,
        text: str,
        name: str,
        known: Mapping[str, object] | Sequence[str],
        **values: object,
    ) -> None:
        close = nearest(name, known)
        fix = "Did you mean {close}?" if close else "Known are: {known}."
        shown = ", ".join(sorted(known))[:300]
        self._bad(line, text, fix, name=name, close=close, known=shown, **values)

    def _bad_cell(self, line: int, column: str, error: BadCell) -> None:
        self._bad(line, error.text, error.fix, column=column, **error.values)

    def _bad(self, line: int, text: str, fix: str, **values: object) -> None:
        self._say(Problem(text=text, fix=fix, values=values, line=line))


def _scaled(value: float, scale: Fraction) -> float:
    return value if scale == 1 else value * scale.numerator / scale.denominator
