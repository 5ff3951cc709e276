"""Define the rules of data quality: one row for each finding that lowers the score.

Laws:

1. A score is 100 less the points of its issues. Each part of the score has points
   (`PART_POINTS`); an issue costs the share of the figure that it concerns, times the points of its
   part, times `counted`.
2. `counted` is 1 if the concerned consumption is missing or wrong. It is 0.2 if the consumption is
   known and a person has to verify it, because most of such cases are in order. It is 0 if the
   issue does not concern the figure, or if the finding is about the building and not about its data
   (quotas); such an issue is only listed.
3. Missing consumption can be neither plausible nor consistent. So an issue about it (`MISSING`)
   costs its share of each part that judges consumption (`JUDGING_PARTS`): without any reading, a
   score has at most the points of the denominators.

The limits of the rules are beside the functions that apply them, with their sources. The points and
0.2 are choices of this project, not official numbers.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

import msgspec

Part = Literal["completeness", "plausibility", "consistency", "denominators"]

#: Points of each part of the score; their sum is 100.
PART_POINTS: Final[Mapping[Part, float]] = MappingProxyType(
    {"completeness": 40.0, "plausibility": 25.0, "consistency": 25.0, "denominators": 10.0}
)

#: Parts of the score that judge consumption.
JUDGING_PARTS: Final[tuple[Part, ...]] = ("completeness", "plausibility", "consistency")
#: Codes of findings about missing consumption of a meter.
MISSING: Final = frozenset({"gap", "no_readings"})

#: `counted` of an issue that a person has to verify.
_VERIFY: Final = 0.2
_LISTED: Final = 0.0


class QualityRule(msgspec.Struct, frozen=True):
    """A row of `RULES`.

    Attributes:
        code: code of the finding, a row of `jieneng.metering.findings`.
        part: part of the score that the finding lowers, and under which it is listed.
        counted: factor of the concerned share (law 2), 0 to 1.
        least_share: smallest concerned share of a figure for which the finding is an issue.
    """

    code: str
    part: Part
    counted: float = 1.0
    least_share: float = 0.0005

    @property
    def parts(self) -> tuple[Part, ...]:
        """All parts of the score that the finding lowers (law 3)."""
        return JUDGING_PARTS if self.code in MISSING else (self.part,)


_ROWS: Final = (
    QualityRule("no_readings", "completeness"),
    QualityRule("gap", "completeness"),
    QualityRule("not_read", "completeness"),
    QualityRule("spread_edge", "completeness", least_share=0.005),
    QualityRule("counted_before", "completeness"),
    QualityRule("incomplete_point", "completeness", _VERIFY),
    QualityRule("set_aside", "plausibility"),
    QualityRule("no_value", "plausibility"),
    QualityRule("negative_interval", "plausibility"),
    QualityRule("above_nameplate", "plausibility"),
    QualityRule("counter_reset", "plausibility"),
    QualityRule("rollover_guess", "plausibility"),
    QualityRule("unusual_step", "plausibility"),
    QualityRule("stood_still", "plausibility"),
    QualityRule("looks_like_register", "plausibility"),
    QualityRule("unclear_fall", "plausibility"),
    QualityRule("ran_backwards", "plausibility"),
    QualityRule("other_unit", "plausibility"),
    QualityRule("unit_slip", "plausibility"),
    QualityRule("year_change", "plausibility", _VERIFY, least_share=0.02),
    QualityRule("above_quota", "plausibility", _LISTED),
    QualityRule("below_guide", "plausibility", _LISTED),
    QualityRule("flat_line", "plausibility", _VERIFY),
    QualityRule("zero_line", "plausibility", _LISTED),
    QualityRule("negative_balance", "consistency"),
    QualityRule("negative_formula", "consistency"),
    QualityRule("meter_balance", "consistency"),
    QualityRule("copied_months", "consistency"),
    QualityRule("copied_meter", "consistency"),
    QualityRule("bill_amount_differs", "consistency"),
    QualityRule("bill_other_year", "consistency"),
    QualityRule("bill_in_other_unit", "consistency", _LISTED),
    QualityRule("periods_not_annual", "consistency"),
    QualityRule("after_removal", "consistency"),
    QualityRule("no_floor_area", "denominators"),
    QualityRule("no_headcount", "denominators"),
    QualityRule("denominator_change", "denominators", _VERIFY),
)

RULES: Final[Mapping[str, QualityRule]] = MappingProxyType({row.code: row for row in _ROWS})
