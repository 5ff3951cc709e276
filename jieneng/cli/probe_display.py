"""From what a display shows to its registers, to the TOML for them, and to a person's signature."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from difflib import get_close_matches
from fractions import Fraction
from itertools import islice
from typing import Final

import click
import msgspec

from edge_agent import display, paste, sign_off
from edge_agent.display import Display, Place
from edge_agent.probe import everywhere, near
from jieneng.cli.options import tr
from jieneng.cli.probe import number
from jieneng.cli.probe_scan import own_bus, recognised, to_paste
from jieneng.cli.probe_session import Session
from jieneng.cli.progress import share_progress
from jieneng.metering.catalog import Model, PointRow, Ratio
from jieneng.metering.errors import UsageError
from jieneng.metering.quantities import CONSUMPTION, QUANTITIES
from jieneng.metering.read_plan import Read, plan

_SPAN: Final = range(256)  # searched where nothing else is said: most maps begin there
_AROUND: Final = 16  # registers on either side of where the model has it
_SHOWN: Final = 8  # places that are listed
_WAVERS: Final = 0.01  # share by which a gauge moves while one looks
# What a counter grows by in an hour at a rate of 1 kW or 1 m3/h.
_AN_HOUR: Final = {"kWh": 1.0, "kvarh": 1.0, "m3": 1.0, "GJ": 0.0036}


def found(session: Session, runner: asyncio.Runner) -> bool:
    """Search, tell, and sign off; False where something is not as it should be."""
    return _Work(session, runner).display()


class _Work:
    """The way from a display to its registers."""

    def __init__(self, session: Session, runner: asyncio.Runner) -> None:
        self._session = session
        self._runner = runner
        self._asked = session.asked
        self._model = self._known_model()

    def display(self) -> bool:
        """Search, tell, and sign off where that is wanted."""
        displays = [self._display(name, shown) for name, shown in self._asked.displays]
        found = self._found(displays)
        if self._asked.again:
            found = self._once_more(displays, found)
        for one, places in zip(displays, found, strict=True):
            self._tell(one, places)
        best = [places[0] for places in found if places]
        if best:
            to_paste(*self._toml(best))
        fine = all(found)
        if self._asked.sign_off is not None:
            fine = self._sign_off(displays)
        return fine

    def _known_model(self) -> Model | None:
        """As typed, as the site has it, or as the unit lets itself be recognised."""
        meter = self._session.meter
        known = self._asked.model or (meter.model if meter else None)
        if known is None:
            known = recognised(self._session, self._runner, self._session.unit)
        return None if known is None else self._session.model(known)

    def _row(self, quantity: str) -> PointRow | None:
        rows = self._model.point if self._model else ()
        return next((row for row in rows if row.quantity == quantity), None)

    def _display(self, name: str | None, shown: Decimal) -> Display:
        medium = self._model.model.medium if self._model else "electricity"
        quantity = name or self._asked.quantity or CONSUMPTION[medium]
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
        counts = QUANTITIES[quantity].kind == "counter"
        return Display(
            quantity,
            shown,
            flowed=self._flowed(quantity) if counts else 0.0,
            wavers=0.0 if counts else _WAVERS * abs(float(shown)),
            ratios=self._factors(quantity),
        )

    def _flowed(self, quantity: str) -> float:
        """What can have been counted since somebody looked."""
        session = self._session
        since_s = self._asked.ago_s + session.clock.monotonic() - session.began_s
        return session.rated_max * _AN_HOUR[QUANTITIES[quantity].unit] * since_s / 3600

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

    def _found(self, displays: Sequence[Display]) -> list[list[Place]]:
        """The places of each display, the likely first."""
        held: dict[tuple[display.Function, int], bytes] = {}
        found: list[list[Place]] = [[] for _ in displays]
        wanted = []
        if self._asked.span is None and self._model is not None:
            wanted.append([r for one in displays for r in near(self._model, one.quantity, _AROUND)])
        wanted.append(list(everywhere(self._asked.span or _SPAN)))
        for ranges in wanted:
            with share_progress(tr("Reading registers")) as tell:
                held |= self._runner.run(
                    self._session.probe.registers(self._session.unit, ranges, tell)
                )
            found = [list(display.found(one, held)) for one in displays]
            if all(found):
                break
        pattern = display.common_pattern(found)
        return [
            display.likely(places, self._row(one.quantity), pattern)
            for one, places in zip(displays, found, strict=True)
        ]

    def _once_more(
        self, displays: Sequence[Display], found: Sequence[Sequence[Place]]
    ) -> list[list[Place]]:
        """Those that are right also for what the display shows now."""
        still = []
        for one, places in zip(displays, found, strict=True):
            text = tr("{count} places fit. {quantity} on the display now").format(
                count=len(places), quantity=one.quantity
            )
            shown = click.prompt(text, value_proc=number)
            now = msgspec.structs.replace(one, shown=shown)
            still.append([place for place in places if now.meant(self._value(place))])
        return still

    def _value(self, place: Place) -> float:
        read = Read(place.function, place.address, place.words, (), lambda _: ())
        return place.value(self._runner.run(self._session.probe.ask(self._session.unit, read)))

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
        return display.differences(place, row) if row else ()

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

    def _toml(self, best: Sequence[Place]) -> list[str]:
        """The points that were found, and meter and bus."""
        session, model = self._session, self._model
        points = [f"{paste.point(place.row())}" for place in best]
        blocks = [own_bus(session.bus)]
        known = model is not None and any(self._row(one.quantity) for one in best)
        if model is None or not known:
            mine = paste.unheard_of(best)
        elif any(self._differences(one) for one in best):
            seen = ", ".join(one.quantity for one in best)
            source = (
                f"as {model.id}, but function, address base or byte order as probed on "
                f"{self._session.moment():%Y-%m-%d}; seen on the display: {seen}"
            )
            mine = paste.named(model, f"{model.id}-mine", source, paste.derived(model, best))
        else:
            return [*points, *blocks, paste.meter(session.unit, model.model, session.bus.id)]
        note = tr(
            "# models/{id}.toml beside site.toml. What the display did not show follows what it "
            "did: check another value."
        ).format(id=mine.id)
        return [
            *points,
            f"{note}\n{paste.model(mine)}",
            *blocks,
            paste.meter(session.unit, mine.model, session.bus.id),
        ]

    # --- the record -----------------------------------------------------------------------------

    def _sign_off(self, displays: Sequence[Display]) -> bool:
        """Read what the displays show as the agent would, and keep what came of it."""
        model, session, asked = self._model, self._session, self._asked
        if model is None or asked.sign_off is None:
            raise UsageError("without a model there is nothing to sign off: give --model.")
        fine = True
        for one in displays:
            if QUANTITIES[one.quantity].kind != "counter" or self._row(one.quantity) is None:
                raise UsageError(
                    "{quantity} can't be signed off: name a counter that model {model} has.",
                    quantity=one.quantity,
                    model=model.id,
                )
            record = self._record(model, one)
            with asked.sign_off.open("ab") as file:
                file.write(record.line())
            fine &= record.verdict == "ok"
            signed = tr("Signed off: {meter} shows {display} and reads {read:.10g}; see {file}.")
            refused = tr(
                "Not signed off: {meter} shows {display} and reads {read:.10g}. {difference:+.6g} "
                "is more than a step and what can have flowed meanwhile ({behind:.6g} behind, "
                "{ahead:.6g} ahead); see {file}."
            )
            text = signed if record.verdict == "ok" else refused
            told = msgspec.structs.asdict(record)
            click.echo(text.format(**told, file=asked.sign_off), err=record.verdict != "ok")
            if session.rated_max == 0 and record.verdict != "ok":
                click.echo(
                    tr("Without --rated-max nothing is allowed to have flowed meanwhile."), err=True
                )
        return fine

    def _record(self, model: Model, one: Display) -> sign_off.Record:
        session = self._session
        ratios = {name: Fraction(str(value)) for name, value in session.ratios.items()}
        [read] = plan(model, ratios, [one.quantity])
        [value] = read.decode(self._runner.run(session.probe.ask(session.unit, read)))
        row = next(row for row in model.point if row.quantity == one.quantity)
        subject = sign_off.Subject(
            by=self._asked.by or "",
            link=session.where(),
            meter=self._asked.meter or "",
            unit=session.unit,
            model=model.id,
        )
        late = msgspec.structs.replace(one, flowed=self._flowed(one.quantity))
        step = sign_off.step(row, value, ratios["ct"], ratios["pt"])
        return sign_off.record(subject, late, value, step, session.moment())
