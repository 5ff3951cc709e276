"""What a scan of a bus says: who is there, which model each may be, and the TOML for it.

Law: what was found goes to standard output, the TOML last; how far it is goes to standard error.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

import click
import msgspec

from edge_agent.commissioning import model_match, toml_output
from edge_agent.commissioning.bus_probe import LONGEST_S, Presence
from edge_agent.commissioning.model_match import Against, Fit
from jieneng.cli.options import tr
from jieneng.cli.probe.printed_toml import less_at_once, own_model, to_paste
from jieneng.cli.probe.probe_session import Session
from jieneng.cli.progress import share_progress
from jieneng.locale import say
from jieneng.metering.catalog.modbus_points import ModbusModel

_AMPLE: Final = 1.5  # times as long as a gateway was held up, an answer is waited for
_SOME_BITS: Final = 1.0  # what a coin would give: less is nothing
_LITTLE_BITS: Final = 8.0  # evidence that one unit in 256 would give by chance


def scan(session: Session, runner: asyncio.Runner) -> bool:
    """Who is there, and which model each may be; False where nobody is."""
    there = _there(session, runner)
    if not there:
        click.echo(
            tr(
                "Nobody answers at {where}. Check the units, on a serial line baud rate and parity "
                "and whether A and B are swapped; a longer --timeout helps with slow gateways."
            ).format(where=session.where())
        )
        return False
    plain = [one.unit for one in there if one.how != "garbled"]
    fits = _fits(session, runner, plain)
    meters, own = [], dict[str, str]()
    for one in there:
        click.echo(_presence(one))
        if one.unit in fits and (best := _best(session, one.unit, fits[one.unit])):
            meters.append(
                toml_output.meter(toml_output.new_meter(one.unit, best.model, session.bus.id))
            )
            if best.id not in session.models:
                own[best.id] = own_model(best)
    to_paste(toml_output.bus(session.bus), *meters, *own.values())
    return True


def _best(session: Session, unit: int, fits: Sequence[Fit]) -> ModbusModel | None:
    """The model of a unit as it lets itself be read; None where nothing speaks for one."""
    known = _told(session, unit, fits)
    if not known.sure:
        return None
    best = known.models[0]
    apart = next(one.apart for one in fits if one.model == best.id)
    if apart is None:
        return best
    click.echo("  " + less_at_once(best, apart))
    return apart


def _there(session: Session, runner: asyncio.Runner) -> Sequence[Presence]:
    """Who is there; also behind a gateway that is slower than was thought."""
    probe, units = session.probe, session.asked.units
    with share_progress(tr("Looking for units")) as tell:
        there = runner.run(probe.scan(units, tell))
    known = {one.unit for one in there}
    silent = [unit for unit in units if unit not in known]
    plain = [one.unit for one in there if one.how != "garbled"]
    held_s = runner.run(probe.held_up_s(silent[0], plain)) if silent else 0.0
    if held_s == 0:
        return there
    hurried_s = probe.timeout_s
    runner.run(session.wait(round(min(_AMPLE * held_s, LONGEST_S), 1)))
    with share_progress(tr("Asking the silent ones again")) as tell:
        there += runner.run(probe.scan(silent, tell))
    text = tr(
        "The gateway is held up for {held:.1f} s by a unit that is silent, longer than --timeout "
        "{hurried:g}: the silent ones were asked again with a time-out of {timeout:g} s."
    )
    click.echo(text.format(held=held_s, hurried=hurried_s, timeout=probe.timeout_s))
    return sorted(there, key=lambda one: units.index(one.unit))


def _presence(one: Presence) -> str:
    texts = {
        "answers": tr("unit {unit} answers."),
        "refuses": tr("unit {unit} is there; what was asked first it refused ({error})."),
        "garbled": tr(
            "unit {unit}: what comes back is no answer ({error}). Two devices of one number, or "
            "another baud rate or parity?"
        ),
    }
    return texts[one.how].format(unit=one.unit, error=say(one.error, tr) if one.error else "")


class Recognised(msgspec.Struct, frozen=True):
    """Which models a unit may be.

    Attributes:
        models: the one, or all that fit, the best first, where little tells them apart.
        sure: whether anything speaks for the first.
    """

    models: Sequence[ModbusModel]
    sure: bool


def recognised(session: Session, runner: asyncio.Runner, unit: int) -> Recognised:
    """Which models a unit may be, after all that fit were told."""
    return _told(session, unit, _fits(session, runner, [unit])[unit])


def _fits(
    session: Session, runner: asyncio.Runner, units: Sequence[int]
) -> dict[int, Sequence[Fit]]:
    """How every model fits each unit."""
    models = list(session.models.values())
    found: dict[int, Sequence[Fit]] = {}
    with share_progress(tr("Trying models")) as tell:
        for number, unit in enumerate(units):

            def so_far(share: float, done: int = number) -> None:
                tell((done + share) / len(units))

            found[unit] = runner.run(session.probe.fits(unit, models, so_far))
    return found


def _told(session: Session, unit: int, fits: Sequence[Fit]) -> Recognised:
    good, alike = model_match.ranked(fits)
    for one in good:
        click.echo("  " + _fit(one))
    if session.asked.why:
        for one in fits:
            if one.against is not None:
                click.echo(f"  {one.model}: {_against(one.against)}")
    more = tr("Tell what its display shows: --unit {unit} --display NUMBER.").format(unit=unit)
    if not good:
        click.echo("  " + tr("No model of the library fits.") + " " + more)
        return Recognised((), sure=False)
    bits = good[0].bits
    if len(alike) > 1:
        names = ", ".join(one.model for one in alike)
        text = tr("Nothing tells these apart: {models}.").format(models=names)
        click.echo(f"  {text} {more}")
    elif bits < _LITTLE_BITS:
        click.echo("  " + tr("That is little evidence.") + " " + more)
    clear = len(alike) == 1 and bits >= _LITTLE_BITS
    models = [session.model(one.model) for one in (good[:1] if clear else good)]
    return Recognised(models, sure=bits >= _SOME_BITS)


def _fit(one: Fit) -> str:
    said = [f"{label} = {what}" for label, what in one.said]
    values = ", ".join([*(f"{seen.quantity} = {seen.value:.8g}" for seen in one.seen), *said])
    return tr("{model} fits, {bits:.0f} bits of evidence: {values}").format(
        model=one.model, bits=one.bits, values=values
    )


def _against(one: Against) -> str:
    if one.error is not None:
        return f"{one.what}: {say(one.error, tr)}"
    if isinstance(one.value, str):
        return tr("it says of itself: {label} = {value}").format(label=one.what, value=one.value)
    return tr("{quantity} = {value:.6g} is nothing that a meter shows").format(
        quantity=one.what, value=one.value
    )
