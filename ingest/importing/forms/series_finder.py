"""Find the series of a cell (meter, quantity and unit) from the names in a file. Pure.

Law: an unknown name is reported only once, with its line and the most similar known name.
"""

import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Final

from ingest.importing.cells.cell import ProblemHandler
from ingest.importing.forms.column_units import (
    CalorificValue,
    UnitRefused,
    is_known_unit,
    looks_like_unit,
    media_of_unit,
    unit_factor,
)
from ingest.importing.forms.column_words import plain, split_unit
from ingest.importing.forms.import_options import ImportOptions
from ingest.importing.forms.meter_finder import FoundMeter, MeterFinder
from ingest.importing.forms.meter_series import ImportSeries, ScaledSeries
from ingest.importing.forms.quantity_words import media_of_words, medium_of, named_quantity
from jieneng.metering.errors import Msgid, Problem
from jieneng.metering.quantities import CONSUMPTION, QUANTITIES, Medium
from jieneng.metering.site import Meter, Site
from jieneng.metering.spelling import nearest

#: Largest length of a list of known names in a message [characters].
_SHOWN: Final = 300
_TITLE_UNIT: Final = re.compile(r"(?:单位|unit)\s*[:：为\s]\s*([^\s)）,，;；]+)", re.IGNORECASE)
_TITLE_BRACKETS: Final = re.compile(r"[(（\[【]([^()（）\[\]【】]+)[)）\]】]")


