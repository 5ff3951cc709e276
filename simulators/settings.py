"""Settings of the simulators: `simulator.toml` in the site's folder. Every key has a default."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from jieneng.metering.site import Id
from jieneng.observe import MetricsSettings


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """Change of an area's consumption from 2020-01-01 on, compounded [percent a year].

    It holds for the area and what lies in it, unless that has a trend of its own.
    """

    area: Id
    energy_pct_per_year: Annotated[float, Meta(gt=-50, lt=50)] = 0.0
    water_pct_per_year: Annotated[float, Meta(gt=-50, lt=50)] = 0.0


class LoadRow(msgspec.Struct, frozen=True, kw_only=True):
    """Load of one meter, for meters whose default load (by area and item) is wrong.

    Attributes:
        recipe: a name in `simulators/data/loads.toml`. On a meter with sub-meters it is what the
            meter has of its own.
        scale: multiplies the recipe.
        steady: flows evenly instead of as a recipe [canonical unit an hour].
        remainder_pct: of a meter with sub-meters and no recipe: what flows past them [percent of
            their sum].
    """

    meter: Id
    recipe: str | None = None
    scale: Annotated[float, Meta(gt=0)] = 1.0
    steady: Annotated[float, Meta(ge=0)] | None = None
    remainder_pct: Annotated[float, Meta(ge=0, le=100)] | None = None


class ReplayRow(msgspec.Struct, frozen=True, kw_only=True):
    """A file of measured values as one meter's load.

    Attributes:
        file: CSV, also as .gz; relative to the site's folder.
        column: the values' header.
        time_column: the times' header; the first column where omitted.
        timezone: of times without an offset; the site's where omitted.
        kind: what the values are: the consumption of intervals, each with the time at which it
            begins, or readings of a register.
        scale: what one unit of the file is worth, in the canonical unit.
        missing: texts that mean a missing value, besides the empty one. Numbers are compared as
            numbers: "0" is also 0.0.
        interval_s: length of an interval; the usual distance of two times where omitted.
        rest: share of an interval, at each edge, in which nothing flows.
    """

    meter: Id
    file: str
    column: str
    time_column: str | None = None
    timezone: str | None = None
    kind: Literal["interval", "register"] = "interval"
    scale: Annotated[float, Meta(gt=0)] = 1.0
    missing: tuple[str, ...] = ()
    interval_s: Annotated[float, Meta(gt=0)] | None = None
    rest: Annotated[float, Meta(ge=0, lt=0.5)] = 0.25


class ControlSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The table `[control]`: faults are switched and the truth is read over HTTP there.

    Attributes:
        host: loopback, unless other machines may misbehave as well.
        port: 0 takes a free one, which `simulator.json` in the site's folder names.
        exchanges: how many of the latest can be read.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 0
    exchanges: Annotated[int, Meta(ge=0, le=1_000_000)] = 10_000


class SimulatorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of `simulator.toml`.

    Attributes:
        seed: another one is another centre of the same kind.
        host: where the simulated buses listen.
        ports: bus -> port; a bus that is not here takes a free one.
        devices: bus -> path of its serial port, relative to the site's folder; where the bus is not
            here, only the log and `simulator.json` tell it.
        ports_file: where to write bus -> [host, port] as JSON once all listen (of a serial bus its
            path); relative to the site's folder.
        last_year: the loads end with it.
        remainder_pct: see `LoadRow`, for meters that have no row.
    """

    seed: int = 1
    host: str = "127.0.0.1"
    ports: dict[str, Annotated[int, Meta(ge=0, le=65535)]] = {}
    devices: dict[str, str] = {}
    ports_file: str | None = None
    last_year: Annotated[int, Meta(ge=2020, le=2100)] = 2040
    remainder_pct: Annotated[float, Meta(ge=0, le=100)] = 4.0
    metrics: MetricsSettings = MetricsSettings()
    control: ControlSettings = ControlSettings()
    trend: tuple[Trend, ...] = ()
    load: tuple[LoadRow, ...] = ()
    replay: tuple[ReplayRow, ...] = ()
