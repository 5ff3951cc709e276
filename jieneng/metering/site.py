"""Structs of `site.toml`: site, areas, institutions, buses and meters. Pure.

A value that changes over the years (floor area, headcount, CT and PT ratio, the device) is a list
of dated values, from which `value_in_force` takes the value of a day.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import cached_property
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from jieneng.metering.quantities import Medium

Id = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9-]*$",
        max_length=32,
        description="Write lower-case letters, digits and hyphens in quotes, at most {longest} "
        "characters, for example: {example}",
        examples=["block-1"],
    ),
]
Host = Annotated[
    str,
    Meta(
        description="Write a host name or an IP address in quotes, without port and without "
        "http://, for example: {example}",
        examples=["192.0.2.11"],
        extra={"condition": "host"},  # named in `jieneng.value_forms`
    ),
]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]

AreaKind = Literal["office", "canteen", "data_room", "dormitory", "plant", "other"]
LinkKind = Literal["tcp", "rtu_tcp", "rtu"]
Category = Literal["01", "021", "022", "023", "024", "025", "026", "03"]
Item = Literal["lighting", "hvac", "power", "special"]
Role = Literal["consumption", "generation", "export"]
Supply = Literal["grid", "direct_green", "traded"]
Resets = Literal["daily", "monthly", "yearly"]

_USUAL_BAUD: Final = 9600


class DatedValue(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """A value in force from the start of a local day until the next one's."""

    from_: date
    value: NotNegative


