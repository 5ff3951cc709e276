"""The command `jieneng alerts test`: try a rule on past data before it sends notices."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from jieneng.cli.alerts.span_option import seconds
from jieneng.cli.options import config_option, examples, format_option, run_once, site_option, tr
from jieneng.metering.errors import UsageError
from jieneng.metering.spelling import nearest

if TYPE_CHECKING:  # imported when a command runs, so that `--help` is quick
    from collections.abc import Callable

    from analytics.alerts.alert_rule import AlertRule, AlertRules
    from analytics.pipeline.alerting.rule_trial import Trial
    from jieneng.cli.alerts.site_alerts import SiteAlerts


@click.command(
    "test",
    help=tr(
        "Replay stored history: how often and when a rule would have fired, how many notices it "
        "would have sent, and what other limits would have sent. Nothing is sent or changed. A "
        "rule that is switched off can be tried, too."
    ),
    epilog=examples(
        "jieneng alerts test water-at-night --site my-site",
        "jieneng alerts test water-at-night --since 180d --above 0.5 --clear 0.4",
        "jieneng alerts test meter-silent --since 30d --above 600 --for 60s",
    ),
)
@site_option
@config_option("analytics.toml")
@click.option(
    "--since",
    "since_s",
    type=seconds,
    default="90d",
    show_default=True,
    metavar=tr("TIME"),
    help=tr("Length of the history up to now, such as 90d."),
)
@click.option("--above", type=float, metavar="X", help=tr("Try this limit: fire above it."))
@click.option("--below", type=float, metavar="X", help=tr("Try this limit: fire below it."))
@click.option("--clear", type=float, metavar="X", help=tr("Recover at this value."))
@click.option(
    "--for",
    "for_s",
    type=seconds,
    metavar=tr("TIME"),
    help=tr("Fire after this time beyond the limit, such as 10m."),
)
@click.option(
    "--keep-firing-for",
    "keep_s",
    type=seconds,
    metavar=tr("TIME"),
    help=tr("Recover after the value was back for this time, such as 10m."),
)
@format_option("table", "json")
@click.argument("rule_id", metavar=tr("RULE"))
def test(
    site_dir: Path,
    config_file: Path,
    since_s: float,
    above: float | None,
    below: float | None,
    clear: float | None,
    for_s: float | None,
    keep_s: float | None,
    form: str,
    rule_id: str,
) -> None:
    from jieneng.cli.alerts import site_alerts, trial_output
    from jieneng.cli.progress import share_progress

    site = site_alerts.load_site(site_dir, config_file)
    written = _find(rule_id, site.rules)
    rule = _with_times(_with_limits(written, above, below, clear), for_s, keep_s)
    now_ms = site_alerts.now_ms()
    span_ms = (now_ms - round(1000 * since_s), now_ms)
    with share_progress(tr("Replay")) as progress:
        trial = run_once(_try(site, rule, span_ms, progress))
    if form == "json":
        click.echo(trial_output.to_json(trial))
    else:
        trial_output.print_trial(trial, site, is_changed=rule != written)


async def _try(
    site: "SiteAlerts",
    rule: "AlertRule",
    span_ms: tuple[int, int],
    progress: "Callable[[float], None]",
) -> "Trial":
    from analytics.pipeline.alerting.rule_trial import try_rule
    from jieneng.cli.alerts import site_alerts

    async with site_alerts.open_site_store(site) as store:
        return await try_rule(site.folder, store, site.rules, rule, span_ms, progress)


def _find(rule_id: str, rules: "AlertRules") -> "AlertRule":
    known = {rule.id: rule for rule in (*rules.rules, *rules.disabled)}
    if rule_id in known:
        return known[rule_id]
    close = nearest(rule_id, known)
    if close is None:
        raise UsageError(
            "there is no rule {rule}. List the rules with: jieneng alerts rules.", rule=rule_id
        )
    raise UsageError("there is no rule {rule}. Did you mean {close}?", rule=rule_id, close=close)


def _with_limits(
    rule: "AlertRule", above: float | None, below: float | None, clear: float | None
) -> "AlertRule":
    """Return a rule with the limits of the options; the hysteresis keeps its proportion."""
    from msgspec.structs import replace

    if above is not None and below is not None:
        raise UsageError("a rule fires above or below its limit: leave out --above or --below.")
    if above is not None or below is not None:
        limit = above if above is not None else below
        kept = None
        if rule.clear is not None and rule.limit and rule.is_above is (above is not None):
            kept = rule.clear * limit / rule.limit if limit is not None else None
        rule = replace(rule, above=above, below=below, clear=kept)
    if clear is not None:
        rule = replace(rule, clear=clear)
    is_wrong = rule.clear_limit > rule.limit if rule.is_above else rule.clear_limit < rule.limit
    if is_wrong:
        raise UsageError(
            "--clear {clear} lies beyond the limit {limit}: the recovery value must lie on"
            " the other side of the limit.",
            clear=rule.clear_limit,
            limit=rule.limit,
        )
    return rule


def _with_times(rule: "AlertRule", for_s: float | None, keep_s: float | None) -> "AlertRule":
    from msgspec.structs import replace

    if for_s is not None:
        rule = replace(rule, for_s=for_s)
    return rule if keep_s is None else replace(rule, keep_firing_for_s=keep_s)
