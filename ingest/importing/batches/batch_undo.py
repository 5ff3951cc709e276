"""Undo a batch: remove the values that it wrote, and restore the values from before.

Laws:

1. Only values that still equal those of the batch are removed or restored; values that were changed
   since are left unchanged. So an interrupted undo can be repeated.
2. If a later batch has changed the same points, it must be undone first. Otherwise older values
   would replace newer ones.
3. Other fields of a point are not changed.
4. A file in the site's folder gets its previous text, unless it was changed since.
5. If none of a batch's values is in the store, the batch was written to another store, or another
   site id. It is not undone: its values are still there.
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
        removed: number of values of the batch that were removed.
        restored: number of previous values that were restored.
        left: number of values that were changed after the batch, and are left unchanged.
        touched_ms: start and end of the time in which consumption changes [UTC, ms]; None if
            nothing was changed.
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
        clock: gives the time of the undo, which decides if readings are late.

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
        clock: gives the time of the undo.
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
            await self._require_present(number, batch)
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
        """Raise UsageError if a later batch has changed some of the batch's points (law 2)."""
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

    async def _require_present(self, number: int, batch: BatchRecord) -> None:
        """Raise UsageError if the store has no point of a batch that was written (law 5)."""
        if batch.state != "done":
            return
        has_values = False
        for written, _ in self._file.parts(number):
            known = [place for place, value in enumerate(written.columns[0]) if not isnan(value)]
            if not known:
                continue
            has_values = True
            now = await self._stored.at(written.select(known))
            if not all(isnan(value) for value in now.columns[0]):
                return
        if has_values:
            raise UsageError(
                "import {number} can't be undone: the store has none of its values. Was it written"
                " to another store, or before the id of the site was changed? Restore [store] of"
                " ingest.toml and the id, and repeat.",
                number=number,
            )

    def _require_unchanged_files(self, number: int) -> None:
        """Raise UsageError if a file of the batch was changed since; the change would be lost."""
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
