"""Define the concern: a finding about a meter, with the consumption that it concerns."""

import math

import msgspec

from jieneng.metering.findings import Finding


class Concern(msgspec.Struct, frozen=True):
    """A finding about a meter, before its weight in a scope's figure is known.

    Attributes:
        finding: the finding; its subject is the meter.
        amount: consumption that is missing, wrong or to be verified [kWh, m3 or GJ]; NaN for the
            whole consumption of the meter.
    """

    finding: Finding
    amount: float = math.nan
