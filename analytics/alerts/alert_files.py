"""Read the alert rules of a site: the packaged file, then `alerts.toml` beside `site.toml`.

Laws:

1. A row of the site's file replaces the packaged row of the same id as a whole; all other packaged
   rows stay. A row with a packaged id, `enabled = false` and no signal only switches the packaged
   rule off.
2. Receivers, routes, maintenance, `[hours]` and `[grouping]` come from the site's file alone. A
   key that is not in the file has its default.
3. All mistakes are reported at once, each with file and line. A file with a mistake has no rules.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec.structs import replace

from analytics.alerts.alert_rule import (
    AlertRule,
    AlertRules,
    AlertsFile,
    Grouping,
    Maintenance,
    Receiver,
)
from analytics.alerts.checking.routing_check import RoutingContext, at, routing_problems
from analytics.alerts.checking.rule_check import RuleContext, rule_problems, switches_off
from analytics.alerts.checking.rule_warnings import WarningContext, alert_warnings
from analytics.calendar.working_hours import Hours
from jieneng import config_file
from jieneng.locale import languages
from jieneng.metering.catalog.meter_model import Model
from jieneng.metering.errors import ConfigError, Problem, UnreadKeys
from jieneng.metering.site import Site

ALERTS_FILE: Final = "alerts.toml"


class AlertExamination(msgspec.Struct, frozen=True):
    """The alert rules of a site, and the mistakes in its `alerts.toml`.

    Attributes:
        document: the site's `alerts.toml`; empty if the site has no such file.
        rules: the rules; None if there are problems, or if the site has mistakes.
        problems: every mistake in the site's file.
        warnings: probable mistakes.
        receivers: rows `[[receiver]]` without mistakes, by the number of the row.
    """

    document: config_file.Document
    rules: AlertRules | None
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    receivers: Mapping[int, Receiver] = MappingProxyType({})


def load_alert_rules(path: Path, site: Site) -> AlertRules:
    """Return the packaged alert rules, merged with the `alerts.toml` of a site's folder.

    Args:
        path: the site's folder.
        site: the site, without mistakes.

    Raises:
        ConfigError: all mistakes in `alerts.toml`.
    """
    found = examine_alerts(path, site)
    if found.rules is None:
        raise ConfigError(found.problems)
    return found.rules


def examine_alerts(
    path: Path,
    site: Site,
    *,
    models: Mapping[str, Model] = MappingProxyType({}),
    years: Sequence[int] = (),
    site_unread: UnreadKeys | None = None,
) -> AlertExamination:
    """Read the alert rules of a site's folder, and find all mistakes in its `alerts.toml`.

    Args:
        path: the site's folder.
        site: the site, which may have mistakes that are reported elsewhere.
        models: meter models by id, for warnings.
        years: calendar years whose public holidays are needed, for warnings.
        site_unread: places of `site.toml` that could not be read; None if `site.toml` has no
            mistake. While it has one, the result has neither rules nor warnings.
    """
    document = config_file.parse("", ALERTS_FILE)
    if (path / ALERTS_FILE).exists():
        try:
            document = config_file.read(path / ALERTS_FILE)
        except ConfigError as error:
            return AlertExamination(document, None, error.problems, ())
    draft = config_file.decode_draft(document, AlertsFile)
    problems = _problems(document, draft, site, site_unread or UnreadKeys())
    mistaken = UnreadKeys(draft.unread.paths | {problem.path for problem in problems})
    receivers = {
        number: receiver
        for number, receiver in enumerate(draft.settings.receiver)
        if not mistaken.covers("receiver", number)
    }
    if problems or site_unread is not None:
        return AlertExamination(document, None, problems, (), receivers)
    warnings = alert_warnings(draft.settings, WarningContext(site, models, years))
    return AlertExamination(
        document,
        merge_alert_rules(draft.settings, packaged_alert_rules(), site),
        (),
        tuple(map(document.locate, warnings)),
        receivers,
    )


def _problems(
    document: config_file.Document,
    draft: config_file.Draft[AlertsFile],
    site: Site,
    site_unread: UnreadKeys,
) -> tuple[Problem, ...]:
    """Return the mistakes of a site's file, by line."""
    packaged = packaged_alert_rules()
    context = RuleContext(site, packaged, draft.unread, site_unread)
    ids = {*packaged, *(rule.id for rule in draft.settings.rule)}
    routing = RoutingContext(site, ids, languages(), draft.unread, site_unread)
    problems = [
        *draft.problems,
        *map(document.locate, rule_problems(draft.settings.rule, context)),
        *map(document.locate, routing_problems(draft.settings, routing)),
    ]
    return tuple(sorted(problems, key=lambda problem: problem.line or 0))


def merge_alert_rules(
    file: AlertsFile, packaged: Mapping[str, AlertRule], site: Site
) -> AlertRules:
    """Return the packaged rules merged with a site's file, which has no mistakes."""
    merged = dict(packaged)
    for row in file.rule:
        is_switch = switches_off(row, packaged)
        merged[row.id] = replace(packaged[row.id], enabled=False) if is_switch else row
    return AlertRules(
        rules=tuple(rule for rule in merged.values() if rule.enabled),
        disabled=tuple(rule for rule in merged.values() if not rule.enabled),
        receivers=file.receiver,
        routes=file.route,
        maintenance=tuple(_dated(row, site) for row in file.maintenance),
        hours=file.hours or Hours(),
        grouping=file.grouping or Grouping(),
    )


def _dated(row: Maintenance, site: Site) -> Maintenance:
    """Return a maintenance whose start and end have their offsets."""
    return replace(row, from_=at(row.from_, site.zone), to=at(row.to, site.zone))


def packaged_alert_rules() -> dict[str, AlertRule]:
    """Return the rules that come with the software, by id."""
    return dict(_packaged())


@cache  # the package does not change while a process runs
def _packaged() -> Mapping[str, AlertRule]:
    file = resources.files("analytics") / "data" / ALERTS_FILE
    document = config_file.parse(file.read_text(encoding="utf-8"), f"analytics/data/{ALERTS_FILE}")
    return {rule.id: rule for rule in config_file.decode(document, AlertsFile).rule}
