"""The record of a display and its register, appended to a file that a person keeps.

Law: what is signed off is what the agent does by `site.toml`, and nothing that was typed beside it.
"""

import asyncio
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Final

import click
import msgspec

from edge_agent.commissioning.display_search import Display
from edge_agent.commissioning.sign_off import Record, Side, Subject, better, record
from jieneng.cli.options import tr
from jieneng.cli.probe.probe_session import Session, row_of
from jieneng.locale import say
from jieneng.metering.catalog.modbus_points import ModbusModel
from jieneng.metering.errors import PeerError, Unanswered, UsageError
from jieneng.metering.quantities import QUANTITIES

_ONE: Final = Fraction(1)


def as_the_site_says(session: Session) -> ModbusModel:
    """The model of the meter that is signed off; asks nobody.

    Raises:
        UsageError: the site has no such meter for an agent, or has it otherwise than was typed.
    """
    asked, meter = session.asked, session.meter
    if meter is None or meter.model is None or meter.bus is None:
        raise UsageError(
            "no agent reads {meter}: give it bus and model in site.toml, then sign it off.",
            meter=asked.meter,
        )
    typed = {"model": asked.model, "unit": asked.unit, "ct": asked.ct, "pt": asked.pt}
    says = {"model": meter.model, "unit": meter.unit, **session.site_ratios}
    for key, value in typed.items():
        if value not in {None, says[key]}:
            raise UsageError(
                "the agent reads {meter} by {key} {known} of site.toml, not {typed}: mend "
                "site.toml first, then sign it off without --{key}.",
                meter=meter.id,
                key=key,
                known=_plain(says[key]),
                typed=_plain(value),
            )
    return session.model(meter.model)


def sign_off(
    session: Session, runner: asyncio.Runner, file: Path, displays: Sequence[Display]
) -> bool:
    """Read what the displays show as the agent would, and keep what came of it."""
    model, fine = as_the_site_says(session), True
    for one in displays:
        if QUANTITIES[one.quantity].kind != "counter" or row_of(model, one.quantity) is None:
            raise UsageError(
                "{quantity} can't be signed off: name a counter that model {model} has.",
                quantity=one.quantity,
                model=model.id,
            )
        try:
            made = _record(session, runner, model, one)
        except (Unanswered, PeerError) as error:
            text = tr(
                "Not signed off: {meter} does not answer what the agent asks for by model {model}: "
                "{error}."
            )
            told = {"meter": session.asked.meter, "model": model.id, "error": say(error, tr)}
            click.echo(text.format(**told), err=True)
            return False
        with file.open("ab") as kept:
            kept.write(made.line())
        fine &= made.verdict == "ok"
        signed = tr("Signed off: {meter} shows {display} and reads {read:.10g}; see {file}.")
        secondary = tr(
            "Signed off on the secondary side: {meter} shows {display} and reads {read:.10g}, "
            "which the agent multiplies by {ratio:g}; see {file}."
        )
        refused = tr(
            "Not signed off: {meter} shows {display} and reads {read:.10g}. {difference:+.6g} "
            "is more than a step and what can have flowed meanwhile ({behind:.6g} behind, "
            "{ahead:.6g} ahead); see {file}."
        )
        good = signed if made.side == "primary" else secondary
        text = good if made.verdict == "ok" else refused
        told = msgspec.structs.asdict(made)
        click.echo(text.format(**told, file=file), err=made.verdict != "ok")
        if session.rated_max == 0 and made.verdict != "ok":
            click.echo(
                tr("Without --rated-max nothing is allowed to have flowed meanwhile."), err=True
            )
    return fine


def _record(session: Session, runner: asyncio.Runner, model: ModbusModel, one: Display) -> Record:
    """On the side of the transformers that the display shows."""
    sides = session.sides(runner, model, one.quantity)
    moment, flowed = session.moment(), session.flowed(one.quantity)
    subject = Subject(
        by=session.asked.by or "",
        link=session.where(),
        meter=session.asked.meter or "",
        unit=session.unit,
        model=model.id,
        **session.ratios,
    )
    row = next(row for row in model.point if row.quantity == one.quantity)
    ct, pt = session.fractions["ct"], session.fractions["pt"]
    ratio = row.canonical_scale(ct, pt) / row.canonical_scale()

    def on(side: Side, by: Fraction, ct: Fraction, pt: Fraction) -> Record:
        late = msgspec.structs.replace(one, flowed=flowed / float(by))
        value = sides[side]
        step = row.step_at(value, ct, pt)
        return record(subject, late, value, step, moment, side=side, ratio=float(by))

    primary = on("primary", _ONE, ct, pt)
    return primary if ratio == 1 else better([primary, on("secondary", ratio, _ONE, _ONE)])


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
