"""Import floor areas and headcounts into `denominators.toml`.

Laws:

1. `site.toml` is never changed. Values that it already contains are not imported again. If an
   imported value differs from `site.toml`, the file is refused.
2. A different value in `denominators.toml` is replaced only if a person asks for it.
3. The import is a numbered batch. The previous text of `denominators.toml` is recorded before it is
   replaced.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from ingest.importing.batches.batch_file import BatchFile, account_name, file_digest
from ingest.importing.batches.batch_record import (
    BatchCounts,
    BatchSource,
    FilePart,
)
from ingest.importing.batches.folder_files import read_file, replace_file
from ingest.importing.forms.import_options import ImportOptions
from ingest.importing.judging.problem_list import ProblemList
from ingest.importing.reading import file_reader
from ingest.importing.reading.line_numbers import line_ranges
from ingest.importing.records.denominator_rows import AreaValue, read_denominators
from jieneng import site_folder
from jieneng.clock import Clock
from jieneng.metering.errors import Problem
from jieneng.metering.site import DatedValue
from jieneng.metering.site_rules.denominators import KEYS, DenominatorKey, Denominators
from jieneng.site_folder import DENOMINATORS_FILE, SiteFolder

_HEAD: Final = (
    "# Floor areas and headcounts that add to those of site.toml. Written by `jieneng import\n"
    "# headcount` and `jieneng import floor-area`, which write the whole file again.\n"
)

#: Values by (area, key, day).
_Values: TypeAlias = dict[tuple[str, DenominatorKey, date], float]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A value of a file that differs from a known one.

    Attributes:
        value: the value of the file.
        known: the known value.
        of_site: True if the known value is in `site.toml`, False if it is in `denominators.toml`.
    """

    value: AreaValue
    known: float
    of_site: bool


class DenominatorReport(msgspec.Struct, frozen=True, kw_only=True):
    """The result of an import of floor areas or headcounts.

    Attributes:
        values: the good values of the file, by area and day.
        new: the good values that were not known before.
        differences: values that differ from known ones.
        is_refused: True if the file was not written because of the differences.
        number: number of the batch; None if nothing was written.
        problems: the first problems.
        problem_count: number of all problems.
        skippable: True if all problems are in rows that may be skipped.
        left_out: numbers of the lines with problems.
    """

    values: tuple[AreaValue, ...]
    new: tuple[AreaValue, ...]
    differences: tuple[Difference, ...]
    is_refused: bool
    number: int | None
    problems: tuple[Problem, ...]
    problem_count: int
    skippable: bool
    left_out: str


def import_denominators(
    key: DenominatorKey, file: Path, folder: SiteFolder, options: ImportOptions, clock: Clock
) -> DenominatorReport:
    """Check a file of floor areas or headcounts, and write its values.

    Args:
        key: key of an area whose values the file contains: floor area or headcount.
        file: CSV, CSV in gzip, or XLSX.
        folder: the site.
        options: options of the import.
        clock: gives the time of the batch.

    Raises:
        UsageError: the file can't be opened, or another import is running.
        StoreUnavailable: the record of imports can't be written.
    """
    problems = ProblemList(file.name)
    values, rows = _read(key, file, folder, options, problems)
    own = _values(site_folder.read_denominators(folder.path))
    differences, new = _compare(key, values, folder, own)
    is_refused = any(one.of_site or not options.replace for one in differences)
    may_write = not problems.of_file and (options.skip_bad or not problems.count)
    changed = [*new, *(one.value for one in differences)]
    number = None
    if may_write and changed and not is_refused and not options.dry_run:
        source = BatchSource(
            file=file.name,
            digest=file_digest(file),
            rows=rows,
            options=msgspec.json.encode({"what": key}).decode(),
            user=account_name(),
            left_out=line_ranges(problems.lines, problems.sheets),
        )
        own |= {(one.area, key, one.day): one.value for one in changed}
        counts = BatchCounts(
            written=len(changed),
            replaced=len(differences),
            unchanged=len(values) - len(changed),
        )
        number = _write(folder, source, _rendered(own, list(folder.site.areas)), counts, clock)
    return DenominatorReport(
        values=tuple(values),
        new=tuple(new),
        differences=tuple(differences),
        is_refused=is_refused,
        number=number,
        problems=tuple(problems.listed),
        problem_count=problems.count,
        skippable=not problems.of_file,
        left_out=line_ranges(problems.lines, problems.sheets),
    )


def _read(
    key: DenominatorKey,
    file: Path,
    folder: SiteFolder,
    options: ImportOptions,
    problems: ProblemList,
) -> tuple[list[AreaValue], int]:
    """Return the values of a file, and the number of its rows."""
    form = file_reader.detect_form(file, options.stated)
    problems.sheets = form.sheets
    for question in form.problems:
        problems.add(question)
    if form.problems:
        return [], 0
    with file_reader.open_table(file, form, problems.add) as table:
        rows = list(table.rows)
    return read_denominators(key, form, rows, folder.site, options, problems), len(rows)


def _values(denominators: Denominators) -> _Values:
    return {
        (row.id, key, one.from_): one.value
        for row in denominators.area
        for key in KEYS
        for one in _dated(row, key)
    }


def _dated(row: object, key: DenominatorKey) -> Sequence[DatedValue]:
    found: Sequence[DatedValue] = getattr(row, key)
    return found


def _compare(
    key: DenominatorKey,
    values: Sequence[AreaValue],
    folder: SiteFolder,
    own: Mapping[tuple[str, DenominatorKey, date], float],
) -> tuple[list[Difference], list[AreaValue]]:
    """Return the values that differ from known ones, and those that are new."""
    differences, new = list[Difference](), list[AreaValue]()
    for value in values:
        area = folder.site.areas[value.area]
        known = {one.from_: one.value for one in _dated(area, key)}.get(value.day)
        of_site = (value.area, key, value.day) not in own
        if known is None:
            new.append(value)
        elif known != value.value:
            differences.append(Difference(value=value, known=known, of_site=of_site))
    return differences, new


def _rendered(values: _Values, areas: Sequence[str]) -> str:
    """Return the text of `denominators.toml`, with the areas in the order of `site.toml`."""
    lines = [_HEAD]
    for area in areas:
        rows = [
            (key, [f"{{from = {day}, value = {value!r}}}" for day, value in dated])
            for key in KEYS
            if (
                dated := sorted(
                    (day, value)
                    for (of_area, of_key, day), value in values.items()
                    if (of_area, of_key) == (area, key)
                )
            )
        ]
        if rows:
            lines.append(f'\n[[area]]\nid = "{area}"\n')
            lines += [f"{key} = [{', '.join(dated)}]\n" for key, dated in rows]
    return "".join(lines)


def _write(
    folder: SiteFolder, source: BatchSource, text: str, counts: BatchCounts, clock: Clock
) -> int:
    """Write `denominators.toml` as a batch, and return its number."""
    file = BatchFile(folder.path)
    path = folder.path / DENOMINATORS_FILE
    try:
        with file.locked():
            number = file.begin(source, clock.now_ms())
            file.add_file_part(number, FilePart(DENOMINATORS_FILE, text, read_file(path)))
            replace_file(path, text)
            file.set_state(number, "done", counts)
            return number
    finally:
        file.close()
