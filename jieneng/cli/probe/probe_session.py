"""What a probe was asked, with what the site knows of it, and the link it asks on."""

import asyncio
from datetime import datetime
from difflib import get_close_matches
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import msgspec

from edge_agent.commissioning import toml_output
from edge_agent.commissioning.bus_probe import BusProbe
from edge_agent.commissioning.sign_off import Side
from jieneng.cli.probe.probe_command import Asked
from jieneng.clock import SystemClock
from jieneng.metering.catalog.modbus_points import ModbusModel, PointRow, modbus_models
from jieneng.metering.catalog.modbus_reads import plan
from jieneng.metering.errors import UsageError
from jieneng.metering.quantities import AN_HOUR, QUANTITIES
from jieneng.metering.site import Bus, Dated, Meter, value_on
from jieneng.site_folder import SITE_FILE, SiteFolder, load, packaged_models


class Session:
    """What was asked, with what the site knows of it.

    Attributes:
        models: that may be recognised, by id.
        meter: of the site; None where none was named.
        bus: where to ask, as a site has it.
    """

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.clock = SystemClock()
        self.began_s = self.clock.monotonic()
        self.folder = _folder(asked)
        self.models = modbus_models(
            packaged_models() if self.folder is None else self.folder.models
        )
        self.meter = _meter(asked, self.folder)
        self.bus = _bus(asked, self.folder, self.meter)
        hurried = msgspec.structs.replace(self.bus, timeout_s=asked.timeout_s)
        self.probe = BusProbe(hurried, self.clock.now_ms, asked.delay_s)

    @cached_property
    def unit(self) -> int:
        """The one whose display was read."""
        if self.asked.unit is not None:
            return self.asked.unit
        if self.meter is None:
            raise UsageError("--display needs --unit: the number of the unit that shows it.")
        return self.meter.unit

    @cached_property
    def ratios(self) -> dict[str, float]:
        """CT and PT: as typed, else as the site has them."""
        typed = {"ct": self.asked.ct, "pt": self.asked.pt}
        return {name: typed[name] or known for name, known in self.site_ratios.items()}

    @cached_property
    def site_ratios(self) -> dict[str, float]:
        """CT and PT as the site has them today, else 1."""
        today = self.moment().date()
        rows = {"ct": self.meter.ct, "pt": self.meter.pt} if self.meter else {"ct": (), "pt": ()}
        return {
            name: value_on(row, today, row[0].value if row else 1.0) or 1.0
            for name, row in rows.items()
        }

    @property
    def fractions(self) -> dict[str, Fraction]:
        """The same, exactly as they are written."""
        return {name: Fraction(str(value)) for name, value in self.ratios.items()}

    @property
    def rated_max(self) -> float:
        """The most that can flow; 0 where nobody knows."""
        known = self.meter.rated_max if self.meter else None
        return self.asked.rated_max or known or 0.0

    def flowed(self, quantity: str) -> float:
        """What can have been counted since somebody looked."""
        since_s = self.asked.ago_s + self.clock.monotonic() - self.began_s
        return self.rated_max * AN_HOUR[QUANTITIES[quantity].unit] * since_s / 3600

    def sides(self, runner: asyncio.Runner, model: ModbusModel, quantity: str) -> dict[Side, float]:
        """A quantity as the agent reads it, with all that it asks for at once.

        Args:
            runner: of the loop that the link lives in.
            model: has a point for the quantity.
            quantity: its name.

        Returns:
            From one answer: what it is behind the transformers, and before them.
        """
        behind, before = (
            next(read for read in plan(model, ratios) if quantity in read.quantities)
            for ratios in (self.fractions, None)
        )
        data = runner.run(self.probe.ask(self.unit, behind))
        place = behind.quantities.index(quantity)
        return {"primary": behind.decode(data)[place], "secondary": before.decode(data)[place]}

    def readable(self, runner: asyncio.Runner, model: ModbusModel) -> ModbusModel:
        """A model as the unit lets itself be read; as it is, where it does not at all."""
        return runner.run(self.probe.readable(self.unit, model)) or model

    def model(self, name: str) -> ModbusModel:
        """A model by its id."""
        if name not in self.models:
            close = get_close_matches(name, self.models, 1)
            raise UsageError(
                "{model} is no model. Did you mean {close}?"
                if close
                else "{model} is no model. Known are: {known}.",
                model=name,
                close="".join(close),
                known=", ".join(sorted(self.models)),
            )
        return self.models[name]

    def as_meter(self, model: ModbusModel) -> Meter:
        """The unit as the site's meter, else as a new one; a ratio that was typed from today on."""
        meter = self.meter or toml_output.new_meter(self.unit, model.model, self.bus.id)
        today = self.moment().date()
        rows = {"ct": meter.ct, "pt": meter.pt}
        for name in {name for row in model.point for name in row.ratio}:
            if self.ratios[name] != self.site_ratios[name]:
                others = [row for row in rows[name] if row.from_ != today]
                mended = [*others, Dated(today, self.ratios[name])]
                rows[name] = tuple(sorted(mended, key=lambda row: row.from_))
        return msgspec.structs.replace(
            meter, model=model.id, bus=self.bus.id, unit=self.unit, **rows
        )

    def moment(self) -> datetime:
        """Now, where the meter hangs."""
        zone = self.folder.site.zone if self.folder else None
        return datetime.fromtimestamp(self.clock.now_ms() / 1000, zone).astimezone(zone)

    async def wait(self, timeout_s: float) -> None:
        """From now on, wait so long for an answer; an agent must as well."""
        await self.probe.wait(timeout_s)
        longer_s = max(self.bus.timeout_s, timeout_s)
        self.bus = msgspec.structs.replace(self.bus, timeout_s=longer_s)

    def where(self) -> str:
        """The link, as it was typed or stands in the site."""
        bus = self.bus
        return f"{bus.link} {bus.device if bus.link == 'rtu' else f'{bus.host}:{bus.port}'}"


