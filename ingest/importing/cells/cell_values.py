"""Read times and numbers from the cells of a sheet. Pure.

Laws:

- A local time that occurred twice or never, at a clock change, is refused as ambiguous.
- Empty cells are missing values, and so are cells with a text that the user names. Every other cell
  is a number or an error.
- A wrong cell is reported with its fix (`BadCell`). Its meaning is never guessed.
"""

import math
import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from ingest.importing.cells.cell import BadCell, Cell

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)

#: Range of times [UTC, ms]: 2000-01-01 to 2100-01-01, the limits of MQTT messages.
_EARLIEST_MS: Final = 946_684_800_000
_LATEST_MS: Final = 4_102_444_800_000

#: Time in the format of Chinese spreadsheets: 2024/1/5 8:00.
_SLASHED: Final = re.compile(
    r"(\d{4})[/-](\d{1,2})[/-](\d{1,2})(?:[ T]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?"
)


class TimeReader:
    """Reads times. A time without an offset is local to `zone`."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone: Final = zone
        # In the long layout, consecutive lines of several meters have the same time.
        self._of_text = lru_cache(maxsize=1024)(self._parse)

    def read(self, cell: Cell) -> int:
        """Return the time of a cell [UTC, ms].

        Raises:
            BadCell: the cell is no time, or an ambiguous one.
        """
        if isinstance(cell, datetime):
            return self._utc_ms(cell, str(cell))
        if isinstance(cell, date):
            return self._utc_ms(datetime(cell.year, cell.month, cell.day), str(cell))  # noqa: DTZ001 - made local below
        return self._of_text(str(cell or "").strip())

    def _parse(self, text: str) -> int:
        try:
            if slashed := _SLASHED.fullmatch(text):
                moment = datetime(*(int(part or 0) for part in slashed.groups()))  # type: ignore[arg-type]  # noqa: DTZ001 - six parts; made local below
            else:
                moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise BadCell(
                "column {column}: {cell} is no time.",
                "Write it as 2024-01-31 08:00, local to the site, or with an offset: +08:00.",
                cell=_quoted(text),
            ) from error
        return self._utc_ms(moment, text)

    def _utc_ms(self, moment: datetime, text: str) -> int:
        if moment.tzinfo is None:
            moment = self._localize(moment, text)
        # Spreadsheets store times as floats: adding half a millisecond corrects their rounding.
        time_ms = (moment - _EPOCH + _MS / 2) // _MS
        if not _EARLIEST_MS <= time_ms < _LATEST_MS:
            raise BadCell(
                "column {column}: {cell} lies before 2000 or after 2099.",
                "Correct the year.",
                cell=text,
            )
        return time_ms

    def _localize(self, local: datetime, text: str) -> datetime:
        first = local.replace(tzinfo=self._zone, fold=0)
        second = local.replace(tzinfo=self._zone, fold=1)
        before, after = first.utcoffset(), second.utcoffset()
        if before == after or before is None or after is None:
            return first
        raise BadCell(
            "column {column}: {cell} stood twice on the clocks of {zone}."
            if before > after
            else "column {column}: {cell} never stood on the clocks of {zone}.",
            "Write it with its offset, such as {example}, or say in which zone the file is.",
            cell=text,
            zone=self._zone.key,
            example=first.isoformat(sep=" ", timespec="minutes"),
        )


class NumberReader:
    """Reads values. Empty cells and cells with one of the given texts are missing.

    A text that is a number matches all its spellings: with "0", the cell 0.0 is missing too.
    """

    def __init__(self, missing: tuple[str, ...]) -> None:
        self._texts: Final = {"", *(text.strip() for text in missing)}
        self._numbers: Final = {float(text) for text in self._texts if _is_number(text)}

    def read(self, cell: Cell) -> float | None:
        """Return the number of a cell; None if it is missing.

        Raises:
            BadCell: the cell is no number.
        """
        text = cell.strip() if isinstance(cell, str) else cell
        if text is None or text in self._texts:
            return None
        try:
            if isinstance(text, bool | date) or (isinstance(text, str) and "_" in text):
                raise ValueError(text)
            number = float(text)
        except ValueError as error:
            raise _not_a_number(text) from error
        if not math.isfinite(number):
            raise _not_a_number(text)
        return None if number in self._numbers else number


def _not_a_number(cell: Cell) -> BadCell:
    return BadCell(
        "column {column}: {cell} is no number.",
        "Correct it, leave it empty, or name it as a text that means missing.",
        cell=_quoted(str(cell)),
    )


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _quoted(text: str) -> str:
    """Return a cell's text for a message: shortened and in quotes."""
    return repr(text if len(text) <= 40 else text[:40] + "…")
