"""Board 限额与能效排名: use of annual quotas by month, and rankings of the buildings."""

from typing import Final

from grafana import colours
from grafana.board_frame import BoardText, board_link, frame, no_data_text, text_panel
from grafana.board_parts.figure_panels import ranking
from grafana.board_quota import LevelQuota
from grafana.board_site import BoardSite
from grafana.field_display import FieldOverride, Json, bad_from, good_from
from grafana.panel_layout import PanelRow
from grafana.panels import PanelText, bar_chart, stat_panel, table_panel
from grafana.queries import latest, one_of
from grafana.variables import limited_variable, scope_variable, site_variable, year_variable
from grafana.verdicts import level_values, name_values, status_values
from jieneng.locale.number_texts import unit
from jieneng.metering import schema
from jieneng.metering.indicators import BINDING_INDICATORS, INDICATORS

_DAY: Final = "time:YYYY-MM-DD"
_CHOSEN: Final = {"site": "$site", "scope": "$scope", "indicator": "$limited"}
#: A board of figures of years shows any chosen year, whatever its time range.
_TEN_YEARS: Final = {"timeFrom": "10y", "hideTimeOverride": True}


def board(site: BoardSite) -> Json:
    """Return the JSON of the board."""
    tr = site.tr
    text = BoardText(
        tr("Quotas and ranking"),
        tr("Used share of annual quotas and caps, what remains by month, and the best buildings"),
    )
    variables = [site_variable(site), scope_variable(site), year_variable(site)]
    if site.quotas.limited:
        variables.insert(2, limited_variable(site))
    return frame("quotas", text, site, variables, _rows(site), begin="now-1y", refresh="15m")


def _rows(site: BoardSite) -> list[PanelRow]:
    tr = site.tr
    annual: list[PanelRow] = []
    if site.quotas.limited:
        chosen = tr("${limited:text} · ${scope:text} · $period")
        annual = [
            PanelRow(8, (_all_quotas(site),), tr("Annual quotas and caps · $period")),
            PanelRow(8, (_use(site), _months(site)), chosen, widths=(8, 16)),
        ]
    return [
        *annual,
        *([] if annual and site.quotas.levels else [PanelRow(4, (_how_to_add(site),))]),
        PanelRow(
            8,
            tuple(
                ranking(site, name, site.buildings, by="decrease_pct")
                for name in BINDING_INDICATORS
            ),
            tr("Ranking by the decrease since the base year · $period"),
        ),
        *(
            PanelRow(8, (_levels(site, quota),), tr("Ranking by level of the quota · $period"))
            for quota in site.quotas.levels
        ),
    ]


def _all_quotas(site: BoardSite) -> Json:
    """Return a table of all annual quotas and caps of the site."""
    tr = site.tr
    names = {
        name: (f"{site.indicator_name(name)} [{unit(INDICATORS[name].unit, tr)}]", colours.TEXT)
        for name in site.quotas.limited
    }
    tags = {
        "scope": FieldOverride(
            tr("Scope"),
            values=name_values(site.scopes),
            link=(tr("Show this scope"), board_link("quotas", "scope")),
        ),
        "indicator": FieldOverride(tr("Indicator"), values=names, width=170),
        "quota": FieldOverride(tr("Quota's id"), width=150),
    }
    known = _fields(site)
    fields = {
        name: known[name]
        for name in (
            *("amount", "used", "used_pct", "allowed", "remains", "remains_per_day"),
            *("forecast_pct", "used_100_ms", "status"),
        )
    }
    note = tr(
        "Each annual quota of quotas.toml and each cap of the plan: the amount of the year, the"
        " used amount, the amount allowed for the days so far, the amount that remains for the year"
        " and for each day to come, the share that is expected to be used at the year's end, and"
        " the day on which the quota is used up."
    )
    text = PanelText(tr("All annual quotas and caps"), note, no_data_text(site))
    where = {
        "site": "$site",
        "scope": one_of(site.quotas.scopes),
        "indicator": one_of(site.quotas.limited),
        "period": "$period",
    }
    query = latest(schema.ANNUAL_QUOTA, tuple(fields), where, tuple(tags))
    panel = table_panel(text, "locale", [query], {**tags, **fields}, sort=("used_pct", True))
    return {**panel, **_TEN_YEARS}


