"""Structs of `site.toml`: site, areas, institutions, buses and meters. Pure.

A value that changes over the years (floor area, headcount, CT and PT ratio) is a list of dated
values. `value_in_force` returns the value of a day.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import cached_property
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from jieneng.metering.formulas.meter_formula import FormulaTerm, parse_formula
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
    """A value that is valid from the start of a local day, until the next dated value."""

    from_: date
    value: NotNegative


class DatedArea(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """The area of a meter from the start of a local day, until the next dated area."""

    from_: date
    value: Id


class DatedAccount(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """The account of a meter from the start of a local day, until the next dated account."""

    from_: date
    value: Annotated[str, Meta(min_length=1, examples=["3208001234567"])]


class DatedSwitch(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """A switch that is on or off from the start of a local day, until the next dated switch."""

    from_: date
    value: bool


#: The text has no pattern, because msgspec 0.22 crashes on a union of a text with a pattern and a
#: list. A wrong id is reported as a reference to an unknown id.
Place = Annotated[
    str | tuple[DatedArea, ...],
    Meta(
        description="Write the id of an area in quotes, or a list of dated ones, for example: "
        "{example}",
        examples=["block-1"],
    ),
]
AccountOf = Annotated[
    Annotated[str, Meta(min_length=1)] | tuple[DatedAccount, ...],
    Meta(
        description="Write the number of the account in quotes, or a list of dated ones, for "
        "example: {example}",
        examples=["3208001234567"],
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
        language: language of texts for people, one of `jieneng.locale.languages()`.
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
    """An institution (用能单位), which is responsible for its figures.

    Attributes:
        category: 国家机关 01, 事业单位 021..026, 团体 03.
    """

    id: Id
    name: str
    category: Category = "01"


class Area(msgspec.Struct, frozen=True, kw_only=True):
    """A building, a floor, a shop, ... Floor area and headcount include those of sub-areas.

    Attributes:
        closed: last day on which the area was used; None if it is in use.
        counts: false if the area is let out or its energy is resold. It then counts only in its own
            figures.
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
        """Return False if, on a local day, the area counts only in its own figures."""
        return _switch_on(self.counts, day) is not False


class Bus(msgspec.Struct, frozen=True, kw_only=True):
    """A link with one or more meters, with one request at a time.

    Attributes:
        baud: bit rate of the serial line, at a port of the agent's machine or behind a gateway;
            `parity` and `stop_bits` also belong to this line.
        timeout_s: longest time that a meter may take to reply [s]. On a serial port, the time of
            the bytes on the line is added.
        delay_s: pause from the end of a reply to the next request [s], for meters that need one. On
            a serial port it is never less than the silence between two frames.
        turnaround_s: usual reaction time of the meters [s]. It is used only by `jieneng check`; if
            omitted, `edge_agent.commissioning.bus_time_budget` assumes a value.
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
        """Return True if the meters are on a serial line, and the line is known."""
        return self.link != "tcp" or (self.baud, self.parity, self.stop_bits) != (None, "N", 1)

    @property
    def line_baud(self) -> int:
        """Bit rate of the serial line; a default if it is omitted."""
        return self.baud or _USUAL_BAUD


class Replacement(msgspec.Struct, frozen=True, kw_only=True):
    """A replacement of a meter's device by another one.

    Attributes:
        at: moment of the replacement.
        final: last reading of the old device, in the canonical unit of the consumption quantity.
        initial: first reading of the new device, in the same unit.
        model: model of the new device; None if it is the model of the meter.
    """

    at: datetime
    final: NotNegative
    initial: NotNegative = 0.0
    model: str | None = None


class Meter(msgspec.Struct, frozen=True, kw_only=True):
    """A place where a medium is measured. It keeps its id when the device is replaced.

    A meter with a formula is virtual: its consumption is computed from that of other meters.

    Attributes:
        formula: sum of other meters with constant factors; None for a meter that is read.
        model: id of the device's model; None for a meter that is read by hand.
        bus: id of the bus; None for a meter that is read by hand or whose readings are imported.
        unit: Modbus unit address on the bus.
        address: address on the bus, for protocols whose addresses are not Modbus units.
        area: id of the area; or dated ids of areas, of which the first is valid from the beginning.
        parent: id of the meter above it; None for a main.
        item: sub-item that the meter measures; None if it measures more than one.
        role: energy that the consumption register counts: consumed energy, energy generated within
            the area, or energy that leaves the site.
        supply: class of the purchased electricity, which determines its carbon factor. None for the
            class of the meter above; for a main, the grid's class.
        counts: false if the measured energy is resold or let out; true for a sub-item that is added
            to the main; None for the usual rule.
        interval_s: polling interval [s].
        every: for some quantities, a number N: the quantity is read only in every Nth poll.
            Overrides the model.
        account: number of the supplier's account, as on the bill; or dated accounts, of which the
            first is valid from its own day.
        rated_max: nameplate maximum [kW or m3/h]; None if it can't be read.
        rated_max_unknown: reason why the nameplate can't be read; used only by `jieneng check`.
        removed: last day of the meter; None if it is installed.
        digits: number of digits before the decimal point on the display; None if not recorded.
        modulus: value at which the display rolls over to 0; an alternative to `digits`.
        resets: period at which the register is reset to 0 at local midnight; None if never.
    """

    id: Id
    name: str
    medium: Medium
    area: Place
    formula: (
        Annotated[
            str,
            Meta(
                min_length=1,
                description="Write a sum of meters in quotes, for example: {example}",
                examples=["main - canteen - 0.5 * chiller"],
            ),
        ]
        | None
    ) = None
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
    account: AccountOf | None = None
    installed: date | None = None
    removed: date | None = None
    replaced: tuple[Replacement, ...] = ()

    @property
    def terms(self) -> tuple[FormulaTerm, ...]:
        """Terms of the formula; empty for a meter that is read.

        Raises:
            FormulaError: the formula can't be read. The check of the site refuses it.
        """
        return () if self.formula is None else parse_formula(self.formula)

    @property
    def display_modulus(self) -> float | None:
        """Value at which the display rolls over to 0; None if it is not recorded."""
        return self.modulus if self.digits is None else 10.0**self.digits

    @property
    def bus_address(self) -> dict[str, int | str]:
        """Address on the bus, with its key in `site.toml`."""
        return {"unit": self.unit} if self.address is None else {"address": self.address}

    @property
    def areas(self) -> tuple[str, ...]:
        """Ids of the meter's areas in order of time; only one if it was never moved.

        If `area` is an empty list, the result is an id that does not exist.
        """
        if isinstance(self.area, tuple):
            return tuple(row.value for row in self.area) or ("",)
        return (self.area,)

    @property
    def last_area(self) -> str:
        """Id of the latest area."""
        return self.areas[-1]

    def area_on(self, day: date) -> str:
        """Return the id of the meter's area on a local day."""
        if isinstance(self.area, str):
            return self.area
        begun = [row.value for row in self.area if row.from_ <= day]
        return begun[-1] if begun else self.areas[0]

    @property
    def accounts(self) -> tuple[str, ...]:
        """Accounts of the meter in order of time; empty if none is stated."""
        if isinstance(self.account, tuple):
            return tuple(row.value for row in self.account)
        return () if self.account is None else (self.account,)

    def is_billed_by(self, account: str, day: date) -> bool:
        """Return False if, on a local day, dated accounts name another account, or none yet."""
        if not isinstance(self.account, tuple):
            return True
        begun = [row.value for row in self.account if row.from_ <= day]
        return bool(begun) and begun[-1] == account

    def counts_on(self, day: date) -> bool | None:
        """Return the switch `counts` on a local day; None for the usual rule."""
        return _switch_on(self.counts, day)


class ConfirmedFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A row `[[confirmed]]`: a person has checked a finding, and its values are right.

    Attributes:
        meter: id of the meter.
        finding: code of a row in `jieneng.metering.findings`.
        at: local day on which the finding begins, or a later day of the finding.
        until: last day, if the row confirms findings on several days; None for the day `at` only.
        by: name of the person.
        reason: reason why the values are right.
    """

    meter: Id
    finding: Annotated[str, Meta(min_length=1, examples=["unusual_step"])]
    at: date
    until: date | None = None
    by: Annotated[str, Meta(min_length=1, examples=["张三"])]
    reason: Annotated[str, Meta(min_length=1, examples=["现场核对表盘"])]


class Site(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The content of `site.toml`."""

    site: SiteInfo
    institution: tuple[Institution, ...] = ()
    area: tuple[Area, ...] = ()
    bus: tuple[Bus, ...] = ()
    meter: tuple[Meter, ...] = ()
    confirmed: tuple[ConfirmedFinding, ...] = ()

    @property
    def id(self) -> str:
        """Id of the site. It is part of every MQTT topic, and a tag of every point."""
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
    def read_meters(self) -> Mapping[str, Meter]:
        """Meters that have readings, by id: all that are not virtual."""
        return {meter.id: meter for meter in self.meter if meter.formula is None}

    @cached_property
    def areas(self) -> Mapping[str, Area]:
        """Areas by id."""
        return {area.id: area for area in self.area}

    @cached_property
    def areas_below(self) -> Mapping[str | None, Sequence[str]]:
        """Ids of the areas directly below each area, by its id; the top areas have the key None."""
        return children_of({area.id: area.parent for area in self.area})

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
    """Return the value valid on a local day; `default` before the first value."""
    found = default
    for row in dated:
        if row.from_ > day:
            break
        found = row.value
    return found


def parent_cycle(parents: Mapping[str, str | None], start: str) -> tuple[str, ...]:
    """Return the cycle of parents that contains `start`, with `start` at both ends.

    The result is empty if there is no such cycle.

    Args:
        parents: id of the parent, by id; None at the top.
        start: id at which the search begins.
    """
    path = [start]
    while (parent := parents[path[-1]]) is not None and parent in parents:
        path.append(parent)
        if parent == start:
            return tuple(path)
        if len(path) > len(parents):  # a cycle above, which does not contain `start`
            return ()
    return ()


def children_of(parents: Mapping[str, str | None]) -> Mapping[str | None, Sequence[str]]:
    """Return the ids directly below each id, in the order of `parents`.

    The ids at the top have the key None.

    Args:
        parents: id of the parent, by id; None for an id at the top.
    """
    children: dict[str | None, list[str]] = {}
    for node, parent in parents.items():
        children.setdefault(parent, []).append(node)
    return children


def descendants(children: Mapping[str | None, Sequence[str]], tops: Iterable[str]) -> Iterator[str]:
    """Yield the given ids and all their descendants, without repetitions, parents first.

    Args:
        children: ids directly below each id, see `children_of`.
        tops: the given ids.
    """
    waiting, seen = deque(tops), set[str]()
    while waiting:
        node_id = waiting.popleft()
        if node_id not in seen:
            seen.add(node_id)
            yield node_id
            waiting.extend(children.get(node_id, []))
