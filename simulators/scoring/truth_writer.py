"""Write the true consumption and all answers of a simulated run into files, during the run."""

import csv
import math
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from jieneng.clock import SystemClock
from jieneng.metering.errors import UsageError
from simulators.scoring.truth_files import (
    CONSUMPTION_COLUMNS,
    CONSUMPTION_FILE,
    RUN_FILE,
    SERVED_COLUMNS,
    SERVED_FILE,
    MeterRow,
    RunRecord,
    ServedAnswer,
    to_utc,
)
from simulators.simulated_site import SimulatedSite

#: Longest time that a line stays in memory while further lines are written [real s].
_FLUSH_S: Final = 1.0


class TruthWriter:
    """Writes the truth folder of one run."""

    def __init__(
        self,
        folder: Path,
        simulated: SimulatedSite,
        *,
        begin_ms: int,
        speed: float,
        interval_s: int = 900,
    ) -> None:
        """Create the folder's files.

        Args:
            folder: created if it does not exist.
            simulated: the simulated site.
            begin_ms: start of the run on the simulation's clock, UTC.
            speed: speed of the simulation's clock, relative to real time.
            interval_s: length of the consumption intervals [s]; they are aligned to the clock.

        Raises:
            UsageError: the folder contains the files of another run.
        """
        if any((folder / name).exists() for name in (RUN_FILE, CONSUMPTION_FILE, SERVED_FILE)):
            raise UsageError(
                "{folder} holds the truth of another run: choose another folder, or remove it.",
                folder=folder,
            )
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._simulated = simulated
        self._run = _record_of(simulated, begin_ms, speed, interval_s)
        self._interval_ms = 1000 * interval_s
        self._next_ms = -(-begin_ms // self._interval_ms) * self._interval_ms
        self._clock = SystemClock()
        self._flushed_s = self._clock.monotonic()
        self._consumption = (folder / CONSUMPTION_FILE).open("x", encoding="utf-8", newline="")
        self._served = (folder / SERVED_FILE).open("x", encoding="utf-8", newline="")
        self._consumption_csv = csv.writer(self._consumption, lineterminator="\n")
        self._served_csv = csv.writer(self._served, lineterminator="\n")
        self._consumption_csv.writerow(CONSUMPTION_COLUMNS)
        self._served_csv.writerow(SERVED_COLUMNS)
        self._flush()
        self._write_run()

    def write_answer(self, row: ServedAnswer) -> None:
        """Write an answer that a meter has given."""
        self._served_csv.writerow(
            (
                _time_text(row.time_ms, "milliseconds"),
                row.meter,
                row.quantity,
                "" if row.value is None or math.isnan(row.value) else row.value,
                row.register,
                row.answer,
                " ".join(row.faults),
                row.peer,
            )
        )
        self._flush_if_due()

    def advance(self, now_ms: int) -> None:
        """Write the consumption of the intervals that ended since the last call."""
        ended = (now_ms - self._next_ms) // self._interval_ms
        if ended <= 0:
            return
        edges = self._next_ms + self._interval_ms * np.arange(ended + 1)
        meters = self._simulated.meters
        consumed = [
            # A load that is computed as a difference may have a rounding error below 0.
            np.maximum(np.diff(meter.load.consumption(edges)), 0.0).tolist()
            for meter in meters.values()
        ]
        series = [(meter, self._run.meters[meter].quantity) for meter in meters]
        for start_ms, values in zip(edges[:-1].tolist(), zip(*consumed, strict=True), strict=False):
            time = _time_text(start_ms, "seconds")
            self._consumption_csv.writerows(
                (time, *names, value) for names, value in zip(series, values, strict=True)
            )
        self._next_ms = int(edges[-1])
        self._flush_if_due()

    def close(self, now_ms: int) -> None:
        """Record the end of the run at the time `now_ms` of its clock, and close the files."""
        self.advance(now_ms)
        self._consumption.close()
        self._served.close()
        self._run = msgspec.structs.replace(self._run, end=to_utc(now_ms))
        self._write_run()

    def _flush_if_due(self) -> None:
        if self._clock.monotonic() - self._flushed_s >= _FLUSH_S:
            self._flush()

    def _flush(self) -> None:
        self._consumption.flush()
        self._served.flush()
        self._flushed_s = self._clock.monotonic()

    def _write_run(self) -> None:
        unfinished = self._folder / f"{RUN_FILE}.new"
        unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(self._run), indent=1))
        unfinished.replace(self._folder / RUN_FILE)


def _record_of(simulated: SimulatedSite, begin_ms: int, speed: float, interval_s: int) -> RunRecord:
    return RunRecord(
        site=simulated.site.id,
        timezone=simulated.site.zone.key,
        begin=to_utc(begin_ms),
        end=None,
        speed=speed,
        interval_s=interval_s,
        meters={
            name: MeterRow(meter.medium, meter.counter_quantity, meter.counter_step(begin_ms))
            for name, meter in simulated.meters.items()
        },
    )


def _time_text(time_ms: int, timespec: str) -> str:
    return to_utc(time_ms).isoformat(timespec=timespec)