class SeriesFinder:
    """Finds the series of the cells of a file.

    Attributes:
        meters: finds the meters of names.
        found: meter ids by the names that were found in the file.

    Args:
        site: the site.
        options: options of the import.
        on_problem: called with each problem.
        titles: texts above the header; they may state the medium and the unit of all values.
        option: option of the command that states the meter of a name.
    """

    def __init__(
        self,
        site: Site,
        options: ImportOptions,
        on_problem: ProblemHandler,
        titles: Sequence[str] = (),
        option: str = "--column",
    ) -> None:
        self._site = site
        self._options = options
        self._on_problem = on_problem
        self._option = option
        self._title_medium = _medium_of_titles(titles)
        self._title_unit = next(filter(None, map(_unit_of_title, titles)), "")
        self._calorific = (
            CalorificValue.parse(options.calorific_value) if options.calorific_value else None
        )
        self._units = {plain(name): unit for name, unit in options.units.items()}
        self.meters = MeterFinder(site, options.columns)
        self.found: dict[str, str] = {}

    def find(
        self,
        line: int,
        name: str,
        column: str,
        *,
        quantity: str = "",
        words: str = "",
        unit: str = "",
    ) -> ScaledSeries | None:
        """Return the series of a meter's name; None after a problem was reported.

        Args:
            line: line of the name.
            name: name of the meter in the file.
            column: header of the column that contains the name.
            quantity: text that states the quantity; "" if there is none.
            words: name of the column of values; it may state a quantity.
            unit: unit written next to the values; "" if there is none.
        """
        unit_of_name = unit or split_unit(name)[1]
        found = self.meters.find(
            name,
            self._media(quantity or words, unit_of_name),
            is_medium_stated=medium_of(quantity or words) is not None,
            is_medium_in_title=not (self._options.unit or unit_of_name)
            and self._title_medium is not None,
        )
        if found.meter is None:
            other = self.meters.find(name).meter
            if other is None or found.candidates:
                self._report_meter(line, name, column, found.candidates)
            else:
                self._report(
                    line,
                    "column {column}: {name} is meter {meter}, but by the file its values"
                    " are of another medium.",
                    "State the right meter: {option} {name}=METER",
                    column=column,
                    name=name,
                    meter=other.id,
                )
            return None
        self.found[name] = found.meter.id
        quantity = self._quantity(
            line, found.meter, quantity or named_quantity(words, found.meter.medium) or ""
        )
        if not quantity:
            return None
        return self._series(line, found.meter, quantity, self._unit(name, found, unit))

    def only_meter(self, line: int) -> str | None:
        """Return the id of the site's only main meter; None after a problem was reported."""
        mains = [meter.id for meter in self._site.read_meters.values() if meter.parent is None]
        if len(mains) == 1:
            return mains[0]
        self._report(
            line,
            "this file does not name its meter; the site has {known}.",
            "State it: --meter {first}",
            known=", ".join(mains)[:_SHOWN],
            first=mains[0] if mains else "",
        )
        return None

    def _media(self, quantity: str, unit: str) -> frozenset[Medium]:
        """Return the possible media of a meter."""
        unit = self._options.unit or unit
        medium = medium_of(quantity) or (None if unit else self._title_medium)
        return media_of_unit(unit) if medium is None else frozenset((medium,))

    def _quantity(self, line: int, meter: Meter, text: str) -> str:
        """Return the quantity that a text means; "" after a problem was reported."""
        quantity = named_quantity(text, meter.medium) or text
        quantity = quantity or self._options.quantity or CONSUMPTION[meter.medium]
        known = [
            row.name
            for row in QUANTITIES.values()
            if meter.medium in row.media
            and (self._options.kind == "register" or row.kind == "counter")
        ]
        if quantity in known:
            return quantity
        message: Msgid = (
            "{name} is not a quantity that meter {meter} counts."
            if self._options.kind == "interval"
            else "{name} is not a quantity of meter {meter}."
        )
        self._report_unknown(line, message, quantity, known, meter=meter.id)
        return ""

    def _unit(self, name: str, found: FoundMeter, unit: str) -> str:
        """Return the unit of a series as it is written; "" for the canonical unit."""
        meter = found.meter.id if found.meter else ""
        return (
            self._units.get(plain(name))
            or self._units.get(plain(split_unit(name)[0]))
            or self._units.get(meter)
            or self._options.unit
            or (found.unit if looks_like_unit(found.unit) else "")
            or unit
            or self._title_unit
        )

    def _series(self, line: int, meter: Meter, quantity: str, unit: str) -> ScaledSeries | None:
        try:
            factor = (
                unit_factor(unit, quantity, meter.medium, self._calorific) if unit else Fraction(1)
            )
        except UnitRefused as error:
            self._report(line, error.text, error.fix, **error.values)
            return None
        series = ImportSeries(meter.id, quantity, meter.medium)
        return ScaledSeries(series, factor, unit)

    def _report_meter(self, line: int, name: str, column: str, candidates: Sequence[str]) -> None:
        if candidates:
            self._report(
                line,
                "column {column}: {name} can mean the meters {meters}.",
                "State the meter: {option} {name}={first}",
                column=column,
                name=name,
                meters=", ".join(candidates),
                first=candidates[0],
            )
            return
        self._report_unknown(
            line,
            "column {column}: {name} is not a meter of the site.",
            name,
            self._site.meters,
            column=column,
            fix="State its meter: {option} {name}=METER, or leave it out: {option} {name}= ."
            " Known are: {known}."
            if name == column
            else "State its meter: {option} {name}=METER. Known are: {known}.",
        )

    def _report_unknown(
        self,
        line: int,
        text: Msgid,
        name: str,
        known: Iterable[str],
        fix: Msgid = "Known are: {known}.",
        **values: object,
    ) -> None:
        names = sorted(known)
        close = nearest(name, names)
        if close:
            fix = "Did you mean {close}?"
        shown = ", ".join(names)[:_SHOWN]
        self._report(line, text, fix, name=name, close=close, known=shown, **values)

    def _report(self, line: int, text: Msgid, fix: Msgid, **values: object) -> None:
        values["option"] = self._option
        self._on_problem(Problem(text=text, fix=fix, values=values, line=line))


def _medium_of_titles(titles: Sequence[str]) -> Medium | None:
    """Return the medium in the titles; None if there is none, or several: 用水用电统计."""
    named = set[Medium]().union(*map(media_of_words, titles))
    return named.pop() if len(named) == 1 else None


def _unit_of_title(title: str) -> str:
    """Return the unit in a title: 单位：万kWh, in brackets, or alone; "" if there is none."""
    if is_known_unit(title):  # the cell next to 单位
        return title.strip()
    found = (*_TITLE_UNIT.findall(title), *_TITLE_BRACKETS.findall(title))
    return next((unit.strip() for unit in found if looks_like_unit(unit)), "")
