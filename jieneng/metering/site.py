"""What stands there: site > area > meter, institutions, buses. As people write it in `site.toml`.

Pure: structs and the rules that hold between them. What changes over the years (floor area,
headcount, CT and PT ratios, the device itself) is a dated list, and is asked for a day.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import cached_property
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from jieneng.metering.quantities import Medium

Id = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=32)]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]

AreaKind = Literal["office", "canteen", "data_room", "dormitory", "plant", "other"]
Link = Literal["tcp", "rtu_tcp", "rtu"]
Category = Literal["01", "021", "022", "023", "024", "025", "026", "03"]

_USUAL_BAUD: Final = 9600


class Dated(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """A value in force from the start of a local day until the next one's."""

    from_: date
    value: NotNegative


class SiteInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The table `[site]`."""

    id: Id
    name: str
    timezone: str = "Asia/Shanghai"
    division: Annotated[str, Meta(pattern=r"^[0-9]{6}$")] = "320800"
    language: Literal["zh", "en"] = "zh"


class Institution(msgspec.Struct, frozen=True, kw_only=True):
    """用能单位: answers for its figures. Category: 国家机关 01, 事业单位 021..026, 团体 03."""

    id: Id
    name: str
    category: Category = "01"


class Area(msgspec.Struct, frozen=True, kw_only=True):
    """A building, a floor, a let shop. Its floor area and headcount include its sub-areas'."""

    id: Id
    name: str
    kind: AreaKind = "office"
    parent: Id | None = None
    institutions: tuple[Id, ...] = ()
    floor_area_m2: tuple[Dated, ...] = ()
    headcount: tuple[Dated, ...] = ()


class Bus(msgspec.Struct, frozen=True, kw_only=True):
    """One link with one or more meters on it. One request is in flight on it at a time.

    Attributes:
        baud: of the serial line, be it on a port of ours or behind a gateway; so are `parity` and
            `stop_bits`.
        timeout_s: how long a meter may take to answer; what bytes take on a serial port's wire
            comes on top.
        delay_s: from the end of an answer to the next request, for meters that need a rest. On a
            serial port it is never less than the silence between two frames.
        turnaround_s: how long its meters usually take before they answer; only `check` calculates
            with it. What `edge_agent.commissioning.bus_time_budget` assumes where omitted.
    """

    id: Id
    agent: Id
    link: Link = "tcp"
    host: str | None = None
    port: Annotated[int, Meta(ge=1, le=65535)] = 502
    device: str | None = None
    baud: Annotated[int, Meta(ge=300, le=921600)] | None = None
    parity: Literal["N", "E", "O"] = "N"
    stop_bits: Literal[1, 2] = 1
    timeout_s: Positive = 1.0
    delay_s: Annotated[float, Meta(ge=0, le=10)] = 0.0
    turnaround_s: Annotated[float, Meta(ge=0, le=10)] | None = None

    @property
    def has_line(self) -> bool:
        """Whether its meters hang on a serial line. Behind Modbus TCP only if one is described."""
        return self.link != "tcp" or (self.baud, self.parity, self.stop_bits) != (None, "N", 1)

    @property
    def line_baud(self) -> int:
        """What that line has, never omitted."""
        return self.baud or _USUAL_BAUD


class Replacement(msgspec.Struct, frozen=True, kw_only=True):
    """A meter changed for another: what the old one showed last, the new one first.

    `final` and `initial` are in the consumption quantity's canonical unit, as stored.
    """

    at: datetime
    final: NotNegative
    initial: NotNegative = 0.0
    model: str | None = None


class Meter(msgspec.Struct, frozen=True, kw_only=True):
    """A place where a medium is measured. It keeps its id when the device is replaced.

    Attributes:
        model: id of the model that hangs there now; None for one read by hand.
        bus: None for a meter that is read by hand or by import only.
        unit: Modbus unit on the bus.
        address: address on the bus of a meter whose protocol has other addresses than units.
        parent: the meter above it; None for a main.
        item: the sub-item (lighting, hvac, power, special), where it is one.
        every: quantities that are asked for in every so many polls only, instead of what the model
            says.
        rated_max: nameplate maximum, in kW or m3/h; None if it can't be read.
    """

    id: Id
    name: str
    medium: Medium
    area: Id
    model: str | None = None
    bus: Id | None = None
    unit: Annotated[int, Meta(ge=0, le=255)] = 1
    address: Annotated[str, Meta(pattern=r"^[0-9A-Za-z]+$", max_length=32)] | None = None
    parent: Id | None = None
    item: str | None = None
    interval_s: Annotated[float, Meta(ge=0.1, le=86400)] = 10.0
    every: dict[str, Annotated[int, Meta(ge=1)]] = {}
    rated_max: Positive | None = None
    ct: tuple[Dated, ...] = ()
    pt: tuple[Dated, ...] = ()
    installed: date | None = None
    replaced: tuple[Replacement, ...] = ()

    @property
    def bus_address(self) -> dict[str, int | str]:
        """Address on the bus, under the key by which `site.toml` gives it."""
        return {"unit": self.unit} if self.address is None else {"address": self.address}


class Site(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The whole of `site.toml`."""

    site: SiteInfo
    institution: tuple[Institution, ...] = ()
    area: tuple[Area, ...] = ()
    bus: tuple[Bus, ...] = ()
    meter: tuple[Meter, ...] = ()

    @property
    def id(self) -> str:
        """The site's id, first level of every topic and a tag of every point."""
        return self.site.id

    @cached_property
    def zone(self) -> ZoneInfo:
        """The time zone in which days, months and years begin."""
        return ZoneInfo(self.site.timezone)

    @cached_property
    def meters(self) -> Mapping[str, Meter]:
        """Meters by id."""
        return {meter.id: meter for meter in self.meter}

    @cached_property
    def areas(self) -> Mapping[str, Area]:
        """Areas by id."""
        return {area.id: area for area in self.area}

    @cached_property
    def buses(self) -> Mapping[str, Bus]:
        """Buses by id."""
        return {bus.id: bus for bus in self.bus}


def value_on(dated: Sequence[Dated], day: date, default: float | None = None) -> float | None:
    """The value in force on a local day; `default` before the first one."""
    found = default
    for row in dated:
        if row.from_ > day:
            break
        found = row.value
    return found


def cycle(parents: Mapping[str, str | None], start: str) -> tuple[str, ...]:
    """The ids on the way up from `start` back to it, `start` at both ends; () if it ends.

    Args:
        parents: the parent's id by id; None at the top.
        start: where to begin.
    """
    way = [start]
    while (parent := parents[way[-1]]) is not None and parent in parents:
        way.append(parent)
        if parent == start:
            return tuple(way)
        if len(way) > len(parents):  # a circle further up: found from its own members
            return ()
    return ()


def below(parents: Mapping[str, str | None], tops: Iterable[str]) -> Iterator[str]:
    """The given ids and everything under them, each once, parents first."""
    children: dict[str | None, list[str]] = {}
    for node, parent in parents.items():
        children.setdefault(parent, []).append(node)
    waiting, seen = list(tops), set[str]()
    while waiting:
        node_id = waiting.pop(0)
        if node_id not in seen:
            seen.add(node_id)
            yield node_id
            waiting.extend(children.get(node_id, []))
