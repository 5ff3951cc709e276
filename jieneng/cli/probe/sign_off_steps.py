"""Compare displays with the agent's readings, and append the results to the file of sign-offs.

Law: a sign-off is about the readings of the agent, which uses `site.toml`. So an option that
differs from `site.toml` is refused.
"""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import click
import msgspec

from edge_agent.commissioning.display_search import DisplayReading
from edge_agent.commissioning.sign_off import (
    SignOffContext,
    SignOffRecord,
    TransformerSide,
    closest,
    compare,
)
from jieneng.cli.options import tr
from jieneng.cli.probe.probe_session import ProbeSession, point_of
from jieneng.locale import say
from jieneng.metering.catalog.modbus_points import ModbusModel
from jieneng.metering.errors import PeerError, Unanswered, UsageError
from jieneng.metering.quantities import QUANTITIES


def check_against_site(session: ProbeSession) -> ModbusModel:
    """Return the model of the meter to sign off; sends no request.

    Raises:
        UsageError: no agent reads the meter, or an option differs from `site.toml`.
    """
    request, meter = session.request, session.meter
    if meter is None or meter.model is None or meter.bus is None:
        raise UsageError(
            "no agent reads {meter}: state its bus and model in site.toml, then sign it off.",
            meter=request.meter,
        )
    typed = {"model": request.model, "unit": request.unit, "ct": request.ct, "pt": request.pt}
    site = {"model": meter.model, "unit": meter.unit, **session.site_ratios}
    for key, value in typed.items():
        if value not in {None, site[key]}:
            raise UsageError(
                "the agent reads {meter} with {key} {known} from site.toml, not {typed}:"
                " correct site.toml first, then sign it off without --{key}.",
                meter=meter.id,
                key=key,
                known=_plain(site[key]),
                typed=_plain(value),
            )
    return session.find_model(meter.model)


def sign_off(session: ProbeSession, file: Path, displays: Sequence[DisplayReading]) -> bool:
    """Read each displayed quantity as the agent would, and append the comparison to the file.

    Returns:
        True if display and register agree for every display.
    """
    model, all_agree = check_against_site(session), True
    for display in displays:
        is_counter = QUANTITIES[display.quantity].kind == "counter"
        if not is_counter or point_of(model, display.quantity) is None:
            raise UsageError(
                "{quantity} can't be signed off: name a counter that model {model} has.",
                quantity=display.quantity,
                model=model.id,
            )
        try:
            record = _compare_sides(session, model, display)
        except (Unanswered, PeerError) as error:
            text = tr(
                "Not signed off: {meter} does not answer the requests that the agent sends"
                " for model {model}: {error}."
            )
            values = {"meter": session.request.meter, "model": model.id, "error": say(error, tr)}
            click.echo(text.format(**values), err=True)
            return False
        with file.open("ab") as records:
            records.write(record.line())
        all_agree &= record.verdict == "ok"
        _report_record(session, record, file)
    return all_agree


def _report_record(session: ProbeSession, record: SignOffRecord, file: Path) -> None:
    signed = tr("Signed off: {meter} shows {display}, and the agent reads {read:.10g}; see {file}.")
    secondary = tr(
        "Signed off on the secondary side: {meter} shows {display}; the agent reads"
        " {read:.10g} and multiplies it by {ratio:g}; see {file}."
    )
    refused = tr(
        "Not signed off: {meter} shows {display}, but the agent reads {read:.10g}. The"
        " difference of {difference:+.6g} is too large: allowed are one step of the display"
        " plus the consumption possible meanwhile ({behind:.6g} below, {ahead:.6g} above);"
        " see {file}."
    )
    agrees = record.verdict == "ok"
    text = (signed if record.side == "primary" else secondary) if agrees else refused
    values = msgspec.structs.asdict(record)
    click.echo(text.format(**values, file=file), err=not agrees)
    if session.rated_max == 0 and not agrees:
        click.echo(
            tr(
                "Without --rated-max, no consumption is assumed between the reading of the"
                " display and the agent's."
            ),
            err=True,
        )


def _compare_sides(
    session: ProbeSession, model: ModbusModel, display: DisplayReading
) -> SignOffRecord:
    """Compare on both sides of the transformers; return the record of the side that matches."""
    values = session.read_both_sides(model, display.quantity)
    read_at = session.local_time()
    possible_increase = session.possible_increase(display.quantity)
    context = SignOffContext(
        by=session.request.by or "",
        link=session.link_address(),
        meter=session.request.meter or "",
        unit=session.unit,
        model=model.id,
        **session.ratios,
    )
    row = next(row for row in model.point if row.quantity == display.quantity)
    ct, pt = session.exact_ratios["ct"], session.exact_ratios["pt"]
    transformer_ratio = row.canonical_scale(ct, pt) / row.canonical_scale()

    def compare_on(
        side: TransformerSide, ratio: Fraction, ct: Fraction, pt: Fraction
    ) -> SignOffRecord:
        on_side = msgspec.structs.replace(
            display, possible_increase=possible_increase / float(ratio)
        )
        value = values[side]
        step = row.step_at(value, ct, pt)
        return compare(context, on_side, value, step, read_at, side=side, ratio=float(ratio))

    one = Fraction(1)
    primary = compare_on("primary", one, ct, pt)
    if transformer_ratio == 1:
        return primary
    return closest([primary, compare_on("secondary", transformer_ratio, one, one)])


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
