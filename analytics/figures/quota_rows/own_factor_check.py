"""Check the factors that a quota states itself: those in grams or tonnes are refused. Pure."""

from collections.abc import Iterator, Mapping
from typing import Final

from jieneng.metering.errors import Problem
from jieneng.metering.quantities import CONSUMPTION, QUANTITIES, Carrier

#: Greatest possible factors [kg per kWh, m3 or GJ], about twice the greatest that are in use: a
#: coal equivalent of electricity is 0.1229 to 0.4, a carbon factor of it at most 1.
_GREATEST: Final[Mapping[str, Mapping[Carrier, float]]] = {
    "coal": {"electricity": 1.0, "gas": 3.0, "heat": 100.0},
    "carbon": {"electricity": 2.0, "gas": 5.0, "heat": 300.0},
}
_OF: Final = {"coal": "kgce", "carbon": "kgCO2"}


def own_factor_problems(
    quota: str, coal: Mapping[Carrier, float], carbon: Mapping[Carrier, float]
) -> Iterator[Problem]:
    """Yield a problem for each factor that is too great for its unit.

    Args:
        quota: id of the quota.
        coal: its coal equivalents [kgce per kWh, m3 or GJ].
        carbon: its carbon factors [kgCO2 per kWh, m3 or GJ].
    """
    for kind, stated in (("coal", coal), ("carbon", carbon)):
        for carrier, value in stated.items():
            if value > _GREATEST[kind][carrier]:
                unit = QUANTITIES[CONSUMPTION[carrier]].unit
                yield Problem(
                    text="quota {id}: {kind} of {carrier} can't be {value} {unit}.",
                    fix="Write it in {unit}; 1 kg is 1000 g.",
                    values={
                        "id": quota,
                        "kind": kind,
                        "carrier": carrier,
                        "value": value,
                        "unit": f"{_OF[kind]}/{unit}",
                    },
                    path=(kind, carrier),
                )
