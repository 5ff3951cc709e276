"""Take what boards show of quotas from the rules of a site."""

from analytics.figures.quota_rows.annual_quota import TOTALS
from analytics.figures.rule_files import Rules
from grafana.board_quota import BoardQuotas, LevelQuota


def board_quotas(rules: Rules) -> BoardQuotas:
    """Return the quotas of a site, as its boards show them."""
    limited = {row.indicator for row in rules.annual_quotas}
    limited |= {cap.indicator for cap in rules.caps if cap.scope != "division"}
    return BoardQuotas(
        levels=tuple(
            LevelQuota(id=row.id, name=row.name or row.id, unit=row.unit) for row in rules.quotas
        ),
        limited=tuple(name for name in TOTALS if name in limited),
    )
