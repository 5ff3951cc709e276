"""The state that all steps of a probe share: request, site, models, bus and link.

Law: typed options take precedence over the site, and the site over defaults. A bus of the site is
probed at the address that its agent uses (`agent.toml` may override it), but printed as in
`site.toml`.
"""

import asyncio
from collections.abc import Coroutine
from datetime import datetime
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from edge_agent.commissioning import toml_output
from edge_agent.commissioning.bus_probe import BusProbe
from edge_agent.commissioning.model_probe import ModelProbe
from edge_agent.commissioning.sign_off import TransformerSide
from edge_agent.settings import reached_bus
from jieneng.cli.agent_files import read_agent_files
from jieneng.cli.probe.probe_request import ProbeRequest
from jieneng.clock import SystemClock
from jieneng.metering.catalog.modbus_points import ModbusModel, PointRow, modbus_models
from jieneng.metering.catalog.modbus_reads import plan
from jieneng.metering.errors import UsageError
from jieneng.metering.quantities import GROWTH_PER_HOUR, QUANTITIES
from jieneng.metering.site import Bus, DatedValue, Meter, value_in_force
from jieneng.metering.spelling import nearest
from jieneng.site_folder import SITE_FILE, SiteFolder, load, packaged_models

_Result = TypeVar("_Result")


class ProbeSession:
    """State of one run of `jieneng edge probe`.

    Attributes:
        request: options as typed.
        models: candidate models by id.
        meter: meter of `--meter`; None if the option is not given.
        bus: bus to probe, as in `site.toml`.
        probe: link to the bus.
    """

    def __init__(self, request: ProbeRequest, runner: asyncio.Runner) -> None:
        """Create the session.

        Args:
            request: the options.
            runner: runner of the event loop that the link uses.
        """
        self.request = request
        self._runner = runner
        self._clock = SystemClock()
        self._began_s = self._clock.monotonic()
        self._folder = _site_folder(request)
        self.models = modbus_models(
            packaged_models() if self._folder is None else self._folder.models
        )
        self.meter = _site_meter(request, self._folder)
        self.bus = _typed_bus(request) or _site_bus(self._folder, self.meter)
        self._reached = self.bus
        if self._folder is not None and self.bus is self._folder.site.buses.get(self.bus.id):
            files = read_agent_files(self._folder.path)
            self._reached = reached_bus(self.bus, files.of_agent(self.bus.agent, self._folder.site))
        probed = msgspec.structs.replace(self._reached, timeout_s=request.timeout_s)
        self.probe = BusProbe(probed, self._clock.now_ms, request.delay_s)

    def run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Run a coroutine of the probe to its end."""
        return self._runner.run(work)

    @cached_property
    def unit(self) -> int:
        """Address of the unit whose display was read."""
        if self.request.unit is not None:
            return self.request.unit
        if self.meter is None:
            raise UsageError("--display needs --unit: the number of the unit that shows it.")
        return self.meter.unit

    @cached_property
    def ratios(self) -> dict[str, float]:
        """CT and PT ratios as typed, or else those of the site."""
        typed = {"ct": self.request.ct, "pt": self.request.pt}
        return {name: typed[name] or ratio for name, ratio in self.site_ratios.items()}

    @cached_property
    def site_ratios(self) -> dict[str, float]:
        """CT and PT ratios of the site today; 1 if no meter of the site is probed."""
        today = self.local_time().date()
        rows = {"ct": self.meter.ct, "pt": self.meter.pt} if self.meter else {"ct": (), "pt": ()}
        return {
            name: value_in_force(row, today, row[0].value if row else 1.0) or 1.0
            for name, row in rows.items()
        }

    @property
    def exact_ratios(self) -> dict[str, Fraction]:
        """CT and PT ratios as exact fractions of the written decimals."""
        return {name: Fraction(str(value)) for name, value in self.ratios.items()}

    @property
    def rated_max(self) -> float:
        """Rated maximum of the meter [kW or m3/h]; 0 if it is unknown."""
        site_rated_max = self.meter.rated_max if self.meter else None
        return self.request.rated_max or site_rated_max or 0.0

    def possible_increase(self, quantity: str) -> float:
        """Return the largest possible increase since the display was read [canonical unit]."""
        elapsed_s = self.request.ago_s + self._clock.monotonic() - self._began_s
        return self.rated_max * GROWTH_PER_HOUR[QUANTITIES[quantity].unit] * elapsed_s / 3600

    def read_both_sides(self, model: ModbusModel, quantity: str) -> dict[TransformerSide, float]:
        """Read a quantity by the same request that the agent uses.

        Args:
            model: model with a point for the quantity.
            quantity: name of the quantity.

        Returns:
            Primary and secondary value, both from one reply.
        """
        primary, secondary = (
            next(read for read in plan(model, ratios) if quantity in read.quantities)
            for ratios in (self.exact_ratios, None)
        )
        data = self.run(self.probe.request(self.unit, primary))
        index = primary.quantities.index(quantity)
        return {
            "primary": primary.decode(data)[index],
            "secondary": secondary.decode(data)[index],
        }

    def readable_variant(self, model: ModbusModel) -> ModbusModel:
        """Return the variant of a model that the unit answers; the model itself if none."""
        return self.run(ModelProbe(self.probe, self.unit).readable_variant(model)) or model

    def find_model(self, model_id: str) -> ModbusModel:
        """Return the model with an id."""
        if model_id not in self.models:
            close = nearest(model_id, self.models)
            raise UsageError(
                "{model} is not a meter model. Did you mean {close}?"
                if close
                else "{model} is not a meter model. Known are: {known}.",
                model=model_id,
                close=close,
                known=", ".join(sorted(self.models)),
            )
        return self.models[model_id]

    def meter_of(self, model: ModbusModel) -> Meter:
        """Return the meter of `--meter`, or else a new meter for the unit.

        If a typed ratio differs from that of the site, it is added with today's date.
        """
        meter = self.meter or toml_output.new_meter(self.unit, model.model, self.bus.id)
        today = self.local_time().date()
        rows = {"ct": meter.ct, "pt": meter.pt}
        for name in {name for row in model.point for name in row.ratio}:
            if self.ratios[name] != self.site_ratios[name]:
                earlier = [row for row in rows[name] if row.from_ != today]
                corrected = [*earlier, DatedValue(today, self.ratios[name])]
                rows[name] = tuple(sorted(corrected, key=lambda row: row.from_))
        return msgspec.structs.replace(
            meter, model=model.id, bus=self.bus.id, unit=self.unit, **rows
        )

    def local_time(self) -> datetime:
        """Return the present time in the site's time zone, or else in that of this machine."""
        zone = self._folder.site.zone if self._folder else None
        return datetime.fromtimestamp(self._clock.now_ms() / 1000, zone).astimezone(zone)

    def lengthen_timeout(self, timeout_s: float) -> None:
        """Set a longer timeout for later replies, and for the printed bus."""
        self.run(self.probe.set_timeout(timeout_s))
        longer_s = max(self.bus.timeout_s, timeout_s)
        self.bus = msgspec.structs.replace(self.bus, timeout_s=longer_s)

    def link_address(self) -> str:
        """Return kind and address of the probed link."""
        bus = self._reached
        return f"{bus.link} {bus.device if bus.link == 'rtu' else f'{bus.host}:{bus.port}'}"


