"""Read the alerts of a site as people see them: with acknowledgements, silences and causes."""

from typing import Final

import msgspec

from analytics.alerts.alert import Alert, AlertMark
from analytics.alerts.alert_rule import AlertRules
from analytics.alerts.planning.marked_alerts import marked_alerts
from analytics.pipeline.alerting.alert_store import AlertStore
from jieneng.metering.site import Site
from jieneng.storage import Store

#: Greatest age of an evaluation that is searched for [ms].
_ROUND_MS: Final = 86_400_000


class CurrentAlerts(msgspec.Struct, frozen=True):
    """The alerts of a site.

    Attributes:
        alerts: alerts with their acknowledgements, silences and causes.
        marks: marks that people made.
        evaluated_ms: time of the last evaluation within the last day [UTC, ms]; None if there was
            none.
    """

    alerts: tuple[Alert, ...]
    marks: tuple[AlertMark, ...]
    evaluated_ms: int | None


async def current_alerts(site: Site, rules: AlertRules, store: Store, now_ms: int) -> CurrentAlerts:
    """Return the alerts of a site at a time [UTC, ms]."""
    alert_store = AlertStore(site.id, store)
    states = await alert_store.states(now_ms)
    marks = await alert_store.marks(now_ms)
    rounds = await alert_store.rounds(now_ms - _ROUND_MS, now_ms + 1)
    return CurrentAlerts(
        tuple(marked_alerts(rules, site, states, marks, now_ms)),
        marks,
        max((one.at_ms for one in rounds.values()), default=None),
    )
