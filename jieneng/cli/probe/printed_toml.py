"""What a person pastes of what was found by a display: points, model, bus and meter.

Law: what is pasted the agent can read, and `jieneng check` takes it, but for the area, which only a
person knows.
"""

import asyncio
from collections.abc import Sequence

import click

from edge_agent.commissioning import display_search, toml_output
from edge_agent.commissioning.display_search import Display, Place
from jieneng.cli.options import tr
from jieneng.cli.probe.probe_session import Session, row_of
from jieneng.metering.catalog.modbus_points import ModbusModel, PointRow
from jieneng.metering.quantities import CONSUMPTION, QUANTITIES


def blocks(
    session: Session,
    runner: asyncio.Runner,
    named: ModbusModel | None,
    model: ModbusModel | None,
    agreed: Sequence[Display],
    best: Sequence[Place],
) -> list[str]:
    """The points that were found, a model where one must be written, bus and meter.

    Args:
        session: what was asked.
        runner: of the loop that the link lives in.
        named: what the unit is; None where nobody knows.
        model: the same, as it lets itself be read.
        agreed: displays that the model reads rightly.
        best: where the others were found.
    """
    rows = [row for one in agreed if (row := row_of(model, one.quantity))]
    points = [toml_output.point(row) for row in (*rows, *(place.row() for place in best))]
    bus = toml_output.bus(session.bus)
    own = _other(session, model, agreed, best)
    if own is None:
        return [*points, bus]
    if own is model:
        if named is not None and named is not own:
            click.echo(less_at_once(named, own))
        text = [] if own.id in session.models else [own_model(own)]
    else:
        own = session.readable(runner, own)
        note = tr("# What the display did not show follows what it did: check another value.")
        text = [own_model(own) if model is None else f"{note}\n{own_model(own)}"]
    return [*points, *text, bus, toml_output.meter(session.as_meter(own))]


def _other(
    session: Session, model: ModbusModel | None, agreed: Sequence[Display], best: Sequence[Place]
) -> ModbusModel | None:
    """The model, one like it, or one of its own; None, after that was told, without a counter."""
    if model is None:
        made = toml_output.unheard_of(best, session.unit)
        if made is None:
            _tell_counterless(best[0].quantity)
        return made
    rows = {row.quantity: row for row in model.point}
    other = [one for one in best if _differs(one, rows.get(one.quantity))]
    if not other:
        return model
    seen = ", ".join([one.quantity for one in agreed] + [one.quantity for one in best])
    source = (
        f"as {model.id}, but for what was found otherwise or besides on "
        f"{session.moment():%Y-%m-%d}; seen on the display: {seen}"
    )
    return toml_output.named(model, f"{model.id}-mine", source, toml_output.derived(model, other))


def _differs(place: Place, row: PointRow | None) -> bool:
    return row is None or bool(display_search.differences(place, row))


def _tell_counterless(quantity: str) -> None:
    counter = CONSUMPTION[QUANTITIES[quantity].media[0]]
    text = tr(
        "No counter was found, and a meter needs one: give what it shows as well, like "
        "--display {counter}=8123.45."
    )
    click.echo(text.format(counter=counter))


def less_at_once(model: ModbusModel, instead: ModbusModel) -> str:
    """What is said where the agent could not read what was found."""
    text = tr(
        "The unit refuses what the agent asks for at once by model {model}: use {instead} below, "
        "which asks for less."
    )
    return text.format(model=model.id, instead=instead.id)


def own_model(model: ModbusModel) -> str:
    """A file of the site's own."""
    note = tr("# models/{id}.toml beside site.toml.").format(id=model.id)
    return f"{note}\n{toml_output.model(model)}"


def to_paste(*blocks: str) -> None:
    """Say it, the last thing of all."""
    click.echo("\n" + "\n\n".join([tr("# To paste:"), *blocks]))
