"""Print the TOML of what was found: new points, a model if one is needed, the bus and the meter.

Law: the agent can read the printed model, and `jieneng check` accepts the printed TOML. The area is
left open, because only a person knows it. A point that the model already has is not printed again.
"""

from collections.abc import Sequence

import click

from edge_agent.commissioning import toml_output
from edge_agent.commissioning.display_search import (
    DisplayReading,
    RegisterLocation,
    differing_keys,
)
from jieneng.cli.options import tr
from jieneng.cli.probe.probe_session import ProbeSession, point_of
from jieneng.metering.catalog.modbus_points import ModbusModel
from jieneng.metering.quantities import CONSUMPTION, QUANTITIES


def found_blocks(
    session: ProbeSession,
    library_model: ModbusModel | None,
    model: ModbusModel | None,
    confirmed: Sequence[DisplayReading],
    located: Sequence[RegisterLocation],
) -> list[str]:
    """Return the TOML of new points, of a model if one is needed, and of bus and meter.

    Args:
        session: the running probe.
        library_model: model of the unit; None if it is unknown.
        model: variant of the library model whose requests the unit answers.
        confirmed: displays that the model reads correctly.
        located: best location of each of the other displays.
    """
    new = [location for location in located if _is_new(location, model)]
    points = [toml_output.point_toml(location.point_row()) for location in new]
    bus = toml_output.bus_toml(session.bus)
    if model is None:
        own = toml_output.new_model(located, session.unit)
        if own is None:
            _report_missing_counter(located[0].quantity)
            return [*points, bus]
        own = session.readable_variant(own)
        files = [model_file(own)]
    elif not new:
        own = model
        if library_model is not None and library_model is not own:
            click.echo(variant_note(library_model, own))
        files = [] if own.id in session.models else [model_file(own)]
    else:
        own = session.readable_variant(_corrected_model(session, model, confirmed, located, new))
        note = tr(
            "# Points not checked against the display are derived from the checked ones:"
            " check at least one more."
        )
        files = [f"{note}\n{model_file(own)}"]
    return [*points, *files, bus, toml_output.meter_toml(session.meter_of(own))]


def _is_new(location: RegisterLocation, model: ModbusModel | None) -> bool:
    """Return True if the model does not have the point, or has a different one."""
    row = point_of(model, location.quantity)
    return row is None or bool(differing_keys(location, row))


def _corrected_model(
    session: ProbeSession,
    model: ModbusModel,
    confirmed: Sequence[DisplayReading],
    located: Sequence[RegisterLocation],
    new: Sequence[RegisterLocation],
) -> ModbusModel:
    quantities = [display.quantity for display in confirmed]
    quantities += [location.quantity for location in located]
    source = (
        f"as {model.id}, except for the points found to differ or to be missing on "
        f"{session.local_time():%Y-%m-%d}; compared with the display: {', '.join(quantities)}"
    )
    points = toml_output.derived_points(model, new)
    return toml_output.derived_model(model, f"{model.id}-mine", source, points)


def _report_missing_counter(quantity: str) -> None:
    counter = CONSUMPTION[QUANTITIES[quantity].media[0]]
    text = tr(
        "No counter was found, and a meter needs one: give the number of its counter too,"
        " like --display {counter}=8123.45."
    )
    click.echo(text.format(counter=counter))


def variant_note(model: ModbusModel, variant: ModbusModel) -> str:
    """Return a sentence with the variant of a model that the agent has to use."""
    text = tr(
        "The unit refuses some requests that the agent would send with model {model}: use"
        " {variant} below, which requests fewer registers at once."
    )
    return text.format(model=model.id, variant=variant.id)


def model_file(model: ModbusModel) -> str:
    """Return the file of a model of the site's own, with the path to save it to."""
    note = tr("# Save as models/{id}.toml beside site.toml.").format(id=model.id)
    return f"{note}\n{toml_output.model_toml(model)}"


def print_toml(*blocks: str) -> None:
    """Print the TOML under its heading. It is the last output, except for that of a sign-off."""
    click.echo("\n" + "\n\n".join([tr("# To paste:"), *blocks]))