def row_of(model: ModbusModel | None, quantity: str) -> PointRow | None:
    """A model's point of a quantity; None where it has none, or there is no model."""
    rows = model.point if model else ()
    return next((row for row in rows if row.quantity == quantity), None)


def _folder(asked: Asked) -> SiteFolder | None:
    if (asked.site_dir / SITE_FILE).exists():
        return load(asked.site_dir)
    if asked.meter is not None or asked.site_dir != Path():
        raise UsageError(
            "there is no site.toml in {folder}: say where it is with --site.",
            folder=asked.site_dir.resolve(),
        )
    return None


def _meter(asked: Asked, folder: SiteFolder | None) -> Meter | None:
    if folder is None or asked.meter is None:
        return None
    if asked.meter not in folder.site.meters:
        close = get_close_matches(asked.meter, folder.site.meters, 1)
        raise UsageError(
            "{meter} is no meter of the site. Did you mean {close}?"
            if close
            else "{meter} is no meter of the site: write it into site.toml first.",
            meter=asked.meter,
            close="".join(close),
        )
    return folder.site.meters[asked.meter]


def _bus(asked: Asked, folder: SiteFolder | None, meter: Meter | None) -> Bus:
    given = [text for text in (asked.tcp, asked.rtu_tcp, asked.serial) if text is not None]
    if len(given) > 1:
        raise UsageError("one of --tcp, --rtu-tcp and --serial is enough.")
    if not given:
        if folder is None or meter is None or meter.bus is None:
            raise UsageError(
                "say where to look: --tcp HOST, --rtu-tcp HOST:PORT, --serial DEVICE, or --site "
                "and --meter of a meter that hangs on a bus."
            )
        return folder.site.buses[meter.bus]
    # A short time-out is for looking around; what needed a longer one needs it for good.
    bus = {"id": "bus-1", "agent": "agent-1", "timeout_s": max(1.0, asked.timeout_s)}
    if asked.serial is not None:
        bus |= {"link": "rtu", "device": asked.serial, "baud": asked.baud}
        return msgspec.convert({**bus, "parity": asked.parity, "stop_bits": asked.stop_bits}, Bus)
    host, port = _address(given[0], None if asked.tcp is None else 502)
    link = "rtu_tcp" if asked.tcp is None else "tcp"
    return msgspec.convert({**bus, "link": link, "host": host, "port": port}, Bus)


def _address(text: str, default: int | None) -> tuple[str, int]:
    """`host:port`, `host`, `[2001:db8::1]:502`."""
    host, colon, port = text.rpartition(":")
    if not colon or "]" in port:
        host, port = text, "" if default is None else str(default)
    if not host or not port.isdecimal() or not 1 <= int(port) <= 65535:
        raise UsageError("{text} is no HOST:PORT.", text=text)
    return host.strip("[]"), int(port)
