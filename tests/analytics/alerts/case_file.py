"""Structs of `case.toml`: a case from the field. Times are those of `series_text`."""

from pathlib import Path
from typing import Literal

import msgspec


class SeriesRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table `[[series]]`: the values of a rule's signal.

    Attributes:
        rule: id of the rule.
        subject: subjects that have these values.
        values: lines of `series_text`.
        step: interval of the values; None for that of the rounds. `1d` is a local day.
        readings: True if these are readings, of which the signal's own function makes the values.
        first: time of the first value; None for the start of the case.
        anew: True if the whole past of the signal is evaluated again in each round.
        known_after: time from which on a value is known, after its own time.
        known: time from which on these values replace those of earlier tables; None for at once.
    """

    rule: str
    subject: tuple[str, ...]
    values: str
    step: str | None = None
    readings: bool = False
    first: str | None = None
    anew: bool = False
    known_after: str = "0s"
    known: str | None = None


class OutageRow(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"from_": "from"}
):
    """A table `[[outage]]`: readings of this time arrive from its end on, the oldest first.

    Attributes:
        drain: time that it takes until all have arrived.
    """

    from_: str
    to: str
    subject: tuple[str, ...]
    drain: str = "0s"


class MarkRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table `[[mark]]`: `jieneng alerts ack` or `silence`; an ack is of the current episode."""

    at: str
    kind: Literal["ack", "silence"]
    rule: str = "*"
    subject: str = "*"
    by: str = "wang"
    until: str | None = None


class ChangeRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table `[[change]]`: the files of a subfolder are in force after a restart."""

    at: str
    folder: str


class ClockRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table `[[clock]]`: the clock of the service is wrong from a time on."""

    at: str
    shift: str


class DownRow(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"from_": "from"}
):
    """A table `[[down]]`: the service does not run."""

    from_: str
    to: str


class CaseFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of `case.toml`.

    Attributes:
        title: the claim.
        site: file of `cases/sites`, if the folder has no `site.toml`.
        start: first round.
        until: last round.
        every: interval of the rounds.
        restart: times at which the service restarts from the stored alerts. crash: rounds after
            which the service is killed: its notices are on disk, but its states are not stored.
    """

    title: str
    start: str
    until: str
    every: str = "10s"
    site: str = "centre.toml"
    series: tuple[SeriesRow, ...]
    outage: tuple[OutageRow, ...] = ()
    mark: tuple[MarkRow, ...] = ()
    change: tuple[ChangeRow, ...] = ()
    clock: tuple[ClockRow, ...] = ()
    down: tuple[DownRow, ...] = ()
    restart: tuple[str, ...] = ()
    crash: tuple[str, ...] = ()


def read_case(folder: Path) -> CaseFile:
    """Return the case of a folder."""
    return msgspec.toml.decode((folder / "case.toml").read_bytes(), type=CaseFile)