def _use(site: BoardSite) -> Json:
    """Return a panel with the used share of the chosen annual quota, and what remains."""
    known = _fields(site)
    overrides = {
        name: known[name]
        for name in ("used_pct", "forecast_pct", "remains", "remains_per_day", "short_days")
    }
    note = site.tr(
        "Used share of the year's quota, share that is expected to be used at the year's end,"
        " amount that remains for the year and for each day to come, and the days at the end of the"
        " year for which the quota is not expected to last."
    )
    text = PanelText(site.tr("Use of the quota"), note, _no_quota(site))
    query = latest(schema.ANNUAL_QUOTA, tuple(overrides), {**_CHOSEN, "period": "$period"})
    return {**stat_panel(text, "locale", [query], overrides), **_TEN_YEARS}


def _months(site: BoardSite) -> Json:
    """Return a bar chart with each month's part of the chosen annual quota, and its use."""
    tr = site.tr
    overrides = {
        "amount": FieldOverride(tr("Part of the quota"), colour=colours.GREY),
        "used": FieldOverride(tr("Used"), colour=colours.BLUE),
    }
    note = tr("Each month's part of the annual quota, and the consumption of the month.")
    text = PanelText(tr("Months of the quota"), note, _no_quota(site))
    where = {**_CHOSEN, "period": "/^$period-[0-9]{2}$/"}
    query = latest(schema.ANNUAL_QUOTA, tuple(overrides), where, ("period",))
    return {**bar_chart(text, "locale", query, overrides, "period"), **_TEN_YEARS}


def _levels(site: BoardSite, quota: LevelQuota) -> Json:
    """Return a table of the buildings by their rank in a quota."""
    tr = site.tr
    overrides = {
        "scope": FieldOverride(
            tr("Building or area"),
            values=name_values(site.scopes),
            link=(tr("Open this building"), board_link("buildings", "scope")),
        ),
        "rank": FieldOverride(tr("Rank"), "none", 0, width=70),
        "value": FieldOverride(tr("Value"), decimals=2),
        "level": FieldOverride(tr("Level"), values=level_values(tr), width=150),
        "constraint": FieldOverride(tr("Constraint"), decimals=2),
        "percentile": FieldOverride(tr("Percentile"), "none", 0, width=90),
        "peers": FieldOverride(tr("Buildings compared"), "none", 0, width=120),
        "coverage": FieldOverride(
            tr("Coverage"), "percentunit", 1, thresholds=good_from(site.coverage_floor), width=90
        ),
    }
    note = tr(
        "Intensity of each building by the quota's own factors, of a running year its forecast; the"
        " best level that it reaches, and its rank, the lowest value first. The percentile compares"
        " buildings of the same use, from five on."
    )
    text = PanelText(quota.name, note, no_data_text(site))
    fields = tuple(name for name in overrides if name != "scope")
    where = {"site": "$site", "quota": quota.id, "period": "$period"}
    query = latest(schema.QUOTA_LEVEL, fields, where, ("scope",))
    panel = table_panel(text, site.unit(quota.unit), [query], overrides, sort=("rank", False))
    return {**panel, **_TEN_YEARS}


def _fields(site: BoardSite) -> dict[str, FieldOverride]:
    """Return the display options of the fields of annual quotas."""
    tr = site.tr
    shares = bad_from(90, worse=100)
    return {
        "amount": FieldOverride(tr("Quota"), decimals=1),
        "used": FieldOverride(tr("Used"), decimals=1),
        "used_pct": FieldOverride(tr("Share used"), "percent", 1, thresholds=shares, width=100),
        "allowed": FieldOverride(tr("Allowed so far"), decimals=1),
        "remains": FieldOverride(tr("Remains"), decimals=1, colour=colours.TEXT),
        "remains_per_day": FieldOverride(tr("Remains a day"), decimals=1, colour=colours.TEXT),
        "forecast_pct": FieldOverride(
            tr("Expected share"), "percent", 1, thresholds=bad_from(100), width=110
        ),
        "short_days": FieldOverride(tr("Days short"), "none", 0, thresholds=bad_from(1)),
        "used_100_ms": FieldOverride(
            tr("Used up on"), _DAY, values={"0": ("—", colours.TEXT)}, width=110
        ),
        "status": FieldOverride(tr("Verdict"), values=status_values(tr), width=110),
    }


def _no_quota(site: BoardSite) -> str:
    return site.tr("This scope has no annual quota or cap of this kind in this year.")


def _how_to_add(site: BoardSite) -> Json:
    return text_panel(
        site.tr("How to add quotas"),
        site.tr(
            "Levels of buildings are rows `[[quota]]`, and annual quotas are rows"
            " `[[annual_quota]]` of `quotas.toml`; docs/rules.md explains the keys. Then build the"
            " boards again."
        ),
    )
