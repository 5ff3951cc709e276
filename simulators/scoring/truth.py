"""The truth of a run: a folder that says what every meter really consumed, and what it answered.

- `run.json`: which site, when, and the meters (`Run`). There whole or not at all.
- `consumption.csv`: what flowed in each whole interval of the run; it can be imported as it is with
  `jieneng import readings --kind interval`.
- `served.csv`: a line for each answer that held a meter's consumption counter (`Served`).

Law: a run that is killed leaves a folder that can be read. The last line of a file may then be
torn; it is left out, and said. Lines stand in the order in which things happened, so what did not
reach the disk is what came last, and a run without an end ended with its last answer.
"""

import csv
import math
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import numpy as np
from msgspec import Meta

from jieneng.clock import SystemClock
from jieneng.metering.errors import ConfigError, Problem, UsageError
from jieneng.metering.quantities import Medium
from simulators.faults.fault import Verdict
from simulators.load.seeded_noise import Floats, Ints
from simulators.scoring.consumption_comparison import Amounts
from simulators.scoring.reading_pairs import Answers
from simulators.simulated_site import SimulatedSite

RUN_FILE: Final = "run.json"
CONSUMPTION_FILE: Final = "consumption.csv"
SERVED_FILE: Final = "served.csv"
_CONSUMPTION: Final = ("time", "meter", "quantity", "value")
_VERDICTS: Final[tuple[str, ...]] = get_args(Verdict)
_SERVED: Final = (*_CONSUMPTION, "register", "answer", "faults", "peer")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
#: At the latest so long after a line its file is on the disk, where something goes on [real s].
_FLUSH_S: Final = 1.0

Moment = Annotated[datetime, Meta(tz=True)]


