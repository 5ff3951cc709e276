"""Check the factors that a quota states itself, and refuse those in grams or tonnes. Pure."""

from collections.abc import Iterator, Mapping
from typing import Final

from jieneng.metering.errors import Problem
from jieneng.metering.quantities import CONSUMPTION, QUANTITIES, Carrier

#: Greatest accepted factors [kg per kWh, m3 or GJ], about twice the greatest factors in use. For
#: electricity, coal equivalents are 0.1229 to 0.4, and carbon factors at most 1.
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
        coal: coal equivalents of the quota [kgce per kWh, m3 or GJ].
        carbon: carbon factors of the quota [kgCO2 per kWh, m3 or GJ].
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
