"""Take the quotas that boards show from the rules of a site."""

from analytics.figures.quota_rows.annual_quota import TOTALS, all_annual_quotas
from analytics.figures.rule_files import Rules
from grafana.board_quota import BoardQuotas, LevelQuota


def board_quotas(rules: Rules, site_id: str) -> BoardQuotas:
    """Return the quotas of a site, as its boards show them."""
    annual = all_annual_quotas(rules.annual_quotas, rules.caps, rules.plans, site_id)
    limited = {quota.indicator for quota in annual}
    return BoardQuotas(
        levels=tuple(
            LevelQuota(id=row.id, name=row.name or row.id, unit=row.unit) for row in rules.quotas
        ),
        limited=tuple(name for name in TOTALS if name in limited),
        scopes=tuple(dict.fromkeys(quota.scope for quota in annual)),
    )
