"""Settings of the simulators: `simulator.toml` in the site's folder. Every key has a default."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from jieneng.metering.site import Host, Id
from jieneng.observe import MetricsSettings


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """A `[[trend]]`: yearly change of an area's consumption from 2020-01-01 on, compounded.

    A trend also applies to the areas inside the area, unless they have a `[[trend]]` of their own.

    Attributes:
        area: id of the area.
        energy_pct_per_year: change of electricity, gas and heat [percent a year].
        water_pct_per_year: change of water [percent a year].
    """

    area: Id
    energy_pct_per_year: Annotated[float, Meta(gt=-50, lt=50)] = 0.0
    water_pct_per_year: Annotated[float, Meta(gt=-50, lt=50)] = 0.0


class LoadRow(msgspec.Struct, frozen=True, kw_only=True):
    """A `[[load]]`: the load of one meter, instead of the default load for its area and item.

    Attributes:
        meter: id of the meter.
        recipe: name of a recipe in `simulators/data/loads.toml`. If the meter has sub-meters, the
            recipe describes only the load that none of them measures.
        scale: factor by which the recipe is multiplied.
        steady: constant load instead of a recipe [canonical unit an hour].
        remainder_pct: load that no sub-meter measures, in percent of the sum of the sub-meters. For
            a meter that has sub-meters and no recipe.
    """

    meter: Id
    recipe: str | None = None
    scale: Annotated[float, Meta(gt=0)] = 1.0
    steady: Annotated[float, Meta(ge=0)] | None = None
    remainder_pct: Annotated[float, Meta(ge=0, le=100)] | None = None


class ReplayRow(msgspec.Struct, frozen=True, kw_only=True):
    """A `[[replay]]`: a file of measured values as the load of one meter.

    Attributes:
        meter: id of the meter.
        file: CSV file, also as .gz, relative to the site's folder.
        column: header of the column of values.
        time_column: header of the column of times; the first column if omitted.
        timezone: time zone of times without an offset; the site's if omitted.
        kind: meaning of the values. "interval": consumption of intervals, with the times of their
            starts. "register": readings of a register.
        scale: canonical units per unit of the file.
        missing: texts that mean a missing value, in addition to the empty text. Numbers are
            compared as numbers: "0" also matches 0.0.
        interval_s: length of an interval [s]; the median step between times if omitted.
        rest: share of an interval, at its beginning and again at its end, without flow.
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
    """The table `[control]`: the HTTP interface that switches faults and returns true values.

    Attributes:
        host: address to listen on; by default loopback, so that other machines can't switch faults.
        port: port to listen on; 0 for a free one, which is written to `simulator.json`.
        exchanges: number of latest exchanges that `GET /exchanges` returns.
    """

    host: Host = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 0
    exchanges: Annotated[int, Meta(ge=0, le=1_000_000)] = 10_000


class SimulatorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `simulator.toml`.

    Attributes:
        seed: seed of the random numbers in loads and faults.
        host: address that the simulated buses listen on.
        ports: bus -> port; all other buses use free ports.
        devices: bus -> path of a symbolic link to its serial port, relative to the site's folder.
            Serial buses without a link get a new path in each run, which is written to the log and
            to `simulator.json`.
        ports_file: JSON file that is written once all buses listen, relative to the site's folder.
            It maps each bus to [host, port], or to the path of its serial port.
        last_year: last year that has loads.
        remainder_pct: default of `remainder_pct` in `[[load]]`.
        metrics: the table `[metrics]`.
        control: the table `[control]`.
        trend: the `[[trend]]` tables.
        load: the `[[load]]` tables.
        replay: the `[[replay]]` tables.
    """

    seed: int = 1
    host: Host = "127.0.0.1"
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
