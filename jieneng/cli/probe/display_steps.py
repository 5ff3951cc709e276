"""From what a display shows to its registers, to the TOML for them, and to a person's signature."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from difflib import get_close_matches
from itertools import islice
from typing import Final

import click
import msgspec

from edge_agent.commissioning import display_search
from edge_agent.commissioning.display_search import Display, Place
from edge_agent.commissioning.search_ranges import allowed, everywhere, near
from jieneng.cli.options import tr
from jieneng.cli.probe.printed_toml import blocks, to_paste
from jieneng.cli.probe.probe_command import number
from jieneng.cli.probe.probe_session import Session, row_of
from jieneng.cli.probe.scan_steps import Recognised, recognised
from jieneng.cli.probe.sign_off_steps import as_the_site_says, sign_off
from jieneng.cli.progress import share_progress
from jieneng.metering.catalog.meter_model import Ratio
from jieneng.metering.catalog.modbus_points import ModbusModel, PointRow
from jieneng.metering.catalog.modbus_reads import ModbusRead
from jieneng.metering.errors import PeerError, Unanswered, UsageError
from jieneng.metering.quantities import CONSUMPTION, QUANTITIES

_SPAN: Final = range(256)  # searched where nothing else is said: most maps begin there
_AROUND: Final = 16  # registers on either side of where the model has it
_SHOWN: Final = 8  # places that are listed
_WAVERS: Final = 0.01  # share by which a gauge moves while one looks


def found(session: Session, runner: asyncio.Runner) -> bool:
    """Search, tell, and sign off; False where something is not as it should be."""
    asked, meter = session.asked, session.meter
    for quantity in filter(None, [asked.quantity, *(name for name, _ in asked.displays)]):
        _known_quantity(quantity)
    name = asked.model or (meter.model if meter else None)
    model = session.model(name) if name else None
    if asked.sign_off is not None:
        as_the_site_says(session)
    if not runner.run(session.probe.has(session.unit, model, asked.span)):
        text = tr(
            "unit {unit} does not answer at {where}. The same command without --unit and --display "
            "looks for those that do; a longer --timeout helps with slow gateways."
        )
        click.echo(text.format(unit=session.unit, where=session.where()))
        return False
    known = Recognised([model], sure=True) if model else recognised(session, runner, session.unit)
    return _Work(session, runner, known).display()


def _known_quantity(quantity: str) -> None:
    if quantity not in QUANTITIES:
        close = get_close_matches(quantity, QUANTITIES, 1)
        raise UsageError(
            "{quantity} is no quantity. Did you mean {close}?"
            if close
            else "{quantity} is no quantity. Known are: {known}.",
            quantity=quantity,
            close="".join(close),
            known=", ".join(QUANTITIES),
        )


class _Work:
    """The way from a display to its registers."""

    def __init__(self, session: Session, runner: asyncio.Runner, known: Recognised) -> None:
        self._session = session
        self._runner = runner
        self._asked = session.asked
        self._known = known
        self._named: ModbusModel | None = None
        self._model: ModbusModel | None = None  # the same, as the unit lets itself be read

    def display(self) -> bool:
        """Search, tell, and sign off where that is wanted."""
        displays = self._displays()
        agreed = [] if self._asked.span else [one for one in displays if self._agrees(one)]
        others = [one for one in displays if one not in agreed]
        found = self._found(others) if others else []
        if self._asked.again:
            still = [one for one in agreed if self._agrees(self._now(one, 1))]
            for one in agreed:
                if one not in still:
                    self._tell(one, [])
            agreed = still
            found = self._once_more(others, found)
        for one in agreed:
            self._tell_agreed(one)
        for one, places in zip(others, found, strict=True):
            self._tell(one, places)
        best = [places[0] for places in found if places]
        if best or agreed:
            models = self._named, self._model
            to_paste(*blocks(self._session, self._runner, *models, agreed, best))
        fine = len(agreed) + len(best) == len(displays)
        if self._asked.sign_off is not None:
            fine = sign_off(self._session, self._runner, self._asked.sign_off, displays)
        return fine

    def _displays(self) -> list[Display]:
        """By the first model that reads one of them rightly, else by the best that is any good."""
        models, best = self._known.models, self._known.models[0] if self._known.sure else None
        if len(models) > 1:
            for model in models:
                displays = self._displays_by(model)
                if any(map(self._agrees, displays)):
                    return displays
        return self._displays_by(best)

    def _displays_by(self, model: ModbusModel | None) -> list[Display]:
        self._named = model
        self._model = model and self._session.readable(self._runner, model)
        return [self._display(name, shown) for name, shown in self._asked.displays]

    def _row(self, quantity: str) -> PointRow | None:
        return row_of(self._model, quantity)

    def _display(self, name: str | None, shown: Decimal) -> Display:
        medium = self._model.model.medium if self._model else "electricity"
        quantity = name or self._asked.quantity or CONSUMPTION[medium]
        counts = QUANTITIES[quantity].kind == "counter"
        return Display(
            quantity,
            shown,
            flowed=self._session.flowed(quantity) if counts else 0.0,
            wavers=0.0 if counts else _WAVERS * abs(float(shown)),
            ratios=self._factors(quantity),
        )

    def _factors(self, quantity: str) -> dict[tuple[Ratio, ...], float]:
        """What a display of the primary side may have applied."""
        row = self._row(quantity)
        sets: list[tuple[Ratio, ...]] = [("ct",), ("pt",), ("ct", "pt")] if row is None else []
        found: dict[tuple[Ratio, ...], float] = {(): 1.0}
        for names in [*sets, *([row.ratio] if row else [])]:
            factor = 1.0
            for name in names:
                factor *= self._session.ratios[name]
            if factor not in found.values():
                found[names] = factor
        return found

    def _agrees(self, one: Display) -> bool:
        """Whether the model reads what is displayed, on either side of the transformers."""
        if self._model is None or self._row(one.quantity) is None:
            return False
        try:
            sides = self._session.sides(self._runner, self._model, one.quantity)
        except (Unanswered, PeerError):  # refused, or passed over in silence: it is not there
            return False
        return any(map(one.meant, sides.values()))

    def _found(self, displays: Sequence[Display]) -> list[list[Place]]:
        """The places of each display, the likely first."""
        held: dict[tuple[display_search.Function, int], bytes] = {}
        found: list[list[Place]] = [[] for _ in displays]
        wanted = []
        if self._asked.span is None and self._model is not None:
            wanted.append([r for one in displays for r in near(self._model, one.quantity, _AROUND)])
        wanted.append(list(everywhere(self._asked.span or _SPAN)))
        for asked in wanted:
            ranges = asked if self._model is None else list(allowed(self._model, asked))
            with share_progress(tr("Reading registers")) as tell:
                held |= self._runner.run(
                    self._session.probe.registers(self._session.unit, ranges, tell)
                )
            found = [list(display_search.found(one, held)) for one in displays]
            if all(found):
                break
        pattern = display_search.common_pattern(found)
        return [
            display_search.likely(places, self._row(one.quantity), pattern)
            for one, places in zip(displays, found, strict=True)
        ]

    def _once_more(
        self, displays: Sequence[Display], found: Sequence[Sequence[Place]]
    ) -> list[list[Place]]:
        """Those that are right also for what the display shows now."""
        still = []
        for one, places in zip(displays, found, strict=True):
            now = self._now(one, len(places))
            still.append([place for place in places if now.meant(self._value(place))])
        return still

    def _now(self, one: Display, places: int) -> Display:
        text = tr("{count} places fit. {quantity} on the display now").format(
            count=places, quantity=one.quantity
        )
        return msgspec.structs.replace(one, shown=click.prompt(text, value_proc=number))

    def _value(self, place: Place) -> float:
        read = ModbusRead(place.function, place.address, place.words, (), lambda _: ())
        return place.value(self._runner.run(self._session.probe.ask(self._session.unit, read)))

    def _tell_agreed(self, one: Display) -> None:
        model = self._model.id if self._model else ""
        text = tr("{quantity} {shown}: as model {model} says.")
        click.echo(text.format(quantity=one.quantity, shown=one.shown, model=model))

    def _tell(self, one: Display, places: Sequence[Place]) -> None:
        if not places:
            text = tr(
                "{quantity} {shown} stands nowhere in the registers that were read. Look further "
                "with --from and --to; where transformers are connected give --ct and --pt; where "
                "the counter runs fast give --rated-max."
            )
            click.echo(text.format(quantity=one.quantity, shown=one.shown))
            return
        click.echo(
            tr("{quantity} {shown}: {count} places fit.").format(
                quantity=one.quantity, shown=one.shown, count=len(places)
            )
        )
        for place in islice(places, _SHOWN):
            click.echo("  " + self._place(place))
        if len(places) > _SHOWN:
            click.echo("  " + tr("and {count} more").format(count=len(places) - _SHOWN))
        best = places[0]
        sure = self._row(one.quantity) and not self._differences(best)
        if not sure and not all(place.overlaps(best) for place in places):
            click.echo(
                tr("Several places fit: --again, when the display has moved on, tells them apart.")
            )

    def _differences(self, place: Place) -> tuple[str, ...]:
        row = self._row(place.quantity)
        return display_search.differences(place, row) if row else ()

    def _place(self, place: Place) -> str:
        text = tr(
            "function {function}, address 0x{address:04X} ({address}), {type} {order}, "
            "scale {scale}"
        ).format(
            function=place.function,
            address=place.address,
            type=place.type,
            order=place.order,
            scale=f"{10.0**place.ten:g}" + "".join(f" x {name}" for name in place.ratio),
        )
        remark = self._remark(place)
        return f"{text}: {remark}" if remark else text

    def _remark(self, place: Place) -> str:
        row = self._row(place.quantity)
        if row is None or self._model is None:
            return ""
        model, differing = self._model.id, self._differences(place)
        off = place.address - row.address
        if not differing:
            return tr("as model {model} says").format(model=model)
        if differing == ("address",) and abs(off) == 1:
            text = (
                tr("address base off by one: this device counts one higher than model {model}")
                if off > 0
                else tr("address base off by one: this device counts one lower than model {model}")
            )
            return text.format(model=model)
        return tr("not as model {model}: {keys}").format(model=model, keys=", ".join(differing))
