"""Check the buses of a site and the addresses of the meters on them. Pure.

Law: each meter on a bus can be polled, and no two meters with the same protocol on a bus have the
same address.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec.structs import replace

from jieneng.metering.catalog.meter_model import Model
from jieneng.metering.catalog.model_forms import model_form, protocol_of
from jieneng.metering.errors import KeyPath, Problem, UnreadKeys
from jieneng.metering.site import Bus, Meter, Site

_BUS_EXAMPLES: Final = {"host": '"192.0.2.11"', "device": '"/dev/ttyS1"'}


def missing_endpoints(site: Site, _: Mapping[str, Model], unread: UnreadKeys) -> Iterator[Problem]:
    """Yield a problem for each bus without the host or device that its link needs."""
    for number, bus in enumerate(site.bus):
        needed = "device" if bus.link == "rtu" else "host"
        if getattr(bus, needed) is None and not unread.covers_row("bus", number, "link", needed):
            yield Problem(
                text='bus {bus} with link = "{link}" needs {needed}.',
                fix="Add a line to it, for example: {needed} = {example}",
                values={
                    "bus": bus.id,
                    "link": bus.link,
                    "needed": needed,
                    "example": _BUS_EXAMPLES[needed],
                },
                path=("bus", number),
            )


def address_problems(
    site: Site, models: Mapping[str, Model], unread: UnreadKeys
) -> Iterator[Problem]:
    """Yield a problem for each meter whose address on its bus is missing, wrong or taken."""
    taken: dict[tuple[str, str, int | str | None], Meter] = {}
    bus_numbers = {bus.id: number for number, bus in enumerate(site.bus)}
    for number, meter in enumerate(site.meter):
        if meter.bus is None or unread.covers_row("meter", number, "unit", "address", "model"):
            continue
        model = models.get(meter.model or "")
        form, path = model_form(model), ("meter", number)
        bus = site.buses.get(meter.bus)
        if bus is not None and not unread.covers("bus", bus_numbers[bus.id], "link"):
            yield from _unusable_addresses(meter, model, bus, path)
        if (meter.address is None) is not (form.address_key == "unit"):
            if meter.model is None or model is not None:  # an unknown model may use other keys
                yield Problem(
                    text="meter {meter} needs its {key} on bus {bus}.",
                    fix="Write {key} = ... as the device's display shows it, and no other address.",
                    values={"meter": meter.id, "key": form.address_key, "bus": meter.bus},
                    path=path,
                )
            continue
        address = meter.unit if form.address_key == "unit" else meter.address
        other = taken.setdefault((meter.bus, protocol_of(model), address), meter)
        if other is not meter:
            yield Problem(
                text="meters {other} and {meter} both have {key} {address} on bus {bus}.",
                fix="Each meter on a bus must have a different {key}: look at the device's"
                " display.",
                values={
                    "other": other.id,
                    "meter": meter.id,
                    "key": form.address_key,
                    "address": address,
                    "bus": meter.bus,
                },
                path=(*path, form.address_key),
            )


def _unusable_addresses(
    meter: Meter, model: Model | None, bus: Bus, path: KeyPath
) -> Iterator[Problem]:
    """Yield a problem if a meter can't be polled because of its address or the bus's link."""
    form = model_form(model)
    for problem in form.address_problems(meter, bus):
        yield replace(problem, path=(*path, *problem.path))
    if model is not None and bus.link not in form.links:
        yield Problem(
            text="meter {meter} uses {protocol}, which is not possible on bus {bus} with link"
            ' = "{link}".',
            fix="Correct the model of the meter or the link of the bus; links for this protocol:"
            " {links}.",
            values={
                "meter": meter.id,
                "protocol": model.protocol,
                "bus": bus.id,
                "link": bus.link,
                "links": ", ".join(sorted(form.links)),
            },
            path=(*path, "bus"),
        )
