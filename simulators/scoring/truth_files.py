"""Define the files of a truth folder: the true consumption of every meter, and its answers.

- `run.json`: site, time and meters of the run (`RunRecord`). It is complete whenever it exists.
- `consumption.csv`: consumption in each whole interval of the run. It can be imported as it is with
  `jieneng import readings --kind interval`.
- `served.csv`: a line for each answer that held a meter's consumption counter (`ServedAnswer`).

Law: the folder of a run that was killed can be read. The last line of a file may be incomplete; it
is left out, and reported. Lines are in the order of events, so only the last events can be missing
on the disk. If `run.json` has no end, the run is taken to end with its last answer.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from jieneng.metering.quantities import Medium
from simulators.verdict import Verdict

RUN_FILE: Final = "run.json"
CONSUMPTION_FILE: Final = "consumption.csv"
SERVED_FILE: Final = "served.csv"
CONSUMPTION_COLUMNS: Final = ("time", "meter", "quantity", "value")
SERVED_COLUMNS: Final = (*CONSUMPTION_COLUMNS, "register", "answer", "faults", "peer")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)

GaugeInputs = Annotated[datetime, Meta(tz=True)]


class MeterRow(msgspec.Struct, frozen=True):
    """A meter of the run.

    Attributes:
        medium: its medium.
        quantity: its consumption counter.
        step: one step of the counter's register at the beginning of the run, on the primary side
            [canonical unit]; 0 if the register holds a float.
    """

    medium: Medium
    quantity: str
    step: Annotated[float, Meta(ge=0)]


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `run.json`.

    Attributes:
        v: version of the folder's form.
        site: the site's id.
        timezone: the site's time zone.
        begin: start of the run on the simulation's clock.
        end: end of the run on the simulation's clock; None while the run goes on.
        speed: speed of the simulation's clock, times real time.
        interval_s: length of the intervals of `consumption.csv` [s].
        meters: the run's meters, by id.
    """

    v: Literal[1] = 1
    site: str
    timezone: str
    begin: GaugeInputs
    end: GaugeInputs | None
    speed: Annotated[float, Meta(gt=0)]
    interval_s: Annotated[int, Meta(ge=1)]
    meters: dict[str, MeterRow]


class ServedAnswer(msgspec.Struct, frozen=True):
    """An answer that held a meter's consumption counter; a line of `served.csv`.

    Attributes:
        time_ms: time of the answer on the simulation's clock, UTC.
        meter: the meter's id.
        quantity: the meter's consumption counter.
        value: counter according to the answer's registers, on the primary side [canonical unit];
            None if nothing could be read from them.
        register: counter that an undisturbed register would have shown [canonical unit].
        answer: good (whole, right and in time: a reader must keep it), doubtful (a careful reader
            may keep it or not), or bad (it must not be believed).
        faults: ids of the faults that affected the answer.
        peer: address of the master that received the answer, host:port.
    """

    time_ms: int
    meter: str
    quantity: str
    value: float | None
    register: float
    answer: Verdict
    faults: tuple[str, ...]
    peer: str


def to_utc(time_ms: int) -> datetime:
    """Return the UTC time of milliseconds since 1970."""
    return _EPOCH + time_ms * _MS


def to_ms(time: datetime) -> int:
    """Return the milliseconds since 1970 of a time with an offset."""
    return (time - _EPOCH) // _MS