class MeterRow(msgspec.Struct, frozen=True):
    """A meter of the run.

    Attributes:
        medium: what flows through it.
        quantity: its consumption counter.
        step: what one step of the counter's register is worth on the primary side, in the canonical
            unit, with the device and the transformers of the run's beginning; 0 of a float.
    """

    medium: Medium
    quantity: str
    step: Annotated[float, Meta(ge=0)]


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of `run.json`.

    Attributes:
        v: version of the folder's form.
        site: the site's id.
        timezone: the site's.
        begin: on the simulation's clock.
        end: likewise; None while it goes on.
        speed: of the simulation's clock, times real speed.
        interval_s: length of the intervals of `consumption.csv`.
        meters: by id.
    """

    v: Literal[1] = 1
    site: str
    timezone: str
    begin: Moment
    end: Moment | None
    speed: Annotated[float, Meta(gt=0)]
    interval_s: Annotated[int, Meta(ge=1)]
    meters: dict[str, MeterRow]


class Served(msgspec.Struct, frozen=True):
    """An answer that held a meter's consumption counter.

    Attributes:
        time_ms: of the answer, on the simulation's clock, UTC.
        meter: its id.
        quantity: its consumption counter.
        value: what the answer's registers say, on the primary side [canonical unit]; None where
            nothing could be read from it.
        register: what an undisturbed register would have shown.
        answer: good (whole, right and in time: a reader must keep it), doubtful (a careful reader
            may take it or leave it), or bad (it must not be believed).
        faults: the ids of the faults that touched it.
        peer: who was answered, host:port.
    """

    time_ms: int
    meter: str
    quantity: str
    value: float | None
    register: float
    answer: Verdict
    faults: tuple[str, ...]
    peer: str


class Truth(msgspec.Struct, frozen=True):
    """A truth folder that was read.

    Attributes:
        run: its `run.json`.
        begin_ms: UTC.
        end_ms: UTC; of a run without an end: that of its last answer.
        answers: of each meter of the run.
        consumption: of each meter of the run, by whole intervals.
        torn: the files whose last line was torn.
    """

    run: Run
    begin_ms: int
    end_ms: int
    answers: Mapping[str, Answers]
    consumption: Mapping[str, Amounts]
    torn: tuple[str, ...]


# --- writing --------------------------------------------------------------------------------------


class TruthWriter:
    """Writes the truth of one run into a folder of its own."""

    def __init__(
        self,
        folder: Path,
        campus: SimulatedSite,
        *,
        begin_ms: int,
        speed: float,
        interval_s: int = 900,
    ) -> None:
        """Begin.

        Args:
            folder: made where it is not there.
            campus: the simulated site.
            begin_ms: the moment at which the simulation's clock begins, UTC.
            speed: of that clock.
            interval_s: length of the intervals; they are aligned to the clock.

        Raises:
            UsageError: the folder holds the truth of another run.
        """
        if any((folder / name).exists() for name in (RUN_FILE, CONSUMPTION_FILE, SERVED_FILE)):
            raise UsageError(
                "{folder} holds the truth of another run: choose another folder, or remove it.",
                folder=folder,
            )
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._campus = campus
        self._run = _run_of(campus, begin_ms, speed, interval_s)
        self._interval_ms = 1000 * interval_s
        self._next_ms = -(-begin_ms // self._interval_ms) * self._interval_ms
        self._clock = SystemClock()
        self._flushed_s = self._clock.monotonic()
        self._consumption = (folder / CONSUMPTION_FILE).open("x", encoding="utf-8", newline="")
        self._served = (folder / SERVED_FILE).open("x", encoding="utf-8", newline="")
        self._amounts = csv.writer(self._consumption, lineterminator="\n")
        self._answers = csv.writer(self._served, lineterminator="\n")
        self._amounts.writerow(_CONSUMPTION)
        self._answers.writerow(_SERVED)
        self._flush()
        self._write_run()

    def served(self, row: Served) -> None:
        """An answer was given."""
        self._answers.writerow(
            (
                _text(row.time_ms, "milliseconds"),
                row.meter,
                row.quantity,
                "" if row.value is None or math.isnan(row.value) else row.value,
                row.register,
                row.answer,
                " ".join(row.faults),
                row.peer,
            )
        )
        self._flush_now_and_then()

    def advance(self, now_ms: int) -> None:
        """It is so late: write the intervals that have ended. Costs nothing where none has."""
        ended = (now_ms - self._next_ms) // self._interval_ms
        if ended <= 0:
            return
        edges = self._next_ms + self._interval_ms * np.arange(ended + 1)
        meters = self._campus.meters
        flowed = [
            # Where a load is a difference, floats may leave a little less than nothing.
            np.maximum(np.diff(meter.load.consumption(edges)), 0.0).tolist()
            for meter in meters.values()
        ]
        names = [(name, self._run.meters[name].quantity) for name in meters]
        for start_ms, values in zip(edges[:-1].tolist(), zip(*flowed, strict=True), strict=False):
            time = _text(start_ms, "seconds")
            self._amounts.writerows(
                (time, *name, value) for name, value in zip(names, values, strict=True)
            )
        self._next_ms = int(edges[-1])
        self._flush_now_and_then()

    def close(self, now_ms: int) -> None:
        """End the run at this moment of its clock."""
        self.advance(now_ms)
        self._consumption.close()
        self._served.close()
        self._run = msgspec.structs.replace(self._run, end=_moment(now_ms))
        self._write_run()

    def _flush_now_and_then(self) -> None:
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


def _run_of(campus: SimulatedSite, begin_ms: int, speed: float, interval_s: int) -> Run:
    return Run(
        site=campus.site.id,
        timezone=campus.site.zone.key,
        begin=_moment(begin_ms),
        end=None,
        speed=speed,
        interval_s=interval_s,
        meters={
            name: MeterRow(one.medium, one.counts, one.step(begin_ms))
            for name, one in campus.meters.items()
        },
    )


def _moment(time_ms: int) -> datetime:
    return _EPOCH + time_ms * _MS


def _text(time_ms: int, timespec: str) -> str:
    return _moment(time_ms).isoformat(timespec=timespec)


# --- reading --------------------------------------------------------------------------------------


def read(folder: Path) -> Truth:
    """Read a truth folder, of a run that ended, goes on or was killed.

    Raises:
        UsageError: the folder holds no truth.
        ConfigError: what stands in it is not what a run wrote.
    """
    run = _read_run(folder)
    consumption = _Sheet(folder / CONSUMPTION_FILE, _CONSUMPTION, run)
    served = _Sheet(folder / SERVED_FILE, _SERVED, run)
    amounts = _amounts(consumption, run)
    answers = _answers(served, run)
    begin_ms = _ms(run.begin)
    last_ms = [int(one.times_ms.max(initial=begin_ms)) for one in answers.values()]
    return Truth(
        run=run,
        begin_ms=begin_ms,
        end_ms=max(last_ms, default=begin_ms) if run.end is None else _ms(run.end),
        answers=answers,
        consumption=amounts,
        torn=tuple(sheet.path.name for sheet in (consumption, served) if sheet.torn),
    )


def _read_run(folder: Path) -> Run:
    try:
        run = msgspec.json.decode((folder / RUN_FILE).read_bytes(), type=Run)
        ZoneInfo(run.timezone)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(
            "{folder} holds no truth of a run: name a folder that jieneng simulate --truth wrote.",
            folder=folder,
        ) from error
    except (msgspec.DecodeError, ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigError(
            [
                Problem(
                    text="this file can't be read: {error}.",
                    fix="Take it as jieneng simulate wrote it.",
                    values={"error": error},
                    file=RUN_FILE,
                )
            ]
        ) from error
    return run


class _Sheet:
    """A file of the truth.

    Attributes:
        path: where it is.
        torn: whether its last line was torn; known once its lines were read.
    """

    def __init__(self, path: Path, header: Sequence[str], run: Run) -> None:
        self.path = path
        self.torn = False
        self._header = list(header)
        self._quantities = {name: row.quantity for name, row in run.meters.items()}

    def each(self, take: Callable[..., None]) -> None:
        """Hand the cells of each line to `take`, which raises `ValueError` where they are wrong.

        Raises:
            ConfigError: with the line.
        """
        line = 0
        try:
            with self.path.open(encoding="utf-8", errors="replace", newline="") as file:
                for line, cells in enumerate(csv.reader(self._whole(file)), 1):
                    self._check(line, cells)
                    if line > 1:
                        take(*cells)
        except FileNotFoundError as error:
            raise self._problem(
                "this file is not there.", "Create it, or check the folder."
            ) from error
        except (ValueError, csv.Error) as error:
            raise self._problem(
                "this line can't be read: {error}.", "Correct the line.", line, error=error
            ) from error

    def _whole(self, lines: Iterable[str]) -> Iterator[str]:
        for line in lines:
            self.torn = not line.endswith("\n")
            if not self.torn:
                yield line

    def _check(self, line: int, cells: Sequence[str]) -> None:
        if line == 1 and cells != self._header:
            raise ValueError(f"the header is {','.join(self._header)}")
        if len(cells) != len(self._header):
            raise ValueError(f"it has {len(cells)} columns instead of {len(self._header)}")
        _, meter, quantity, *_ = cells
        if line > 1 and quantity != self._quantities.get(meter):
            raise ValueError(f"{RUN_FILE} has no {quantity} of a meter {meter}")

    def _problem(
        self, text: str, fix: str, line: int | None = None, **values: object
    ) -> ConfigError:
        return ConfigError(
            [Problem(text=text, fix=fix, values=values, file=self.path.name, line=line)]
        )


def _amounts(sheet: _Sheet, run: Run) -> dict[str, Amounts]:
    starts = {name: array("q") for name in run.meters}
    values = {name: array("d") for name in run.meters}

    def take(time: str, meter: str, _: str, value: str) -> None:
        starts[meter].append(_time_ms(time))
        values[meter].append(_number(value))

    sheet.each(take)
    return {name: Amounts(_ints(starts[name]), _floats(values[name])) for name in run.meters}


def _answers(sheet: _Sheet, run: Run) -> dict[str, Answers]:
    rows: dict[str, _Rows] = {name: _Rows() for name in run.meters}

    def take(
        time: str,
        meter: str,
        _: str,
        value: str,
        register: str,
        answer: str,
        faults: str,
        peer: str,
    ) -> None:
        if answer not in _VERDICTS:
            raise ValueError(f"an answer is {', '.join(_VERDICTS)}, not {answer}")
        kept = rows[meter]
        kept.times.append(_time_ms(time))
        kept.values.append(_number(value) if value else math.nan)
        kept.registers.append(_number(register))
        kept.verdicts.append(_VERDICTS.index(answer))
        kept.faults.append(sys.intern(faults))
        kept.peers.append(sys.intern(peer))

    sheet.each(take)
    return {name: rows[name].answers() for name in run.meters}


class _Rows:
    """The answers of a meter while they are read."""

    def __init__(self) -> None:
        self.times = array("q")
        self.values = array("d")
        self.registers = array("d")
        self.verdicts = array("q")
        self.faults: list[str] = []
        self.peers: list[str] = []

    def answers(self) -> Answers:
        """All of them."""
        return Answers(
            _ints(self.times),
            _floats(self.values),
            _floats(self.registers),
            np.asarray(_VERDICTS)[_ints(self.verdicts)],
            tuple(self.faults),
            tuple(self.peers),
        )


def _ints(numbers: "array[int]") -> Ints:
    return np.array(numbers, dtype=np.int64)


def _floats(numbers: "array[float]") -> Floats:
    return np.array(numbers, dtype=np.float64)


def _time_ms(text: str) -> int:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no offset from UTC")
    return _ms(moment)


def _ms(moment: datetime) -> int:
    return (moment - _EPOCH) // _MS


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no number")
    return number