def point_of(model: ModbusModel | None, quantity: str) -> PointRow | None:
    """Return a model's point of a quantity; None if there is no model or it has no such point."""
    rows = model.point if model else ()
    return next((row for row in rows if row.quantity == quantity), None)


def _site_folder(request: ProbeRequest) -> SiteFolder | None:
    if (request.site_dir / SITE_FILE).exists():
        return load(request.site_dir)
    if request.meter is not None or request.site_dir != Path():
        raise UsageError(
            "there is no site.toml in {folder}: name the site's folder with --site.",
            folder=request.site_dir.resolve(),
        )
    return None


def _site_meter(request: ProbeRequest, folder: SiteFolder | None) -> Meter | None:
    if folder is None or request.meter is None:
        return None
    if request.meter not in folder.site.read_meters:
        close = nearest(request.meter, folder.site.read_meters)
        raise UsageError(
            "{meter} is not a meter of the site. Did you mean {close}?"
            if close
            else "{meter} is not a meter of the site: write it into site.toml first.",
            meter=request.meter,
            close=close,
        )
    return folder.site.meters[request.meter]


def _typed_bus(request: ProbeRequest) -> Bus | None:
    typed = [text for text in (request.tcp, request.rtu_tcp, request.serial) if text is not None]
    if len(typed) > 1:
        raise UsageError("give only one of --tcp, --rtu-tcp and --serial.")
    if not typed:
        return None
    # The probe's timeout is short, for a quick scan. The agent's timeout is longer only if the
    # probe's had to be lengthened.
    bus = {"id": "bus-1", "agent": "agent-1", "timeout_s": max(1.0, request.timeout_s)}
    if request.serial is not None:
        bus |= {"link": "rtu", "device": request.serial, "baud": request.baud}
        line = {"parity": request.parity, "stop_bits": request.stop_bits}
        return msgspec.convert({**bus, **line}, Bus)
    host, port = _host_and_port(typed[0], None if request.tcp is None else 502)
    link = "rtu_tcp" if request.tcp is None else "tcp"
    return msgspec.convert({**bus, "link": link, "host": host, "port": port}, Bus)


def _site_bus(folder: SiteFolder | None, meter: Meter | None) -> Bus:
    if folder is None or meter is None or meter.bus is None:
        raise UsageError(
            "name the bus: --tcp HOST, --rtu-tcp HOST:PORT, --serial DEVICE, or --site and"
            " --meter of a meter with a bus."
        )
    return folder.site.buses[meter.bus]


def _host_and_port(text: str, default_port: int | None) -> tuple[str, int]:
    """Return host and port of `host:port`, `host` or `[2001:db8::1]:502`."""
    host, colon, port = text.rpartition(":")
    if not colon or "]" in port:
        host, port = text, "" if default_port is None else str(default_port)
    if not host or not port.isdecimal() or not 1 <= int(port) <= 65535:
        raise UsageError("{text} is not HOST:PORT.", text=text)
    return host.strip("[]"), int(port)
