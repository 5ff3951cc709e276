"""Import or undo in a process that kills itself at one of its writes: `python -m` this module."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any
from unittest import mock

from ingest.importing.batches import recorded_writes
from ingest.importing.batches.batch_file import BatchFile
from ingest.importing.batches.batch_undo import undo_batch
from ingest.importing.forms.import_options import ImportOptions
from ingest.importing.importer import import_readings
from jieneng.clock import SystemClock
from jieneng.site_folder import load
from jieneng.storage import StoreSettings, open_store
from jieneng.storage.sqlite import SqliteStore

#: Steps at which the process may end, and how many points a part has.
STEPS = ("store.write", "store.delete", "add_part", "set_state", "rescue", "forget_rescued")
POINTS_PER_PART = 10


class Killer:
    """Kills the process before or after the call of this number."""

    def __init__(self, number: int, *, before: bool) -> None:
        self._left = number
        self._before = before

    def wrap(self, call: Any) -> Any:
        """Return a call, or coroutine function, that kills."""
        if asyncio.iscoroutinefunction(call):

            async def asynchronous(*args: Any, **options: Any) -> Any:
                self._begin()
                result = await call(*args, **options)
                self._end()
                return result

            return asynchronous

        def synchronous(*args: Any, **options: Any) -> Any:
            self._begin()
            result = call(*args, **options)
            self._end()
            return result

        return synchronous

    def _begin(self) -> None:
        self._left -= 1
        if self._left == 0 and self._before:
            os.kill(os.getpid(), signal.SIGKILL)

    def _end(self) -> None:
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


async def run(folder: Path, task: str) -> None:
    """Import a file with --replace, or undo the batch of this number."""
    site, store = load(folder), open_store(StoreSettings(), folder)
    try:
        if task.isdigit():
            await undo_batch(int(task), site, store, SystemClock())
        else:
            options = ImportOptions(replace=True, kind="register")
            file = folder / task
            await import_readings(file, site, store, options, lambda _: None, SystemClock())
    finally:
        await store.close()


def main() -> None:
    folder, task, step, number, when = sys.argv[1:]
    killer = Killer(int(number), before=when == "before")
    owner: Any = SqliteStore if step.startswith("store.") else BatchFile
    name = step.removeprefix("store.")
    with (
        mock.patch.object(owner, name, killer.wrap(getattr(owner, name))),
        mock.patch.object(recorded_writes, "POINTS_PER_PART", POINTS_PER_PART),
    ):
        asyncio.run(run(Path(folder), task))


if __name__ == "__main__":
    main()