class DatedArea(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """The area of a meter from the start of a local day until the next one's."""

    from_: date
    value: Id


class DatedSwitch(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """A switch that is on or off from the start of a local day until the next one's."""

    from_: date
    value: bool


#: Text without limits: msgspec crashes on a union of text with a pattern and a list (0.22). A wrong
#: id is found as a dangling reference.
Place = Annotated[
    str | tuple[DatedArea, ...],
    Meta(
        description="Write the id of an area in quotes, or a list of dated ones, for example: "
        "{example}",
        examples=["block-1"],
    ),
]
Counts = Annotated[
    bool | tuple[DatedSwitch, ...],
    Meta(
        description="Write true or false, or a list of dated values, for example: {example}",
        examples=[[{"from": date(2023, 7, 1), "value": False}]],
    ),
]


class SiteInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The table `[site]`.

    Attributes:
        language: of texts for people, one of `jieneng.locale.languages()`.
    """

    id: Id
    name: str
    timezone: str = "Asia/Shanghai"
    division: Annotated[
        str,
        Meta(
            pattern=r"^[0-9]{6}$",
            description="Write the six digits of the administrative division in quotes, for "
            "example: {example}",
        ),
    ] = "320800"
    language: str = "zh"


class Institution(msgspec.Struct, frozen=True, kw_only=True):
    """An institution (用能单位), which answers for its figures.

    Attributes:
        category: 国家机关 01, 事业单位 021..026, 团体 03.
    """

    id: Id
    name: str
    category: Category = "01"


class Area(msgspec.Struct, frozen=True, kw_only=True):
    """A building, a floor or a let shop. Floor area and headcount include those of sub-areas.

    Attributes:
        closed: last day of its use; None if it is in use.
        counts: false if it is let out or its energy resold: it counts in its own figures only.
    """

    id: Id
    name: str
    kind: AreaKind = "office"
    parent: Id | None = None
    institutions: tuple[Id, ...] = ()
    floor_area_m2: tuple[DatedValue, ...] = ()
    headcount: tuple[DatedValue, ...] = ()
    closed: date | None = None
    counts: Counts = True

    def counts_on(self, day: date) -> bool:
        """Return False on a local day on which it counts in its own figures only."""
        return _switch_on(self.counts, day) is not False


class Bus(msgspec.Struct, frozen=True, kw_only=True):
    """A link with one or more meters. One request is in flight on it at a time.

    Attributes:
        baud: bit rate of the serial line, on a port of the agent's machine or behind a gateway;
            `parity` and `stop_bits` are of that line, too.
        timeout_s: time that a meter may take to reply [s]. On a serial port, the time of the bytes
            on the wire is added.
        delay_s: pause from the end of a reply to the next request [s], for meters that need one. On
            a serial port it is never less than the silence between two frames.
        turnaround_s: time that its meters usually take before they reply [s]. Only `check`
            calculates with it; omitted, `edge_agent.commissioning.bus_time_budget` assumes one.
    """

    id: Id
    agent: Id
    link: LinkKind = "tcp"
    host: Host | None = None
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
        """Return True if its meters are on a serial line; behind Modbus TCP, if it is described."""
        return self.link != "tcp" or (self.baud, self.parity, self.stop_bits) != (None, "N", 1)

    @property
    def line_baud(self) -> int:
        """Bit rate of that line; the usual one if it is omitted."""
        return self.baud or _USUAL_BAUD


class Replacement(msgspec.Struct, frozen=True, kw_only=True):
    """A replacement of a meter's device by another one.

    Attributes:
        at: moment of the replacement.
        final: last reading of the old device, in the canonical unit of the consumption quantity.
        initial: first reading of the new device, in the same unit.
        model: model of the new device; None if it is that of the meter.
    """

    at: datetime
    final: NotNegative
    initial: NotNegative = 0.0
    model: str | None = None


class Meter(msgspec.Struct, frozen=True, kw_only=True):
    """A place where a medium is measured; keeps its id when the device is replaced.

    Attributes:
        model: id of the device's model; None for a meter that is read by hand.
        bus: id of the bus; None for a meter that is read by hand or by import only.
        unit: Modbus unit on the bus.
        address: address on the bus of a meter whose protocol has other addresses than units.
        area: id of its area, or the dated ids of its areas; the first one has no beginning.
        parent: id of the meter above it; None for a main.
        item: sub-item that it measures; None if it measures none alone.
        role: what its consumption register counts: energy that is consumed, that is generated
            within the area, or that leaves the site.
        supply: class of the purchased electricity, by which its carbon is counted; None for that of
            the meter above it, and for a main the grid's.
        counts: false if its consumption is resold or let out; true for a sub-item that counts
            beside the main; None for the usual rule.
        interval_s: polling interval [s].
        every: quantities that are read in every so many polls only; overrides the model.
        account: number of its account with the supplier, as on the bill.
        rated_max: nameplate maximum [kW or m3/h]; None if it can't be read.
        rated_max_unknown: reason why it can't be read; only `check` asks for one.
        removed: last day of the meter; None if it is in its place.
        digits: digits of the display in front of the decimal point; None if that is not recorded.
        modulus: display's value at which it begins again at 0, instead of `digits`.
        resets: how often the register begins again at 0, at local midnight; None if never.
    """

    id: Id
    name: str
    medium: Medium
    area: Place
    model: str | None = None
    bus: Id | None = None
    unit: Annotated[int, Meta(ge=0, le=255)] = 1
    address: (
        Annotated[
            str,
            Meta(
                pattern=r"^[0-9A-Za-z]+$",
                max_length=32,
                description="Write the digits and letters that the device's display shows in "
                "quotes, at most {longest}, for example: {example}",
                examples=["000012345678"],
            ),
        ]
        | None
    ) = None
    parent: Id | None = None
    item: Item | None = None
    role: Role = "consumption"
    supply: Supply | None = None
    counts: Counts | None = None
    interval_s: Annotated[float, Meta(ge=0.1, le=86400)] = 10.0
    every: Annotated[
        dict[str, Annotated[int, Meta(ge=1)]], Meta(examples=[{"voltage_a_v": 6}])
    ] = {}
    rated_max: Annotated[float, Meta(gt=0, examples=[400.0])] | None = None
    rated_max_unknown: (
        Annotated[
            str,
            Meta(
                pattern=r"\S",
                description="Write in quotes why nobody can read the nameplate, for example: "
                "{example}",
                examples=["behind the wall"],
            ),
        ]
        | None
    ) = None
    digits: Annotated[int, Meta(ge=3, le=12, examples=[5])] | None = None
    modulus: Annotated[float, Meta(gt=0, examples=[100000.0])] | None = None
    resets: Resets | None = None
    ct: tuple[DatedValue, ...] = ()
    pt: tuple[DatedValue, ...] = ()
    account: Annotated[str, Meta(min_length=1, examples=["3208001234567"])] | None = None
    installed: date | None = None
    removed: date | None = None
    replaced: tuple[Replacement, ...] = ()

    @property
    def display_modulus(self) -> float | None:
        """Display's value at which it begins again at 0; None if that is not recorded."""
        return self.modulus if self.digits is None else 10.0**self.digits

    @property
    def bus_address(self) -> dict[str, int | str]:
        """Address on the bus, under the key by which `site.toml` gives it."""
        return {"unit": self.unit} if self.address is None else {"address": self.address}

    @property
    def areas(self) -> tuple[str, ...]:
        """Ids of its areas in the order of time; one if it was never moved.

        An empty list is an id that refers to nothing.
        """
        if isinstance(self.area, tuple):
            return tuple(row.value for row in self.area) or ("",)
        return (self.area,)

    @property
    def last_area(self) -> str:
        """Id of its area today."""
        return self.areas[-1]

    def area_on(self, day: date) -> str:
        """Return the id of its area on a local day; the first one has no beginning."""
        if isinstance(self.area, str):
            return self.area
        begun = [row.value for row in self.area if row.from_ <= day]
        return begun[-1] if begun else self.areas[0]

    def counts_on(self, day: date) -> bool | None:
        """Return whether its consumption counts on a local day; None for the usual rule."""
        return _switch_on(self.counts, day)


class ConfirmedFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A finding that a person has looked into and found in order.

    Attributes:
        meter: id of the meter.
        finding: code of a row of `jieneng.metering.findings`.
        at: local day on which the finding begins, or a later one of its days.
        until: last of several such days; None for `at` alone.
        by: name of the person.
        reason: why it is in order.
    """

    meter: Id
    finding: Annotated[str, Meta(min_length=1, examples=["unusual_step"])]
    at: date
    until: date | None = None
    by: Annotated[str, Meta(min_length=1, examples=["张三"])]
    reason: Annotated[str, Meta(min_length=1, examples=["现场核对表盘"])]


class Site(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The whole of `site.toml`."""

    site: SiteInfo
    institution: tuple[Institution, ...] = ()
    area: tuple[Area, ...] = ()
    bus: tuple[Bus, ...] = ()
    meter: tuple[Meter, ...] = ()
    confirmed: tuple[ConfirmedFinding, ...] = ()

    @property
    def id(self) -> str:
        """Id of the site: a level of every topic and a tag of every point."""
        return self.site.id

    @cached_property
    def zone(self) -> ZoneInfo:
        """Time zone in which days, months and years begin."""
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


def _switch_on(switch: bool | tuple[DatedSwitch, ...] | None, day: date) -> bool | None:
    """Return a switch on a local day; None before the first dated value."""
    if not isinstance(switch, tuple):
        return switch
    begun = [row.value for row in switch if row.from_ <= day]
    return begun[-1] if begun else None


def value_in_force(
    dated: Sequence[DatedValue], day: date, default: float | None = None
) -> float | None:
    """Return the value in force on a local day; `default` before the first one."""
    found = default
    for row in dated:
        if row.from_ > day:
            break
        found = row.value
    return found


def parent_cycle(parents: Mapping[str, str | None], start: str) -> tuple[str, ...]:
    """Return the circle of parents that `start` is in, with `start` at both ends.

    The result is empty if `start` is in no circle.

    Args:
        parents: id of the parent, by id; None at the top.
        start: id at which the search begins.
    """
    path = [start]
    while (parent := parents[path[-1]]) is not None and parent in parents:
        path.append(parent)
        if parent == start:
            return tuple(path)
        if len(path) > len(parents):  # a circle further up is found from its own members
            return ()
    return ()


def descendants(parents: Mapping[str, str | None], tops: Iterable[str]) -> Iterator[str]:
    """Yield the given ids and all their descendants, each once, parents first."""
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
