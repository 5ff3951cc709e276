"""Undo a batch: remove what it wrote, and restore what stood there before.

Laws:

1. A value that is no longer the batch's is left as it is, so an undo that was interrupted can be
   repeated.
2. A batch whose points a later batch has changed can't be undone before that one: its previous
   values would come back over the newer ones.
3. The other fields of a point stay.
4. A file of the site's folder gets its previous text, unless it was changed since.
"""

from math import isnan
from pathlib import Path

import msgspec

from ingest.importing.batches.batch_file import BatchFile
from ingest.importing.batches.batch_record import BatchRecord
from ingest.importing.batches.folder_files import read_file, replace_file
from ingest.importing.batches.recorded_writes import PointChanges
from ingest.importing.batches.stored_points import StoredPoints
from ingest.storing.late_days import LateDays
from jieneng.clock import Clock
from jieneng.metering.errors import UsageError
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store


class UndoReport(msgspec.Struct, frozen=True, kw_only=True):
    """The result of an undo.

    Attributes:
        batch: the batch.
        removed: values of the batch that were removed.
        restored: values that came back.
        left: values of the batch that something else has changed since, and that stay.
        touched_ms: begin and end of the time whose consumption changes [UTC, ms]; None if nothing
            was changed.
    """

    batch: BatchRecord
    removed: int
    restored: int
    left: int
    touched_ms: tuple[int, int] | None


async def undo_batch(number: int, folder: SiteFolder, store: Store, clock: Clock) -> UndoReport:
    """Undo a batch of a site.

    Args:
        number: number of the batch.
        folder: the site.
        store: the store, prepared.
        clock: tells which days have to be computed again.

    Raises:
        UsageError: there is no such batch, it was undone before, a later batch has changed its
            points, or another import is running.
        StoreUnavailable: the store failed. The undo can be repeated.
    """
    file = BatchFile(folder.path)
    try:
        with file.locked():
            stored = StoredPoints(folder.site.id, store, file)
            changes = PointChanges(folder.site.id, store, stored, LateDays(folder.site, clock))
            await stored.write_rescued()
            return await BatchUndo(folder.path, file, stored, changes, clock).undo(number)
    finally:
        file.close()


class BatchUndo:
    """Undoes batches, under the lock of their file.

    Args:
        folder: the site's folder.
        file: record of the batches.
        stored: the stored points.
        changes: writes the points.
        clock: tells the time of the undo.
    """

    def __init__(
        self,
        folder: Path,
        file: BatchFile,
        stored: StoredPoints,
        changes: PointChanges,
        clock: Clock,
    ) -> None:
        self._folder = folder
        self._file = file
        self._stored = stored
        self._changes = changes
        self._clock = clock

    async def undo(self, number: int) -> UndoReport:
        """Undo a batch. Raises as `undo_batch`."""
        batch = self._undoable(number)
        if batch.state != "undoing":
            self._require_newest(number)
        self._require_unchanged_files(number)
        self._file.set_state(number, "undoing")
        removed = restored = left = 0
        for written, previous in self._file.parts(number):
            now = await self._stored.at(written)
            values = zip(written.columns[0], previous.columns[0], now.columns[0], strict=True)
            own = []
            for place, (new, old, current) in enumerate(values):
                if _equal(current, new):
                    own.append(place)
                elif not _equal(current, old):
                    left += 1
            if own:
                before = previous.select(own)
                await self._changes.apply(before, now.select(own))
                known = sum(not isnan(value) for value in before.columns[0])
                restored += known
                removed += len(own) - known
        for part in self._file.file_parts(number):
            replace_file(self._folder / part.name, part.previous)
        self._file.set_undone(number, self._clock.now_ms())
        return UndoReport(
            batch=batch,
            removed=removed,
            restored=restored,
            left=left,
            touched_ms=self._changes.touched.span_ms,
        )

    def _undoable(self, number: int) -> BatchRecord:
        batch = self._file.batch(number)
        if batch is None:
            raise UsageError(
                "there is no import {number}: `jieneng import list` shows all.", number=number
            )
        if batch.state == "undone":
            raise UsageError("import {number} was undone before.", number=number)
        return batch

    def _require_newest(self, number: int) -> None:
        """Refuse a batch of whose points a later batch has changed some (law 2)."""
        later: set[int] = set()
        for written, _ in self._file.parts(number):
            times_ms = set(written.times_ms)
            later.update(
                other
                for other, part in self._file.parts_of_series(written, after=number)
                if not times_ms.isdisjoint(part.times_ms)
            )
        if later:
            raise UsageError(
                "import {number} can't be undone: import {later} has changed values of it since. "
                "Undo that one first.",
                number=number,
                later=max(later),
            )

    def _require_unchanged_files(self, number: int) -> None:
        """Refuse a batch whose files have changed since: what was added would be lost."""
        for part in self._file.file_parts(number):
            if read_file(self._folder / part.name) not in (part.written, part.previous):
                raise UsageError(
                    "import {number} can't be undone: {file} was changed since. Undo the later "
                    "import first, or correct the file by hand.",
                    number=number,
                    file=part.name,
                )


def _equal(one: float, other: float) -> bool:
    return one == other or (isnan(one) and isnan(other))
