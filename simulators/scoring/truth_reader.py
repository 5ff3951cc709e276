"""Read a truth folder into arrays. Its run may have ended, still go on, or have been killed."""

import csv
import math
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import numpy as np

from jieneng.metering.errors import ConfigError, Msgid, Problem, UsageError
from simulators.load.seeded_noise import Floats, Ints
from simulators.scoring.consumption_comparison import IntervalAmounts
from simulators.scoring.reading_pairs import Answers
from simulators.scoring.truth_files import (
    CONSUMPTION_COLUMNS,
    CONSUMPTION_FILE,
    RUN_FILE,
    SERVED_COLUMNS,
    SERVED_FILE,
    RunRecord,
    to_ms,
)
from simulators.verdict import Verdict

_VERDICTS: Final[tuple[str, ...]] = get_args(Verdict)


class Truth(msgspec.Struct, frozen=True):
    """The content of a truth folder.

    Attributes:
        run: content of the file `run.json`.
        begin_ms: start of the run, UTC.
        end_ms: end of the run, UTC; if no end is recorded, the time of the last answer.
        answers: answers of each meter.
        consumption: true consumption of each meter in whole intervals.
        torn: names of the files whose last line is incomplete, because the run goes on or was
            killed.
    """

    run: RunRecord
    begin_ms: int
    end_ms: int
    answers: Mapping[str, Answers]
    consumption: Mapping[str, IntervalAmounts]
    torn: tuple[str, ...]


def read_truth(folder: Path) -> Truth:
    """Read a truth folder.

    Raises:
        UsageError: the folder is not a truth folder.
        ConfigError: a file contains lines that the simulator can't have written.
    """
    run = _read_run(folder)
    consumption = _CsvFile(folder / CONSUMPTION_FILE, CONSUMPTION_COLUMNS, run)
    served = _CsvFile(folder / SERVED_FILE, SERVED_COLUMNS, run)
    amounts = _read_amounts(consumption, run)
    answers = _read_answers(served, run)
    begin_ms = to_ms(run.begin)
    last_ms = [int(rows.times_ms.max(initial=begin_ms)) for rows in answers.values()]
    return Truth(
        run=run,
        begin_ms=begin_ms,
        end_ms=max(last_ms, default=begin_ms) if run.end is None else to_ms(run.end),
        answers=answers,
        consumption=amounts,
        torn=tuple(file.path.name for file in (consumption, served) if file.torn),
    )


def _read_run(folder: Path) -> RunRecord:
    try:
        run = msgspec.json.decode((folder / RUN_FILE).read_bytes(), type=RunRecord)
        ZoneInfo(run.timezone)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(
            "{folder} does not contain the truth of a run: name a folder that jieneng simulate"
            " --truth wrote.",
            folder=folder,
        ) from error
    except (msgspec.DecodeError, ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigError(
            [
                Problem(
                    text="this file can't be read: {error}.",
                    fix="Use the file as jieneng simulate wrote it.",
                    values={"error": error},
                    file=RUN_FILE,
                )
            ]
        ) from error
    return run


class _CsvFile:
    """A CSV file of a truth folder.

    Attributes:
        path: path of the file.
        torn: True if the last line is incomplete; valid after `read_lines`.
    """

    def __init__(self, path: Path, header: Sequence[str], run: RunRecord) -> None:
        self.path = path
        self.torn = False
        self._header = list(header)
        self._quantities = {name: row.quantity for name, row in run.meters.items()}

    def read_lines(self, take: Callable[..., None]) -> None:
        """Call `take` with the cells of each line. `take` raises `ValueError` for wrong cells.

        Raises:
            ConfigError: a line is wrong. The error names the line.
        """
        line = 0
        try:
            with self.path.open(encoding="utf-8", errors="replace", newline="") as file:
                for line, cells in enumerate(csv.reader(self._whole_lines(file)), 1):
                    self._check(line, cells)
                    if line > 1:
                        take(*cells)
        except FileNotFoundError as error:
            raise self._problem(
                "this file does not exist.", "Create it, or check the folder."
            ) from error
        except (ValueError, csv.Error) as error:
            raise self._problem(
                "this line can't be read: {error}.", "Correct the line.", line, error=error
            ) from error

    def _whole_lines(self, lines: Iterable[str]) -> Iterator[str]:
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
        self, text: Msgid, fix: Msgid, line: int | None = None, **values: object
    ) -> ConfigError:
        return ConfigError(
            [Problem(text=text, fix=fix, values=values, file=self.path.name, line=line)]
        )


def _read_amounts(file: _CsvFile, run: RunRecord) -> dict[str, IntervalAmounts]:
    starts = {name: array("q") for name in run.meters}
    values = {name: array("d") for name in run.meters}

    def take(time: str, meter: str, _: str, value: str) -> None:
        starts[meter].append(_time_ms(time))
        values[meter].append(_number(value))

    file.read_lines(take)
    return {
        name: IntervalAmounts(_ints(starts[name]), _floats(values[name])) for name in run.meters
    }


def _read_answers(file: _CsvFile, run: RunRecord) -> dict[str, Answers]:
    columns: dict[str, _AnswerColumns] = {name: _AnswerColumns() for name in run.meters}

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
        of_meter = columns[meter]
        of_meter.times.append(_time_ms(time))
        of_meter.values.append(_number(value) if value else math.nan)
        of_meter.registers.append(_number(register))
        of_meter.verdicts.append(_VERDICTS.index(answer))
        of_meter.faults.append(sys.intern(faults))
        of_meter.peers.append(sys.intern(peer))

    file.read_lines(take)
    return {name: columns[name].answers() for name in run.meters}


class _AnswerColumns:
    """The answers of one meter, collected in compact arrays, because a run may have millions."""

    def __init__(self) -> None:
        self.times = array("q")
        self.values = array("d")
        self.registers = array("d")
        self.verdicts = array("q")
        self.faults: list[str] = []
        self.peers: list[str] = []

    def answers(self) -> Answers:
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
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text} has no offset from UTC")
    return to_ms(time)


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no number")
    return number
