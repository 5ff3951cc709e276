"""Check that the range of a meter's register is stated only once. Pure.

Law: the value at which a register rolls over to 0 is stated only once: in the meter's model, by
`digits`, or by `modulus`.
"""

from collections.abc import Iterator, Mapping

from jieneng.metering.catalog.meter_model import Model
from jieneng.metering.errors import Problem, UnreadKeys
from jieneng.metering.quantities import CONSUMPTION
from jieneng.metering.site import Site


def register_problems(
    site: Site, models: Mapping[str, Model], unread: UnreadKeys
) -> Iterator[Problem]:
    """Yield a problem for each meter that states the range of its register twice."""
    for number, meter in enumerate(site.meter):
        path = ("meter", number)
        if unread.covers_row(*path, "digits", "modulus", "model", "medium"):
            continue
        if meter.digits is not None and meter.modulus is not None:
            yield Problem(
                text="meter {meter} has both digits and modulus, which have the same meaning:"
                " the value at which its display rolls over to 0.",
                fix="Remove one of the two: digits = 5 is the same as modulus = 100000.0.",
                values={"meter": meter.id},
                path=(*path, "modulus"),
            )
        model = models.get(meter.model or "")
        points = () if model is None else model.point
        stated = next(
            (row.modulus for row in points if row.quantity == CONSUMPTION[meter.medium]), None
        )
        key = "modulus" if meter.digits is None else "digits"
        if meter.display_modulus is not None and stated is not None:
            yield Problem(
                text="meter {meter} has {key}, but its model {model} already states the value"
                " at which the register rolls over to 0: {modulus}.",
                fix="Remove {key}.",
                values={
                    "meter": meter.id,
                    "key": key,
                    "model": meter.model,
                    "modulus": stated,
                },
                path=(*path, key),
            )
