"""Print the result of an import: its batch, contradicting stored values, skipped lines."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from jieneng.cli.options import tr
from jieneng.locale import say
from jieneng.metering.errors import Problem
from jieneng.metering.quantities import QUANTITIES

if TYPE_CHECKING:  # imported when a command runs, so that `--help` is quick
    from ingest.importing.batches.batch_import import BatchResult
    from ingest.importing.batches.contradictions import Contradiction


def problem_lines(problems: Sequence[Problem], count: int) -> Iterator[str]:
    """Yield a line for each listed problem, and a line with the number of further problems.

    Args:
        problems: the first problems.
        count: number of all problems.
    """
    for problem in problems:
        yield f"{problem.where()}: {say(problem, tr)}"
    if more := count - len(problems):
        text = tr(
            "... and {count} more problem." if more == 1 else "... and {count} more problems."
        )
        yield text.format(count=more)


def local_time(time_ms: int, zone: ZoneInfo) -> str:
    """Return a time [UTC, ms] as local text to the minute."""
    return f"{datetime.fromtimestamp(time_ms / 1000, zone):%Y-%m-%d %H:%M}"


def contradiction_lines(result: "BatchResult", zone: ZoneInfo) -> Iterator[str]:
    """Yield lines about stored values that contradict the file, and what to do."""
    for one in result.contradictions:
        yield from _contradiction(one, zone)
    if result.is_refused:
        yield tr(
            "Nothing was written, because stored values contradict the file. Add --replace"
            " to replace them with the file's, or undo the import that wrote them: jieneng"
            " import undo."
        )
        if all(one.may_be_kept for one in result.contradictions):
            yield tr("Add --keep to keep both: no two values of the same time differ.")


def batch_lines(result: "BatchResult") -> Iterator[str]:
    """Yield lines about the batch and its numbers of values."""
    if result.repeated is not None:
        yield tr("Import {number} of this file had been interrupted: it was undone first.").format(
            number=result.repeated
        )
    for number in result.interrupted:
        yield tr(
            "Import {number} was interrupted: import its file again, or undo it: jieneng"
            " import undo {number}."
        ).format(number=number)
    counts = result.counts
    if result.number is not None:
        yield tr(
            "This is import {number}. Values written: {written} (of these replaced:"
            " {replaced}), removed: {removed}, already stored: {unchanged}. To undo it:"
            " jieneng import undo {number}."
        ).format(
            number=result.number,
            written=counts.written,
            replaced=counts.replaced,
            removed=counts.removed,
            unchanged=counts.unchanged,
        )
    elif counts.unchanged:
        yield tr("Nothing to do. Values already stored: {count}.").format(count=counts.unchanged)


def _contradiction(one: "Contradiction", zone: ZoneInfo) -> Iterator[str]:
    counted = (
        (one.differing, tr("imported values that differ at the same time: {count}")),
        (one.overlapping, tr("imported intervals that overlap those of the file: {count}")),
        (one.others, tr("imported values at times that the file does not have: {count}")),
        (one.other_kind, tr("imported values of the other kind (register or interval): {count}")),
        (one.live, tr("live readings that differ at the same time: {count}")),
        (
            one.live_beside,
            tr("live readings within the period of the file, which are always kept: {count}"),
        ),
    )
    parts = [text.format(count=count) for count, text in counted if count]
    yield tr("{meter} {quantity}, {first} to {until}: {parts}").format(
        meter=one.meter,
        quantity=one.quantity,
        first=local_time(one.first_ms, zone),
        until=local_time(one.until_ms, zone),
        parts=tr("; ").join(parts),
    )
    if one.batches:
        numbers = ", ".join(map(str, one.batches))
        yield "  " + tr("written by import {numbers}").format(numbers=numbers)
    unit = QUANTITIES[one.quantity].unit
    for year in one.years:
        yield "  " + tr("{year}: stored {stored:,.1f} {unit}, file {file:,.1f} {unit}").format(
            year=year.year, stored=year.stored, file=year.file, unit=unit
        )
