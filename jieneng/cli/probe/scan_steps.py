"""Scan a bus: report the units that are present, the models that fit them, and the TOML for both.

Law: results go to standard output, the TOML last; progress goes to standard error.
"""

from collections.abc import Sequence
from typing import Final

import click
import msgspec

from edge_agent.commissioning import model_match, toml_output
from edge_agent.commissioning.bus_probe import LONGEST_TIMEOUT_S, Presence
from edge_agent.commissioning.model_match import Mismatch, ModelMatch
from edge_agent.commissioning.model_probe import ModelProbe
from jieneng.cli.options import tr
from jieneng.cli.probe.printed_toml import model_file, print_toml, variant_note
from jieneng.cli.probe.probe_session import ProbeSession
from jieneng.cli.progress import share_progress
from jieneng.locale import say
from jieneng.metering.catalog.modbus_points import ModbusModel

_TIMEOUT_MARGIN: Final = 1.5  # timeout as a multiple of the time for which a gateway is blocked
_NO_EVIDENCE_BITS: Final = 1.0  # below this, chance alone explains the match
_CLEAR_EVIDENCE_BITS: Final = 8.0  # from here on, fewer than 1 in 256 units would match by chance


def scan_bus(session: ProbeSession) -> bool:
    """Report units and models; return False if no unit answers."""
    present = _find_units(session)
    if not present:
        click.echo(
            tr(
                "No unit answers at {where}. Check the unit numbers; on a serial line also baud "
                "rate, parity, and whether A and B are swapped. A longer --timeout helps with slow "
                "gateways."
            ).format(where=session.link_address())
        )
        return False
    matches = _match_models(session, [row.unit for row in present if row.response != "garbled"])
    meters, model_files = [], dict[str, str]()
    for presence in present:
        click.echo(_presence_text(presence))
        unit = presence.unit
        if unit in matches and (model := _best_model(session, unit, matches[unit])):
            meter = toml_output.new_meter(unit, model.model, session.bus.id)
            meters.append(toml_output.meter_toml(meter))
            if model.id not in session.models:
                model_files[model.id] = model_file(model)
    print_toml(toml_output.bus_toml(session.bus), *meters, *model_files.values())
    return True


def _best_model(
    session: ProbeSession, unit: int, matches: Sequence[ModelMatch]
) -> ModbusModel | None:
    """Return the best model, in the variant that the unit answers; None without any evidence."""
    recognition = _report_matches(session, unit, matches)
    if not recognition.has_evidence:
        return None
    best = recognition.models[0]
    variant = next(match.variant for match in matches if match.model == best.id)
    if variant is None:
        return best
    click.echo("  " + variant_note(best, variant))
    return variant


def _find_units(session: ProbeSession) -> Sequence[Presence]:
    """Return the units that are present; silent ones are asked again if the gateway is slow."""
    probe, units = session.probe, session.request.units
    with share_progress(tr("Looking for units")) as report_progress:
        present = session.run(probe.scan(units, report_progress))
    found = {presence.unit for presence in present}
    silent = [unit for unit in units if unit not in found]
    answering = [presence.unit for presence in present if presence.response != "garbled"]
    blocked_s = session.run(probe.measure_gateway_block_s(silent[0], answering)) if silent else 0.0
    if blocked_s == 0:
        return present
    first_timeout_s = probe.timeout_s
    session.lengthen_timeout(round(min(_TIMEOUT_MARGIN * blocked_s, LONGEST_TIMEOUT_S), 1))
    with share_progress(tr("Asking the silent units again")) as report_progress:
        present += session.run(probe.scan(silent, report_progress))
    text = tr(
        "A silent unit blocks the gateway for {blocked:.1f} s, longer than --timeout {first:g}. "
        "The silent units were asked again with a timeout of {timeout:g} s."
    )
    click.echo(text.format(blocked=blocked_s, first=first_timeout_s, timeout=probe.timeout_s))
    return sorted(present, key=lambda presence: units.index(presence.unit))


def _presence_text(presence: Presence) -> str:
    texts = {
        "answers": tr("unit {unit} answers."),
        "refuses": tr("unit {unit} is present, but refused the first request ({error})."),
        "garbled": tr(
            "unit {unit}: the reply is invalid ({error}). Do two devices have this unit number, or "
            "is the baud rate or the parity wrong?"
        ),
    }
    error = say(presence.error, tr) if presence.error else ""
    return texts[presence.response].format(unit=presence.unit, error=error)


class Recognition(msgspec.Struct, frozen=True):
    """The models that a unit may be.

    Attributes:
        models: only the best model if it is clearly better than the others; otherwise all models
            that fit, the best first.
        has_evidence: True if the values of the replies are evidence for the first model.
    """

    models: Sequence[ModbusModel]
    has_evidence: bool


def recognise(session: ProbeSession, unit: int) -> Recognition:
    """Compare all models with a unit, report those that fit, and return them."""
    return _report_matches(session, unit, _match_models(session, [unit])[unit])


def _match_models(session: ProbeSession, units: Sequence[int]) -> dict[int, Sequence[ModelMatch]]:
    """Return the comparison of every model with each unit."""
    models = list(session.models.values())
    matches: dict[int, Sequence[ModelMatch]] = {}
    with share_progress(tr("Trying models")) as report_progress:
        for index, unit in enumerate(units):

            def report_share(share: float, done: int = index) -> None:
                report_progress((done + share) / len(units))

            matches[unit] = session.run(
                ModelProbe(session.probe, unit).match_models(models, report_share)
            )
    return matches


def _report_matches(session: ProbeSession, unit: int, matches: Sequence[ModelMatch]) -> Recognition:
    matching, rivals = model_match.rank(matches)
    for match in matching:
        click.echo("  " + _match_text(match))
    if session.request.why:
        for match in matches:
            if match.mismatch is not None:
                click.echo(f"  {match.model}: {_mismatch_text(match.mismatch)}")
    is_clear = len(rivals) == 1 and rivals[0].evidence_bits >= _CLEAR_EVIDENCE_BITS
    verdict = _verdict_text(matching, rivals)
    if not is_clear:
        advice = tr("Give the number on its display: --unit {unit} --display NUMBER.")
        verdict = f"{verdict} {advice.format(unit=unit)}"
    click.echo("  " + verdict)
    if not matching:
        return Recognition((), has_evidence=False)
    models = [session.find_model(match.model) for match in (rivals if is_clear else matching)]
    return Recognition(models, has_evidence=matching[0].evidence_bits >= _NO_EVIDENCE_BITS)


def _verdict_text(matching: Sequence[ModelMatch], rivals: Sequence[ModelMatch]) -> str:
    """Return a sentence about the certainty of the recognition."""
    if not matching:
        return tr("No known meter model fits.")
    if len(rivals) > 1:
        names = ", ".join(match.model for match in rivals)
        return tr("These models can't be told apart by the replies: {models}.").format(models=names)
    best = rivals[0]
    if best.evidence_bits < _NO_EVIDENCE_BITS:
        return tr("There is no evidence for {model}: any device could send these replies.").format(
            model=best.model
        )
    if best.evidence_bits < _CLEAR_EVIDENCE_BITS:
        text = tr("The evidence for {model} is weak: about 1 in {odds} units would fit by chance.")
        return text.format(model=best.model, odds=round(2.0**best.evidence_bits))
    if len(matching) == 1:
        return tr("Only {model} fits, and clearly.").format(model=best.model)
    return tr("{model} fits clearly better than the others.").format(model=best.model)


def _match_text(match: ModelMatch) -> str:
    values = [f"{row.quantity} = {row.value:.8g}" for row in match.values]
    values += [f"{label} = {text}" for label, text in match.identity]
    return tr(
        "{model} fits: of {count} values {typical} are typical of a meter in use, {zeros} are 0, "
        "{unusual} are possible but unusual. {values}"
    ).format(
        model=match.model,
        count=len(match.values),
        typical=match.typical_count,
        zeros=match.zero_count,
        unusual=len(match.values) - match.typical_count - match.zero_count,
        values=", ".join(values),
    )


def _mismatch_text(mismatch: Mismatch) -> str:
    if mismatch.error is not None:
        return f"{mismatch.subject}: {say(mismatch.error, tr)}"
    if isinstance(mismatch.value, str):
        return tr("the device identifies itself as another: {label} = {value}").format(
            label=mismatch.subject, value=mismatch.value
        )
    return tr("{quantity} = {value:.6g} is not possible for a meter").format(
        quantity=mismatch.subject, value=mismatch.value
    )
